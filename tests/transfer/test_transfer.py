"""What a classifier takes from a language model, word by word."""

import pytest
import torch

from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.sentiment.init_from import take_language_model
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.text.vocabulary import Vocabulary

GRU = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "hidden_size": 4}
SPECIALS = ("<unk>", "<eos>")
THEIRS = Vocabulary([*SPECIALS, "the", "film", "was", "fine", "dull", "meadow"])


def language_model(**options: object) -> LanguageModel:
    torch.manual_seed(1)
    given = {"model": GRU, "vocabulary_size": len(THEIRS), "embedding_size": 3, **options}
    return LanguageModel(**given)  # type: ignore[arg-type]


def classifier(words: Vocabulary, **options: object) -> SentimentClassifier:
    torch.manual_seed(2)
    given = {"model": GRU, "vocabulary_size": len(words), "labels": ("bad", "good"), "embedding_size": 3}
    return SentimentClassifier(**{**given, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ours",
    [
        THEIRS,
        Vocabulary([*SPECIALS, "dull", "the"]),
        Vocabulary([*SPECIALS, "violin", "fine", "harbour", "was", "meadow", "dull", "film", "the", "Fine"]),
    ],
)
def test_a_word_has_the_vector_that_it_had_whatever_its_number(ours: Vocabulary) -> None:
    model, task = language_model(), classifier(ours)
    before = {name: part.clone() for name, part in model.state_dict().items()}
    taken = take_language_model(task, model.state_dict(), THEIRS, ours)
    known = [token for token in ours.tokens if token in THEIRS]
    assert taken == len(known)
    mean = model.embedding.weight.mean(dim=0)
    for row, token in enumerate(ours.tokens):
        theirs = model.embedding.weight[THEIRS.id_of(token)] if token in known else mean
        assert torch.equal(task.embedding.weight[row], theirs), token
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    for name, part in task.encoder.state_dict().items():
        assert torch.equal(part, before[f"encoder.{name}"])
    with torch.no_grad():
        task.embedding.weight.add_(1.0)
    assert torch.equal(model.embedding.weight, before["embedding.weight"])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head", ["full", "adaptive"])
def test_the_decoder_comes_along_where_the_words_are_the_same(head: str, tied: bool) -> None:
    cutoffs = [4] if head == "adaptive" else None
    model = language_model(head=head, cutoffs=cutoffs, tie_weights=tied)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.normal_()
    loss = {"weight": 1.0, "head": head, "cutoffs": cutoffs, "tie_weights": tied}
    task = classifier(THEIRS, language_loss=loss)
    take_language_model(task, model.state_dict(), THEIRS, THEIRS)
    assert task.language_loss is not None
    for name, part in model.decoder.state_dict().items():
        assert torch.equal(task.language_loss.decoder.state_dict()[name], part)
    other = Vocabulary([*SPECIALS, "dull", "was", "the", "film", "meadow", "fine"])
    fresh = classifier(other, language_loss=loss)
    bias = fresh.language_loss.decoder.bias.clone()  # type: ignore[union-attr]
    take_language_model(fresh, model.state_dict(), THEIRS, other)
    assert torch.equal(fresh.language_loss.decoder.bias, bias)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_size": 5}, r"embedding\.weight: the run has 3, this model 5"),
        (
            {"model": {**GRU, "hidden_size": 6}},
            r"encoder\.network\.weight_hh_l0: the run has 12 x 4, this model 18 x 6",
        ),
        (
            {"model": {**GRU, "layers": 2}},
            r"encoder\.network\.bias_hh_l1: the run has none, this model 12",
        ),
    ],
)
def test_another_network_is_refused_with_both_shapes(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        take_language_model(classifier(THEIRS, **options), language_model().state_dict(), THEIRS, THEIRS)
