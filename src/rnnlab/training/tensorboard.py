"""What every run writes to TensorBoard besides metrics: words, charts, an HParams row, and figures of steps.

TensorBoard sorts its cards by the groups of their tags, gives every folder of event files a colour and a
name, and draws one tag of several folders in one chart. So a metric's tag is the same for both splits and its
group the first; training lies in the run folder itself, which names the run, and validation in one in it.

The figures of every few steps are loss, rates, padding, and norms of gradients and weights.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from rnnlab.figures.markdown import code, table
from rnnlab.ranges import typed_value
from rnnlab.tasks.task import Task
from rnnlab.training.clock import TrainingClock

_RECURRENT = re.compile(r"(?P<module>.*)\.(weight|bias)_(ih|hh|hr)_l(?P<layer>\d+)(?P<reverse>_reverse)?")
_UNTOLD = ("network", "layers")  # modules that only hold others


Layers = dict[str, list[nn.Parameter]]
"""Parameters by the names of their layers."""


class StepScalars(Callback):
    """Writes scalars at the first step and every few steps.

    ``step/loss``, ``step/tokens_per_second`` (of the epoch so far), ``step/padding_share`` (since the last
    writing), ``optimizer/learning_rate``, and by layer ``gradient_norm/...`` (before clipping) and
    ``weight_norm/...``.

    ``LightningModule.log`` does its bookkeeping on every step, which a small network feels; this computes,
    and waits for the device, only on the steps it writes.
    """

    def __init__(self, clock: TrainingClock, every: int) -> None:
        self.clock = clock
        self.every = every
        self.layers: Layers = {}
        self.gradients: dict[str, float] = {}
        self.rates: dict[str, float] = {}
        self.written = 0
        self.tokens_before = 0
        self.positions = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Find the layers; a run that goes on in mid-epoch has seen tokens of it already."""
        self.layers = layers_of(pl_module)
        self.written = trainer.global_step
        self.tokens_before = self.clock.tokens_so_far()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to count anew, as the clock does."""
        self.tokens_before = self.positions = 0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count tokens and padding together; note the learning rate that the step will have."""
        self.positions += cast(Task, pl_module).positions_in(batch)
        if self.is_due(trainer.global_step + 1):
            self.rates = learning_rates(trainer.optimizers)

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure the gradients, before they are clipped."""
        if self.is_due(trainer.global_step + 1):
            self.gradients = gradient_norms(self.layers)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write the scalars when it is their step; accumulating gradients, a step has several batches."""
        step = trainer.global_step
        if not self.is_due(step) or step == self.written or trainer.logger is None:
            return
        self.written = step
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        tokens = self.clock.tokens_so_far()
        scalars = {
            "step/loss": float(loss),
            "step/tokens_per_second": tokens / max(self.clock.seconds_so_far(), 1e-9),
            "step/padding_share": 1 - (tokens - self.tokens_before) / max(self.positions, 1),
            **self.rates,
            **grouped("gradient_norm", self.gradients),
            **grouped("weight_norm", weight_norms(self.layers)),
        }
        self.tokens_before, self.positions = tokens, 0
        trainer.logger.log_metrics(scalars, step=step)

    def is_due(self, step: int) -> bool:
        """Return whether the scalars of ``step`` are written; the first's are in every run, however short."""
        return step == 1 or step % self.every == 0


def learning_rates(optimizers: list[Optimizer]) -> dict[str, float]:
    """Return the learning rate, or each parameter group's where they differ."""
    rates = [float(group["lr"]) for optimizer in optimizers for group in optimizer.param_groups]
    if len(set(rates)) == 1:
        return {"optimizer/learning_rate": rates[0]}
    return {f"optimizer/learning_rate/{number}": rate for number, rate in enumerate(rates)}


def grouped(group: str, values: dict[str, float]) -> dict[str, float]:
    """Return the norms under the names that TensorBoard groups them by, with that of all layers together.

    >>> grouped("norm", {"embedding": 3.0, "encoder.0": 4.0})
    {'norm/embedding': 3.0, 'norm/encoder.0': 4.0, 'norm/all': 5.0}
    """
    if not values:
        return {}
    named = {f"{group}/{layer}": value for layer, value in values.items()}
    return {**named, f"{group}/all": math.sqrt(sum(value * value for value in values.values()))}


def layers_of(module: nn.Module) -> Layers:
    """Return the layers of a network in the order of its parameters; each parameter is in one."""
    found: Layers = {}
    for name, parameter in module.named_parameters():
        found.setdefault(layer_name(name), []).append(parameter)
    return found


