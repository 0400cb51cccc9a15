"""Which layer learns when, and at which rate."""

from typing import Any

import pytest
import torch
from torch import nn

from rnnlab.errors import ConfigError
from rnnlab.optimization.schedules import SlantedTriangular
from rnnlab.tasks.sentiment.fine_tuning import GradualUnfreezing, layers_from_bottom
from rnnlab.tasks.sentiment.task import SentimentClassifier

ADAM = {"_target_": "torch.optim.Adam", "lr": 0.1}
RECURRENT = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "hidden_size": 4, "layers": 2}
REGULARISED = {"_target_": "rnnlab.encoder.regularised.RegularisedEncoder", "hidden_size": 4, "layers": 3}


def classifier(**options: Any) -> SentimentClassifier:
    given = {
        "model": RECURRENT,
        "vocabulary_size": 9,
        "labels": ("bad", "good"),
        "embedding_size": 3,
        "optimizer": ADAM,
        **options,
    }
    return SentimentClassifier(**given)


def names_of(task: nn.Module) -> list[set[str]]:
    """Return the names of each layer's parameters, from the bottom to the top."""
    names = {parameter: name for name, parameter in task.named_parameters()}
    return [{names[parameter] for parameter in layer} for layer in layers_from_bottom(task)]


@pytest.mark.parametrize(
    ("model", "layers"), [(RECURRENT, 2), (REGULARISED, 3), ({**RECURRENT, "bidirectional": True}, 2)]
)
def test_every_parameter_is_in_one_layer(model: dict[str, Any], layers: int) -> None:
    task = classifier(model=model)
    found = names_of(task)
    assert len(found) == layers + 2
    assert found[0] == {"embedding.weight"}
    assert found[-1] == {"classifier.weight", "classifier.bias"}
    for number, names in enumerate(found[1:-1]):
        assert names
        assert all(f"_l{number}" in name or f"layers.{number}." in name for name in names)
    together = [name for names in found for name in names]
    assert sorted(together) == sorted(name for name, _ in task.named_parameters())


def test_a_frozen_embedding_is_no_layer_and_tied_weights_lie_at_the_bottom() -> None:
    assert "embedding.weight" not in names_of(classifier(freeze_embedding=True))[0]
    tied = names_of(classifier(language_loss={"weight": 1.0, "head": "full"}))
    assert tied[0] == {"embedding.weight"}
    assert "language_loss.decoder.bias" in tied[-1]


def test_each_layer_learns_slower_than_the_one_above() -> None:
    task = classifier(discriminative_factor=2.6)
    rates: dict[str, float] = {}
    names = {parameter: name for name, parameter in task.named_parameters()}
    groups = task.parameter_groups()
    for group in groups:
        rates |= {names[parameter]: group["lr"] for parameter in group["params"]}
    assert rates["classifier.weight"] == rates["classifier.bias"] == 0.1
    assert rates["encoder.network.weight_hh_l1"] == pytest.approx(0.1 / 2.6)
    assert rates["encoder.network.bias_ih_l0"] == pytest.approx(0.1 / 2.6**2)
    assert rates["embedding.weight"] == pytest.approx(0.1 / 2.6**3)
    spared = {names[p] for group in groups if group.get("weight_decay") == 0.0 for p in group["params"]}
    assert spared == {name for name in rates if "bias" in name}


def test_the_top_comes_first_and_nothing_is_computed_below_it() -> None:
    task = classifier()
    unfreezing = GradualUnfreezing(layers_from_bottom(task), epochs=2)
    tokens, lengths = torch.randint(9, (4, 6)), torch.tensor([6, 5, 5, 2])
    trained: list[int] = []
    for epoch in range(9):
        unfreezing.enter(epoch)
        task.zero_grad(set_to_none=True)
        task(tokens, lengths).sum().backward()
        have = [all(p.grad is not None for p in layer) for layer in unfreezing.layers]
        assert have == sorted(have)
        trained.append(sum(have))
    assert trained == [1, 1, 2, 2, 3, 3, 4, 4, 4]


def test_what_was_frozen_before_stays_so_and_nothing_else() -> None:
    task = classifier(freeze_embedding=True)
    unfreezing = GradualUnfreezing(layers_from_bottom(task), epochs=1)
    unfreezing.enter(0)
    unfreezing.leave()
    frozen = [name for name, parameter in task.named_parameters() if not parameter.requires_grad]
    assert frozen == ["embedding.weight"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unfreezing_epochs": -1}, r"task\.unfreezing_epochs=-1"),
        ({"discriminative_factor": 0.5}, r"task\.discriminative_factor=0\.5"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        classifier(**options)


def test_rates_need_a_rate() -> None:
    task = classifier(discriminative_factor=2.0, optimizer={"_target_": "torch.optim.Adam"})
    with pytest.raises(ConfigError, match=r"needs optimizer\.lr"):
        task.parameter_groups()


def rates_over(steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.32)
    schedule = SlantedTriangular(optimizer, steps, **options)  # type: ignore[arg-type]
    rates = []
    for _ in range(steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_the_triangle_is_the_paper_s() -> None:
    rates = rates_over(200, cut_fraction=0.1, ratio=32)
    cut = 20
    for step, rate in enumerate(rates):
        share = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.1 - 1))
        assert rate == pytest.approx(0.32 * (1 + share * 31) / 32)
    assert max(rates) == rates[cut] == pytest.approx(0.32)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 11])
def test_a_short_training_has_a_triangle_too(steps: int) -> None:
    rates = rates_over(steps)
    assert min(rates) == pytest.approx(0.01)
    assert max(rates) <= 0.32
    assert rates[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("options", [{"cut_fraction": 0.0}, {"cut_fraction": 1.0}, {"ratio": 0.5}])
def test_an_impossible_triangle_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        rates_over(5, **options)
