"""The language model's loss beside the classifier's, on the same documents."""

from typing import Any

import pytest
import torch

from rnnlab.data.batch import Batch
from rnnlab.errors import ConfigError
from rnnlab.tasks.sentiment.fine_tuning import LanguageLoss, following
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.text.vocabulary import EOS_ID

GRU = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "hidden_size": 6}
LENGTHS = torch.tensor([4, 9, 1, 6])


def classifier(**options: Any) -> SentimentClassifier:
    torch.manual_seed(0)
    given = {
        "model": GRU,
        "vocabulary_size": 30,
        "labels": ("bad", "good"),
        "embedding_size": 5,
        "dropout": 0.0,
        "language_loss": {"weight": 0.5},
        **options,
    }
    return SentimentClassifier(**given).double()


def batch(counted: tuple[bool, ...] = (True,) * 4) -> Batch:
    tokens = torch.randint(30, (4, 9), generator=torch.Generator().manual_seed(1))
    tokens = tokens.masked_fill(torch.arange(9) >= LENGTHS.unsqueeze(1), 0)
    return Batch(tokens, LENGTHS, torch.tensor([0, 1, 0, 1]), torch.tensor(counted))


def test_a_document_s_last_token_is_followed_by_its_end() -> None:
    tokens = torch.tensor([[5, 6, 7], [8, 0, 0]])
    found = following(tokens, torch.tensor([[3], [1]]))
    assert found[0].tolist() == [6, 7, EOS_ID]
    assert found[1, 0] == EOS_ID


def by_hand(task: SentimentClassifier, given: Batch) -> float:
    """Predict every token of every document that counts, one document after another."""
    assert task.language_loss is not None
    losses = []
    for ids, length, counts in zip(given.inputs, given.lengths.tolist(), given.valid, strict=True):
        if not counts:
            continue
        read = ids[:length].flip(0) if task.reads_backward else ids[:length]
        hidden, _ = task.encoder(task.embedding(read[None]))
        targets = torch.cat((read[1:], torch.tensor([EOS_ID])))
        losses.append(task.language_loss.decoder.losses(hidden[0], targets))
    return torch.cat(losses).mean().item()


@pytest.mark.parametrize(
    "options", [{}, {"bptt": 3}, {"backward": True, "language_loss": {"weight": 0.5, "head": "adaptive"}}]
)
@pytest.mark.parametrize("counted", [(True,) * 4, (True, False, True, True)])
def test_every_token_is_predicted_once(options: dict[str, Any], counted: tuple[bool, ...]) -> None:
    task, given = classifier(**options), batch(counted)
    plain = classifier(**{**options, "language_loss": None})
    plain.load_state_dict({k: v for k, v in task.state_dict().items() if "language_loss" not in k})
    with_language, alone = task.training_step(given, 0), plain.training_step(given, 0)
    assert (with_language - alone).item() == pytest.approx(0.5 * by_hand(task, given), rel=1e-6)


def test_it_teaches_the_encoder_and_predicts_by_the_vectors_that_are_read() -> None:
    task = classifier()
    assert isinstance(task.language_loss, LanguageLoss)
    assert task.language_loss.decoder.weight is task.embedding.weight
    parts = task.read(task.embedding(batch().inputs), LENGTHS)
    total, count = task.language_loss(parts, batch().inputs, batch().valid)
    (total / count).backward()
    assert all(parameter.grad is not None for parameter in task.encoder.parameters())
    own = classifier(language_loss={"weight": 1.0, "tie_weights": False})
    assert own.language_loss is not None
    assert own.language_loss.decoder.weight is not own.embedding.weight


def test_without_a_weight_there_is_no_decoder() -> None:
    for options in (None, {"weight": 0.0, "head": "adaptive"}):
        assert classifier(language_loss=options).language_loss is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_loss": {"weight": -1.0}}, r"task\.language_loss\.weight=-1\.0"),
        ({"language_loss": {"weights": 1.0}}, r"task\.language_loss\.weights: .*no such option"),
        ({"model": {**GRU, "bidirectional": True}}, r"bidirectional encoder has already read it"),
        ({"language_loss": {"weight": 1.0, "head": "half"}}, r"task\.head=half"),
    ],
)
def test_what_can_t_be_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        classifier(**options)