def layer_name(parameter: str) -> str:
    """Return the name of the layer that a parameter belongs to.

    >>> layer_name("encoder.network.weight_hh_l1_reverse"), layer_name("encoder.layers.2.network.bias_ih_l0")
    ('encoder.1_backward', 'encoder.2')
    >>> layer_name("embedding.weight"), layer_name("scale")
    ('embedding', 'scale')
    """
    recurrent = _RECURRENT.fullmatch(parameter)
    path = (recurrent["module"] if recurrent else parameter.rpartition(".")[0] or parameter).split(".")
    told = [part for part in path if part not in _UNTOLD]
    if recurrent is None:
        return ".".join(told)
    if not told[-1].isdigit():
        told.append(recurrent["layer"])
    return ".".join(told) + ("_backward" if recurrent["reverse"] else "")


def weight_norms(layers: Layers) -> dict[str, float]:
    """Return each layer's Euclidean norm of all its weights."""
    return norms({name: [weight.detach() for weight in weights] for name, weights in layers.items()})


def gradient_norms(layers: Layers) -> dict[str, float]:
    """Return each layer's Euclidean norm of all its gradients; layers without any are left out."""
    gradients = {name: [weight.grad for weight in weights] for name, weights in layers.items()}
    return norms({name: [one for one in found if one is not None] for name, found in gradients.items()})


def norms(groups: Mapping[str, list[Tensor]]) -> dict[str, float]:
    """Return the norm of each group of tensors that has any, with one wait for the device in all."""
    groups = {name: tensors for name, tensors in groups.items() if tensors}
    if not groups:
        return {}
    squares = [
        torch.stack([torch.linalg.vector_norm(tensor.float()) for tensor in tensors]).square().sum()
        for tensors in groups.values()
    ]
    return dict(zip(groups, torch.stack(squares).sqrt().tolist(), strict=True))


CHARTS: dict[str, dict[str, list[object]]] = {
    "norms by layer": {
        "gradients, before clipping": ["Multiline", [r"^gradient_norm/"]],
        "weights": ["Multiline", [r"^weight_norm/"]],
    },
}
"""What shows several tags of a run together."""

SHOWN = ("model", "optimizer", "seed", "task", "scheduler", "batches", "data", "tokenizer", "trainer")


class RunTexts(Callback):
    """Writes the resolved configuration, a summary of the network and the charts when training starts."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write them."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                written = yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)
                logger.experiment.add_text("run/configuration", code(written), trainer.global_step)
                logger.experiment.add_text("run/network", summary(pl_module), trainer.global_step)
                logger.experiment.add_custom_scalars(CHARTS)


def summary(network: nn.Module) -> str:
    """Return the modules that have parameters of their own as a Markdown table; tied weights count once."""
    rows, seen, total = [], set[int](), 0
    for name, module in network.named_modules():
        own = [(key, parameter) for key, parameter in module.named_parameters(recurse=False)]
        if not own:
            continue
        new = [parameter for _, parameter in own if id(parameter) not in seen]
        seen.update(map(id, new))
        count = sum(parameter.numel() for parameter in new)
        total += count
        shapes = ", ".join(f"{key} {'x'.join(map(str, parameter.shape))}" for key, parameter in own)
        frozen = " frozen" * (not any(parameter.requires_grad for _, parameter in own))
        rows.append((name or "itself", type(module).__name__, shapes, f"{count:,}{frozen}"))
    rows.append(("all", type(network).__name__, "", f"{total:,}"))
    return table(("part", "kind", "parameters", "numbers"), rows)


def log_hyperparameters(
    writer: SummaryWriter, config: Mapping[str, Any], best: Mapping[str, float], step: int
) -> None:
    """Write the configuration and the best checkpoint's metrics, at ``step``, as one sortable row.

    Of the three records that make a row the first, which names the columns, is left out: TensorBoard takes it
    from one run for all of them. Without it every run's columns are there, first those in which the runs
    differ. The metrics' columns come in the order of their names.
    """
    values = dict(flat({section: config[section] for section in SHOWN if section in config}))
    _, row, end = hparams(values, dict(best))  # type: ignore[no-untyped-call]
    for summary in (row, end):
        writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
    for name, value in best.items():
        writer.add_scalar(name, value, step)
    writer.flush()


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    """Yield dotted keys and plain values, in the forms that TensorBoard takes; class names are left out.

    >>> dict(flat({"model": {"layers": 1, "sizes": None, "bidirectional": True}}))
    {'model.layers': 1, 'model.sizes': 'null', 'model.bidirectional': 'true'}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> int | float | str:
    """Return a value as it is typed on the command line; numbers stay numbers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else typed_value(value)
