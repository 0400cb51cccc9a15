"""Perplexity is over tokens: whatever the batch and the window, every token weighs the same, once."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.data.streams import StreamLoader, TokenStream
from tests.language.streams import MEMORYLESS, VOCABULARY, language_model, loader, scores, text


@pytest.mark.parametrize("head", ["full", "adaptive"])
def test_independent_of_batch_size_and_window_without_memory(head: str) -> None:
    torch.manual_seed(1)
    model = language_model(model=MEMORYLESS, head=head, cutoffs=[4])
    expected = scores(model, loader(batch_size=1, bptt=300))
    assert expected["tokens"] == 300
    for batch_size, bptt in ((1, 1), (3, 7), (7, 7), (20, 4), (64, 35), (150, 1)):
        assert scores(model, loader(batch_size, bptt)) == pytest.approx(expected, rel=1e-6)


def test_independent_of_the_window_with_memory() -> None:
    torch.manual_seed(1)
    model = language_model()
    expected = scores(model, loader(batch_size=3, bptt=100))
    for bptt in (1, 6, 35, 99):
        assert scores(model, loader(3, bptt)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("head", ["full", "adaptive"])
@pytest.mark.smoke
def test_equals_a_slow_step_by_step_computation(cell: str, head: str) -> None:
    torch.manual_seed(2)
    encoder = {
        "_target_": "rnnlab.encoder.recurrent.RecurrentEncoder",
        "cell": cell,
        "hidden_size": 5,
        "layers": 2,
    }
    model = language_model(model=encoder, head=head, cutoffs=[3, 7]).eval()
    found = scores(model, loader(batch_size=1, bptt=13))
    state, total, hits, before = None, 0.0, 0, 1
    with torch.no_grad():
        for token in text().tolist():
            embedded = model.embedding.weight[before].view(1, 1, -1)
            outputs, state = model.encoder(embedded, None, state)
            distribution = model.decoder.log_probabilities(outputs[0])[0]
            total -= float(distribution[token])
            hits += int(distribution.argmax()) == token
            before = token
    assert found["loss"] == pytest.approx(total / 300, rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(total / 300), rel=1e-6)
    assert found["accuracy"] == pytest.approx(hits / 300)


def test_a_uniform_model_scores_the_size_of_the_vocabulary() -> None:
    model = language_model(tie_weights=False, characters=True)
    torch.nn.init.zeros_(model.decoder.weight)  # type: ignore[arg-type]
    found = scores(model, loader(batch_size=7, bptt=11))
    assert found["perplexity"] == pytest.approx(VOCABULARY, rel=1e-6)
    assert found["bits_per_character"] == pytest.approx(math.log2(VOCABULARY), rel=1e-6)


def test_places_behind_a_columns_end_teach_nothing() -> None:
    torch.manual_seed(3)
    options = {"activation_regularisation": 2.0, "temporal_regularisation": 1.0}
    model = language_model(**options)
    *_, last = StreamLoader(TokenStream(text(23), first_input=1, batch_size=3), 3)
    assert last.valid is not None
    gradients = []
    for filler in (0, 5):
        changed = torch.where(last.valid, last.inputs, filler)
        loss = loss_alone(model, last._replace(inputs=changed))
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_training_loss_is_the_mean_over_what_counts() -> None:
    torch.manual_seed(4)
    model = language_model()
    *_, last = StreamLoader(TokenStream(text(23), first_input=1, batch_size=3), 3)
    assert last.valid is not None
    hidden, _ = model(last.inputs)
    logits = model.decoder.log_probabilities(hidden.flatten(0, 1))
    expected = F.nll_loss(logits[last.valid.flatten()], last.targets[last.valid])
    torch.testing.assert_close(loss_alone(model, last), expected)


def loss_alone(model: torch.nn.Module, batch: object) -> torch.Tensor:
    """A training step outside of a training."""
    model.trainer = FakeTrainer()  # type: ignore[assignment]
    batch = batch._replace(starts=True)  # type: ignore[attr-defined]
    return model.training_step(batch, 0)  # type: ignore[operator,no-any-return]


class FakeTrainer:
    global_step = 0


def test_float64_sums_do_not_lose_small_differences() -> None:
    from rnnlab.tasks.language_model.token_scores import TokenScores

    metric = TokenScores()
    for _ in range(200):
        metric.update(torch.full((5000,), 5.1), torch.ones(5000, dtype=torch.bool), None)
    assert float(metric.compute()["loss"]) == pytest.approx(np.float32(5.1), rel=1e-9)
