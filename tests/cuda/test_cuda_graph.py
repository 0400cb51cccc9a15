"""``trainer.cuda_graph``: what is recorded computes what a step does, and what can't be is told why."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from rnnlab.benchmarks import made_up
from rnnlab.benchmarks.made_up import awd, encoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.graphed import WindowGraph, refusal
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.training.hardware import check_cuda_graph, take_cuda_graph

CONFIG: dict[str, Any] = {
    "trainer": {"precision": "32-true", "devices": 1, "accumulate_grad_batches": 1, "cuda_graph": True},
    "batches": {"random_lengths": False},
}
PENALTIES = {"activation_regularisation": 2.0, "temporal_regularisation": 1.0}


def models(model: Mapping[str, Any], **options: Any) -> tuple[LanguageModel, LanguageModel, Any]:
    """Return a language model twice, and a window."""
    torch.manual_seed(1)
    first, batch = made_up.language_model(model, **options)
    second = made_up.language_model(model, **options).task
    second.load_state_dict(first.state_dict())
    return cast(LanguageModel, first), cast(LanguageModel, second), batch


def walk(task: LanguageModel, batch: Any, device: str = "cpu") -> list[Tensor]:
    """Return losses of three windows and a shorter one, with what is carried and the weights after."""
    torch.manual_seed(3)
    found, optimizer = [], task.to(device).configure_optimizers()
    for number in range(4):
        window = batch._replace(starts=number == 0)
        if number == 3:
            window = batch._replace(
                inputs=batch.inputs[:, :2], targets=batch.targets[:, :2], predicted=6, starts=False
            )
        optimizer.zero_grad()
        loss = task.training_step(window.to(torch.device(device)), 0)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(task.parameters(), 0.25)
        optimizer.step()
        found += [loss.detach(), task.train_loss.total.clone()]
    return [*found, *(part for part in task.carried.of("train", like=found[0]) or ()), *task.parameters()]


@pytest.mark.parametrize(
    ("model", "options"),
    [(encoder("gru", layers=2), {}), (awd(), {"output_dropout": 0.2, "word_dropout": 0.1, **PENALTIES})],
    ids=["gru", "awd"],
)
def test_a_recorded_pass_is_the_step_itself(model: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    plain, other, batch = models(model, **options)
    calls = []

    def counted(window_pass: Any, given: Any) -> Callable[..., Any]:
        return lambda *now: (calls.append(None), window_pass(*now))[1]

    other.graph = WindowGraph(other, record=counted)
    for expected, found in zip(walk(plain, batch), walk(other, batch), strict=True):
        torch.testing.assert_close(found, expected)
    assert len(calls) == 3, "the last window is shorter, and goes on its own"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    "model", [encoder("gru", layers=2), encoder("lstm"), awd(weight_dropout=0.0, dropout=0.0)]
)
def test_a_graph_trains_as_steps_do(model: Mapping[str, Any]) -> None:
    plain, other, batch = models(model)
    other.record_steps()
    for expected, found in zip(walk(plain, batch, "cuda"), walk(other, batch, "cuda"), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_each_launch_draws_its_dropout_anew_and_a_seed_repeats_it() -> None:
    losses = []
    for _ in range(2):
        torch.manual_seed(5)
        task = cast(LanguageModel, made_up.language_model(awd(), output_dropout=0.5).task)
        batch = made_up.language_model(awd()).batch
        task.cuda().record_steps()
        window = batch.to(torch.device("cuda"))
        losses.append([task.training_step(window, 0).item() for _ in range(4)])
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 4


@pytest.mark.parametrize(
    ("model", "options", "changed", "reason"),
    [
        (encoder(), {}, {}, None),
        (awd(), {"output_dropout": 0.5}, {}, None),
        (encoder(layers=2, dropout=0.5), {}, {}, "cuDNN's own"),
        (encoder("mingru"), {}, {}, "mingru"),
        (encoder(), {"head": "adaptive"}, {}, "head=adaptive"),
        ({"_target_": "tests.language.streams.Memoryless"}, {}, {}, "of your own"),
        (encoder(), {}, {"batches": {"random_lengths": True}}, "random_lengths"),
        (encoder(), {}, {"trainer": {**CONFIG["trainer"], "precision": "bf16-mixed"}}, "bf16-mixed"),
        (encoder(), {}, {"trainer": {**CONFIG["trainer"], "accumulate_grad_batches": 2}}, "accumulate"),
        (encoder(), {}, {"trainer": {**CONFIG["trainer"], "devices": 2}}, "devices"),
    ],
)
def test_what_can_not_be_recorded_is_told(
    model: Mapping[str, Any], options: Mapping[str, Any], changed: Mapping[str, Any], reason: str | None
) -> None:
    task = cast(LanguageModel, made_up.language_model(model, **options).task)
    found = refusal(task, {**CONFIG, **changed})
    assert found is None if reason is None else found is not None and reason in found


def test_other_tasks_go_on_without_a_graph_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        take_cuda_graph(made_up.memory(encoder()).task, CONFIG)
    assert "trainer.cuda_graph=true is left out" in caplog.text
    assert "of many shapes" in caplog.text
    task = cast(LanguageModel, made_up.language_model(encoder()).task)
    take_cuda_graph(task, CONFIG)
    assert task.graph is not None
    take_cuda_graph(made_up.memory(encoder()).task, {"trainer": {}})


def test_a_graph_is_refused_on_a_cpu() -> None:
    with pytest.raises(ConfigError, match="records what a CUDA GPU is given to do"):
        check_cuda_graph({"accelerator": "cpu", "cuda_graph": True})
    check_cuda_graph({"accelerator": "cpu", "cuda_graph": False})
    check_cuda_graph({"accelerator": "gpu", "cuda_graph": True})
