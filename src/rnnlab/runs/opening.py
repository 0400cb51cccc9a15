"""A trained task out of a run folder or a checkpoint, from that file alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.build import build, locate_class, taken_by
from rnnlab.errors import RunError
from rnnlab.files.bounded import glimpse
from rnnlab.files.checkpoint_file import no_larger_than, read_checkpoint
from rnnlab.models.task import Task
from rnnlab.named_classes import foreign_classes, trust_needed
from rnnlab.text.tokenizers import Characters, Tokenizer, tokenizer_from_dict
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.assembly import task_arguments
from rnnlab.training.run_folder import RunFolder


@dataclass(frozen=True)
class OpenedRun:
    """What a checkpoint holds, the network rebuilt."""

    checkpoint: Path
    config: dict[str, Any]
    """The run's resolved configuration."""
    task: Task
    """The trained network, in evaluation mode, on the CPU."""
    reading: tuple[Tokenizer, Vocabulary] | None
    """How text becomes ids; None for a model that reads no text."""
    labels: tuple[str, ...]
    """Class names in the order of their ids; empty for a language model."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts text into tokens.

        Raises:
            RunError: if the model reads no text.
        """
        return self.read_by()[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens' ids.

        Raises:
            RunError: if the model reads no text.
        """
        return self.read_by()[1]

    def read_by(self) -> tuple[Tokenizer, Vocabulary]:
        """Return tokenizer and vocabulary.

        Raises:
            RunError: if the model reads no text.
        """
        if self.reading is None:
            raise RunError(f"{self.checkpoint} is a model of task={self.task_name}, which reads no text.")
        return self.reading

    @property
    def task_name(self) -> str:
        """What the model is for: ``sentiment``, ``language_model``..."""
        return str(self.config["task"]["name"])


def open_run(path: str | Path, trust: Sequence[str] = ()) -> OpenedRun:
    """Rebuild a run's best network.

    Args:
        path: a run folder or a checkpoint file.
        trust: packages besides rnnlab whose classes the checkpoint may name, such as that of an encoder of
            your own. Naming a class makes Python import its module, which runs code.

    Raises:
        RunError: if it is neither, has no checkpoint yet, is damaged, of a later format, holds anything but
            plain data, or names a class outside rnnlab and ``trust``.
        ConfigError: if this rnnlab can't build what the checkpoint describes.
    """
    file = checkpoint_file(Path(path))
    content = read_checkpoint(file)
    passport = content["rnnlab"]
    try:
        config, labels = passport["config"], tuple(passport["labels"])
        check_targets(config, file, trust)
        reading = reading_of(passport)
        facts = {**passport.get("facts", {}), "labels": labels}
        if reading is not None:
            tokenizer, vocabulary = reading
            facts["vocabulary_size"] = len(vocabulary)
            facts["characters"] = isinstance(tokenizer, Characters)
            facts["reads_backward"] = bool(config["batches"].get("backward", False))
        arguments = task_arguments(config)
        wanted, _ = taken_by(locate_class(arguments["_target_"], Task, "task"))
        known = {name: value for name, value in facts.items() if name in wanted}
        with no_larger_than(content["state_dict"], file):
            task = build(arguments, Task, "task", model=config["model"], **known)
    except (
        *(LookupError, TypeError, AttributeError, ValueError, ArithmeticError, AssertionError),
        *(RuntimeError, MemoryError),  # as torch says of sizes that no machine has room for
    ) as error:
        raise RunError(
            f"{file} is damaged: its configuration or vocabulary is not as rnnlab writes it."
        ) from error
    try:
        task.load_state_dict(content["state_dict"])
    except (RuntimeError, KeyError) as error:
        raise RunError(f"{file} is damaged: its weights don't fit its configuration. {error}") from error
    return OpenedRun(file, config, task.eval(), reading, labels)


def reading_of(passport: Mapping[str, Any]) -> tuple[Tokenizer, Vocabulary] | None:
    """Return the tokenizer and vocabulary in a checkpoint, None where the model reads no text.

    Raises:
        ConfigError: if there is no such tokenizer.
    """
    if "facts" in passport:
        return None
    # Importing its module makes a tokenizer of the user's own known by its name.
    locate_class(passport["config"]["tokenizer"]["_target_"], object, "tokenizer")
    return tokenizer_from_dict(passport["tokenizer"]), Vocabulary.from_dict(passport["vocabulary"])


def checkpoint_file(path: Path) -> Path:
    """Return the checkpoint that ``path`` means: itself, or a run folder's best.

    Raises:
        RunError: if there is none; says how far the run got.
    """
    if not path.exists():
        raise RunError(f"There is no run folder and no checkpoint {path}.")
    if path.is_file():
        return path
    folder = RunFolder(path)
    folder.config()
    if folder.best.is_file():
        return folder.best
    if folder.last.is_file():
        last = read_checkpoint(folder.last)
        raise RunError(
            f"{path} has no best checkpoint yet: it was stopped in epoch {last['epoch'] + 1} after "
            f"{last['global_step']} steps, before its first validation. Go on with it "
            f"(python scripts/train.py resume={path}), or name its last state, {folder.last}."
        )
    raise RunError(
        f"{path} has no checkpoint yet: the run was stopped in its first epoch, or is in it now."
        f"{last_line(path / 'train.log')}"
    )


def last_line(log: Path) -> str:
    """Return a sentence with the last line of a log, empty where there is none."""
    written = [line for line in glimpse(log).split("\n") if line.strip()]
    return f" The last it wrote: {written[-1]}" if written else ""


def check_targets(config: dict[str, Any], file: Path, trust: Sequence[str]) -> None:
    """Check that a checkpoint's configuration names classes of rnnlab only, before one is imported.

    Raises:
        RunError: naming the first other one.
    """
    for section, target in foreign_classes(config):
        if not any(target.startswith(f"{package}.") for package in trust):
            raise RunError(
                f"{file} is refused: its configuration names {target} ({section}), which is not a class of "
                "rnnlab's and would be imported. If you know the code and trust it, pass "
                f"{trust_needed(config)}."
            )
