"""A training step of each task on a pretended GPU: one device, and no host that waits."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.benchmarks import made_up
from rnnlab.benchmarks.made_up import MadeUp, awd, encoder
from rnnlab.cells import cell_classes
from rnnlab.data.streams import StreamBatch
from tests.cuda.pretended import DEVICE, HostWaitError, TwoDevicesError, pretended_device

FULL, SHORT = torch.full((4,), 3), torch.tensor([3, 2, 2, 2])
BOTH = {"layers": 2, "bidirectional": True, "dropout": 0.3}
TASKS: dict[str, Callable[[], MadeUp]] = {
    "sentiment": lambda: made_up.sentiment(encoder(**BOTH), embedding_dropout=0.2, word_dropout=0.2),
    "language_model": lambda: made_up.language_model(awd(), output_dropout=0.2, word_dropout=0.1),
    "memory": lambda: made_up.memory(encoder("lstm")),
    "forecasting": lambda: made_up.forecaster(encoder()),
    "speech": lambda: made_up.speech(encoder(**BOTH), dropout=0.2, input_dropout=0.1),
}
VARIANTS: dict[str, Callable[[], MadeUp]] = {
    **TASKS,
    "sentiment of three classes": lambda: made_up.sentiment(
        encoder(), classes=3, pooling="attention", label_smoothing=0.1, class_weights=[1.0, 2.0, 3.0]
    ),
    "sentiment read backward": lambda: made_up.sentiment(
        encoder("rnn"), backward=True, pooling="last_mean_max"
    ),
    "sentiment of equal lengths": lambda: made_up.sentiment(encoder("lstm"), lengths=FULL),
    "sentiment with a language model": lambda: made_up.sentiment(
        encoder(), bptt=3, language_loss={"weight": 0.5}
    ),
    "language model, penalties": lambda: made_up.language_model(
        encoder("gru"),
        input_dropout=0.1,
        activation_regularisation=2.0,
        temporal_regularisation=1.0,
        optimizer={"_target_": "rnnlab.optimization.averaged_sgd.AveragedSGD", "lr": 1.0},
    ),
    "language model without locked dropout": lambda: made_up.language_model(
        encoder("rnn"), output_dropout=0.2, locked_dropout=False, tie_weights=False
    ),
    "memory of numbers": lambda: made_up.memory(encoder("rnn"), classes=None),
    "blocks": lambda: made_up.memory(encoder("gru", layers=2, norm="layer", gated=True, residual=True)),
    "forecasts step by step": lambda: made_up.forecaster(
        encoder(), decoder="recursive", loss="quantile", scaling="revin", forcing=0.5
    ),
    "forecasts of segments": lambda: made_up.forecaster(
        encoder(), decoder="segments", segment=4, embedding_size=4, loss="gaussian", scaling="standard"
    ),
    "forecasts of counts": lambda: made_up.forecaster(encoder(), loss="negative_binomial", scaling="none"),
    "forecasts with heavy tails": lambda: made_up.forecaster(encoder(), loss="student_t"),
    **{
        f"cell {name}": lambda name=name: made_up.memory(encoder(name), lengths=SHORT)
        for name in cell_classes()
    },
}


class NoKernel:
    """Stands for a kernel of Triton's, which needs a GPU: writes nothing."""

    def __getitem__(self, grid: object) -> Callable[..., None]:
        """Return what is launched on a grid."""
        return lambda *args, **options: None


@pytest.fixture(autouse=True)
def scans_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let elementwise cells be walked there as on CUDA, all but the kernels themselves."""
    device_scan = pytest.importorskip("rnnlab.kernels.device_scan", reason="Triton is not installed")
    monkeypatch.setattr(device_scan, "_forward", NoKernel())
    monkeypatch.setattr(device_scan, "_backward", NoKernel())
    monkeypatch.setattr(
        "rnnlab.encoder.backends.takes_device_scan", lambda backend, inputs: inputs.device == DEVICE
    )


def step(tiny: MadeUp) -> set[str]:
    """Take one training step of a task on the pretended device, as the Trainer and its callbacks do."""
    task, batch = tiny.task.to(DEVICE), tiny.batch
    optimizer = task.configure_optimizers()
    with pretended_device() as there:
        for _ in range(1 + isinstance(batch, StreamBatch)):  # a second window finds a state
            moved = batch.to(DEVICE)
            task.on_train_batch_start(moved, 0)
            task.tokens_in(moved)
            loss = task.training_step(moved, 0)
            task.watch.add(1, loss)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
            optimizer.step()
            if isinstance(batch, StreamBatch):
                batch = batch._replace(starts=False)
    return there.operations


@pytest.mark.parametrize("name", VARIANTS)
def test_a_training_step_waits_for_nothing(name: str) -> None:
    operations = step(VARIANTS[name]())
    assert {"mm", "addmm"} & operations  # it was done there, forward
    assert {"_foreach_add_", "add_", "lerp_"} & operations  # and back, to the weights


PLANTS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda outputs: outputs.sum().item(),
    "tolist": lambda outputs: outputs[0, 0].tolist(),
    "a question": lambda outputs: bool((outputs > 0).all()),
    "cpu": lambda outputs: outputs.cpu(),
    "nonzero": lambda outputs: outputs.nonzero(),
    "a mask": lambda outputs: outputs[outputs > 0],
    "a patient copy": lambda outputs: torch.ones(3).to(outputs.device),
    "numbers": lambda outputs: outputs.new_tensor([1.0, 2.0]),
    "two devices": lambda outputs: outputs + torch.ones(outputs.shape[-1]),
}


@pytest.mark.parametrize("name", TASKS)
def test_what_is_planted_in_a_step_is_found(name: str) -> None:
    task, batch = TASKS[name]()
    task.to(DEVICE)
    encoder_there: Any = task.network.encoder if hasattr(task, "network") else task.encoder
    with pretended_device():
        moved = batch.to(DEVICE)
        for kind, plant in PLANTS.items():
            planted = encoder_there.register_forward_hook(Planted(plant))
            with pytest.raises(TwoDevicesError if kind == "two devices" else HostWaitError):
                task.training_step(moved, 0)
            planted.remove()
        task.training_step(moved, 0)


class Planted:
    """A hook that does something to the encoder's outputs in the middle of a step."""

    def __init__(self, plant: Callable[[Tensor], Any]) -> None:
        self.plant = plant

    def __call__(self, module: object, given: object, returned: tuple[Tensor, Any]) -> None:
        """Do it."""
        self.plant(returned[0])


@pytest.mark.parametrize("name", ["language_model", "memory", "forecasting"])
def test_a_validation_step_waits_for_nothing(name: str) -> None:
    tiny = TASKS[name]()
    task = tiny.task.to(DEVICE).eval()
    with pytest.MonkeyPatch.context() as patch, pretended_device(), torch.no_grad():
        patch.setattr(type(task), "trainer", SimpleNamespace(state=SimpleNamespace(fn="validate")))
        task.validation_step(tiny.batch.to(DEVICE), 0)
