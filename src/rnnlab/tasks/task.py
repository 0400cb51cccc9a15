"""What every task shares: its optimizer, its place in the checkpoint, and all that others ask of a task."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from rnnlab.build import locate_class
from rnnlab.errors import ConfigError, RunError
from rnnlab.files.checkpoint_file import CHECKPOINT_FORMAT
from rnnlab.optimization.averaged_sgd import WeightAveraging, averages
from rnnlab.optimization.building import build_optimizer, build_schedule, decayed_apart
from rnnlab.tasks.choosing import Choice, check_monitor, choice_of
from rnnlab.tasks.loss_watch import LossWatch, check_weights

if TYPE_CHECKING:
    from rich.table import Table

    from rnnlab.data.task_data import TaskData
    from rnnlab.tasks.answers import OpenedRun, TrainedModel
    from rnnlab.tasks.figures import Recorder, TaskFigures
    from rnnlab.tasks.starting import Starting

# What schedules keep of the training's length, which may be another when a run goes on.
OF_THE_LENGTH = ("total_steps", "_schedule_phases", "cut")


class Task(lightning.LightningModule):
    """A LightningModule that is built from plain values and whose checkpoint is plain data.

    A subclass takes ``model`` (the encoder's configuration), ``optimizer`` and ``scheduler`` (their
    configurations), what its data module's ``model_arguments`` tell of the data (vocabulary size, class
    names), and its own options. It logs ``train/…``, ``validation/…`` and ``test/…`` metrics, always with
    ``loss`` among them. All else that training, runs, sweeps and tables want to know of a task they ask here,
    and each answer has a default that suits a small task.

    Attributes:
        monitor: the validation metric that chooses the best checkpoint; ``callbacks.checkpoint.monitor`` may
            say another for a run.
        mode: whether that metric is best at its ``min`` or its ``max``.
        prepared_keys: keys of the task's section that are no arguments of the constructor, but are read by
            :meth:`prepare` or where a training starts from another run.
        asked_keys: keys of the task's section that may be said anew, ``task.…=``, where a finished run is
            scored or asked.
        has_origins: whether it answers at origins, of which ``evaluate.py stride=`` may take others.
        keeps_all_memory: whether the large blocks of memory of all training steps have the same sizes, so
            that what one step frees fits the next.
        metadata: plain data that makes a checkpoint stand alone (config, vocabulary, tokenizer, labels);
            set at assembly, written into every checkpoint under ``"rnnlab"``.
    """

    monitor: str
    mode: Literal["min", "max"]
    prepared_keys: ClassVar[tuple[str, ...]] = ()
    asked_keys: ClassVar[tuple[str, ...]] = ()
    has_origins: ClassVar[bool] = False
    keeps_all_memory: ClassVar[bool] = False

    def __init__(self, optimizer: Mapping[str, Any] | None, scheduler: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.optimizer_config = optimizer
        self.scheduler_config = scheduler
        self.metadata: dict[str, Any] = {}
        self.watch = LossWatch()

    @classmethod
    def trained_model(cls) -> "type[TrainedModel]":
        """Return the kind of trained model that ``rnnlab.load`` gives; the default refuses every question."""
        from rnnlab.tasks.answers import TrainedModel

        return TrainedModel

    @classmethod
    def starting(cls) -> "Starting | None":
        """Return how a training starts from another run (``init_from``); None where it can't."""
        return None

    def questions(self, run: Path) -> Sequence[Sequence[str]]:
        """Return commands that ask a finished run something, each as a script and its words, to try."""
        return ()

    def prepare(self, config: Mapping[str, Any], data: "TaskData") -> None:
        """Do what is left to do before training, such as to take pretrained vectors.

        Args:
            config: the run's configuration.
            data: prepared.
        """

    def open_others(self, opened: "Callable[[str], OpenedRun]") -> None:
        """Take what opens other runs, of a finished run that asks them where it is scored or asked.

        Args:
            opened: opens a run folder or a checkpoint file, under the same trust as this one.
        """

    def logging_callbacks(self, logger: Mapping[str, Any]) -> list[Callback]:
        """Return what writes to TensorBoard while this task is trained, besides what all tasks write.

        Args:
            logger: the configuration's section.
        """
        return []

    def figures(self, data: "TaskData", words: int) -> "TaskFigures | None":
        """Return what a finished run shows of its model besides numbers; None where there is nothing.

        Args:
            data: prepared.
            words: how many words the embedding projector is to show.
        """
        return None

    def shown_apart(self, metrics: Mapping[str, float]) -> "tuple[Collection[str], Sequence[Table]]":
        """Return which figures the final table leaves out, and the tables below it that have them.

        Args:
            metrics: of the test split.
        """
        return (), ()

    def recorder(self, data: "TaskData", split: str) -> "Recorder | None":
        """Return what keeps the answers while a prepared split is scored; None where nothing does."""
        return None

    def together(
        self, data: "TaskData", recorders: "Mapping[str, Recorder]", weight: float | None = None
    ) -> dict[str, dict[str, float]]:
        """Return the figures of the network mixed with a baseline on test, by what it is called.

        Args:
            data: prepared.
            recorders: what kept the answers of validation and test, see :meth:`recorder`.
            weight: of the baseline, from 0 to 1; None for that which validation chooses.
        """
        return {}

    def keep_simple(self, data: "TaskData", weight: float, folder: Path) -> Path | None:
        """Keep a baseline and its weight beside a run, so that it answers with the network; None: it can't.

        Args:
            data: prepared.
            weight: of the baseline.
            folder: the run's.
        """
        return None

    def adapted(
        self, data: "TaskData", split: str, ways: Mapping[str, Any], file: Path | None
    ) -> dict[str, Any]:
        """Return the figures of a split whose scoring adapts to what it has scored; this task's does not.

        Args:
            data: prepared.
            split: ``validation`` or ``test``.
            ways: how it adapts, keys of :class:`rnnlab.tasks.language_model.adaptive.Ways`.
            file: keeps what is known of it so far; None for none.

        Raises:
            ConfigError: if no scoring of this task adapts.
        """
        raise ConfigError(
            "cache=true and dynamic=true are for task=language_model: only a text tells what it said of late."
        )

    def graph_refusal(self, config: Mapping[str, Any]) -> str | None:
        """Return why training steps can't be recorded as CUDA graphs (``trainer.cuda_graph``); None where
        :meth:`record_steps` does so.

        Args:
            config: the run's configuration.
        """
        return "the batches of this task are of many shapes, and a recording is of one"

    def record_steps(self) -> None:
        """Let training steps be recorded, and launched as a whole; see :meth:`graph_refusal`."""

    def choice(self, settings: Mapping[str, Any], where: str) -> Choice:
        """Return the metric that a section of the configuration chooses by, this task's where it says none.

        Args:
            settings: with ``monitor`` and ``mode``.
            where: the section, for errors.

        Raises:
            ConfigError: if the task has no such metric, or its mode has to be said.
        """
        tells_all = "validation_metrics" in vars(type(self))  # a class derived from it may log others, too
        known = self.validation_metrics() if tells_all else ()
        choice = choice_of(settings, Choice(self.monitor, self.mode), where, known)
        if tells_all:
            check_monitor(choice.monitor, known, f"{where}.monitor={settings.get('monitor')}")
        return choice

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; text goes the quick way.

        At each of a step's hooks Lightning notes the hook's name on the module, some hundred times in all,
        and ``nn.Module`` looks each time whether the text is a parameter, a module or a buffer.
        """
        if name in self.__dict__ and (value is None or type(value) is str):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def on_before_backward(self, loss: Tensor) -> None:
        """Look at the loss of every step.

        Raises:
            RnnlabError: if it is no number, naming the step.
        """
        self.watch.add(self.global_step + 1, loss)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a checkpoint needs to be loaded without the data, the config files or any flag.

        Raises:
            RnnlabError: if loss or weights are no numbers, so that no good checkpoint is overwritten.
        """
        self.watch.check()
        check_weights(self, self.global_step)
        checkpoint["rnnlab"] = {"format": CHECKPOINT_FORMAT, **self.metadata}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let a schedule go on over this training's length: with more epochs it is stretched."""
        for schedule in checkpoint.get("lr_schedulers", []):
            for name in OF_THE_LENGTH:
                schedule.pop(name, None)

    def validation_metrics(self) -> Sequence[str]:
        """Return the names of all that a validation logs; none where only doing it tells."""
        return ()

    def tokens_in(self, batch: Any) -> Tensor:
        """Return how many real tokens or steps, padding excluded, the batch holds: an integer ``()``."""
        if batch.lengths is None:
            return torch.tensor(self.positions_in(batch))
        tokens: Tensor = batch.lengths.sum()
        return tokens

    def positions_in(self, batch: Any) -> int:
        """Return a batch's places, padding included; its inputs are ``(batch, time, …)``."""
        sequences, steps = batch.inputs.shape[:2]
        return int(sequences * steps)

    def step_mean(self, total: Tensor, count: Tensor) -> Tensor:
        """Return a step's mean loss, from which several processes' gradients come out as one's would.

        They are averaged, and the mean of means is not the mean where one process has fewer documents.

        Args:
            total: the sum of this process's losses.
            count: of the documents, values or tokens that they are of.
        """
        processes = 1 if self._trainer is None else self.trainer.world_size
        if processes > 1:
            count = self.trainer.strategy.reduce(count.detach().to(total.dtype, copy=True), reduce_op="mean")
        return total / count.clamp(min=1 / processes)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for the optimizer: weight decay spares the biases."""
        return decayed_apart(self.parameters())

    def training_steps(self) -> int:
        """Return the optimizer steps of the whole training.

        Raises:
            ConfigError: if neither epochs nor steps are limited.

        ``Trainer.estimated_stepping_batches`` would make the trainer's own loader before a checkpoint is
        loaded, and Lightning then never hands it its place in the epoch: the run would go on with the
        batches that it has already seen.
        """
        trainer = self.trainer
        loader = trainer.datamodule.train_dataloader()  # type: ignore[attr-defined]
        limit = trainer.limit_train_batches
        batches = int(len(loader) * limit) if isinstance(limit, float) else min(len(loader), limit)
        if trainer.max_epochs is None or trainer.max_epochs < 0:
            if trainer.max_steps < 0:
                raise ConfigError(
                    "The schedule must know how long the training is: give trainer.max_epochs or "
                    "trainer.max_steps, or take scheduler=none."
                )
            return int(trainer.max_steps)
        steps = math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs
        return min(steps, trainer.max_steps) if trainer.max_steps > 0 else steps

    def configure_callbacks(self) -> list[Callback]:
        """Return what lets an optimizer that averages weights do so, whatever the Trainer."""
        return [WeightAveraging()] if self.optimizer_config and averages(self.optimizer_config) else []

    def configure_optimizers(self) -> Any:
        """Build the configured optimizer and schedule, in the form Lightning takes."""
        if self.optimizer_config is None:
            raise RuntimeError("This task was built without an optimizer: it can evaluate, not train.")
        optimizer: Optimizer = build_optimizer(self.optimizer_config, self.parameter_groups())
        if not self.scheduler_config:
            return optimizer
        schedule = build_schedule(
            self.scheduler_config,
            optimizer,
            total_steps=self.training_steps(),
            monitor=self.monitor,
            mode=self.mode,
        )
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Let the learning-rate schedule go a step.

        Raises:
            RunError: if it is at its end already, as a checkpoint told it of more steps than there were.
        """
        try:
            super().lr_scheduler_step(scheduler, metric)
        except ValueError as error:
            raise RunError(
                f"The learning-rate schedule can't go on ({error}): the checkpoint that this training goes "
                "on from is damaged. Begin anew, in a folder of its own."
            ) from error


def task_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's section without what its class reads by itself.

    Raises:
        ConfigError: if there is no such class.
    """
    section = config["task"]
    aside = ("name", *locate_class(section.get("_target_", ""), Task, "task").prepared_keys)
    return {key: value for key, value in section.items() if key not in aside}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off, and afterwards dropout as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
