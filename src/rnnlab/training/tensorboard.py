"""What a run writes to TensorBoard, from its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from rnnlab.build import check_arguments
from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.task import Task
from rnnlab.text.tokenizers import tokenizer_from_dict
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.clock import TrainingClock
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.run_texts import RunTexts
from rnnlab.training.scalar_layout import ScalarLayout
from rnnlab.training.step_scalars import StepScalars
from rnnlab.tasks.language_model.text_samples import TextSamples


@dataclass(frozen=True)
class LoggingSettings:
    """The configuration's ``logger`` section.

    Attributes:
        tensorboard: whether anything is written and drawn.
        prompt: how a language model's samples begin; empty for a new document.
        words: how many words the embedding projector shows, the most frequent ones; 0 for no projector.

    Raises:
        ConfigError: if ``words`` is below 0.
    """

    tensorboard: bool
    prompt: str = ""
    words: int = 2000

    def __post_init__(self) -> None:
        if not isinstance(self.words, int) or self.words < 0:
            raise ConfigError(f"logger.words={self.words}: expected 0 (no projector) or more.")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "LoggingSettings":
        """Read them.

        Raises:
            ConfigError: if a key is unknown or out of range.
        """
        check_arguments(cls, config["logger"], {}, "logger")
        return cls(**config["logger"])


def loggers(config: Mapping[str, Any], folder: RunFolder, done_steps: int | None = None) -> list[Logger]:
    """Return the run's loggers.

    Args:
        config: the run's configuration.
        folder: where they write.
        done_steps: the steps behind a run that goes on: curves go on there, and what was drawn beyond it is
            hidden.
    """
    if not LoggingSettings.of(config).tensorboard:
        return []
    goes_on: dict[str, Any] = {} if done_steps is None else {"purge_step": done_steps + 1}
    return [
        RunLogger(save_dir=folder.path, name="", version="tensorboard", default_hp_metric=False, **goes_on)
    ]


class RunLogger(TensorBoardLogger):
    """Lightning's logger without its ``epoch`` scalar and its empty ``hparams.yaml``."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars."""
        super().log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step)

    @rank_zero_only
    def save(self) -> None:
        """Write out what waits."""
        self.experiment.flush()


def logging_callbacks(config: Mapping[str, Any], task: Task, clock: TrainingClock) -> list[Callback]:
    """Return the callbacks that write to TensorBoard while a task is trained.

    Args:
        config: the run's configuration.
        task: what is trained, with its passport.
        clock: what counts seconds and tokens; it must come before these.

    Raises:
        ConfigError: if the prompt has words, but none that the vocabulary knows.
    """
    settings = LoggingSettings.of(config)
    if not settings.tensorboard:
        return []
    every = config["trainer"]["log_every_n_steps"]
    found: list[Callback] = [RunTexts(config), ScalarLayout()]
    if every:
        found.append(StepScalars(clock, every))
    if isinstance(task, LanguageModel):
        tokenizer = tokenizer_from_dict(task.passport["tokenizer"])
        vocabulary = Vocabulary.from_dict(task.passport["vocabulary"])
        found.append(TextSamples(task, tokenizer, vocabulary, settings.prompt))
    return found
