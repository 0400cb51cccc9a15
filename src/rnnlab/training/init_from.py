"""``init_from``: the run that a training starts from; what it takes of it is its task's business."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rnnlab.build import locate_class
from rnnlab.command_line import dotted_keys
from rnnlab.errors import ConfigError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.named_classes import check_classes
from rnnlab.tasks.starting import Source, Starting
from rnnlab.tasks.task import Task
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.checkpoints import Resumable
from rnnlab.training.run_folder import RunFolder


def completed(
    config: dict[str, Any], overrides: Iterable[str], choices: Mapping[str, str | None], conf: Path
) -> dict[str, Any]:
    """Return the configuration of a training with what its ``init_from`` brings; as it is without one.

    Args:
        config: as composed.
        overrides: the words of the command.
        choices: the file that each group is composed from.
        conf: the folder of configuration files.

    Raises:
        RunError: if the run to start from can't be used.
        ConfigError: if it does not fit.
    """
    if not config["init_from"]:
        return config
    starting = starting_of(config)
    return starting.adopted(
        config, read_source(config["init_from"], starting), said_keys(overrides, choices, conf)
    )


FOREIGN = (".keras", ".pt", ".pth", ".bin", ".safetensors")
"""Endings of files that hold a network trained elsewhere; a checkpoint of rnnlab's ends in ``.ckpt``."""


def starting_of(config: Mapping[str, Any]) -> Starting:
    """Return how the configured task starts from another run, or from a network trained elsewhere.

    Raises:
        ConfigError: if it can't.
    """
    task = config["task"]
    if Path(config["init_from"] or "").suffix.lower() in FOREIGN:
        from rnnlab.tasks.from_weights import FromWeights

        return FromWeights(config["init_from"])
    starting = locate_class(task["_target_"], Task, "task").starting()
    if starting is None:
        raise ConfigError(f"init_from: task={task['name']} can't start from another run.")
    return starting


def starting_point(config: Mapping[str, Any], start: Resumable | None) -> tuple[Starting, Source]:
    """Return how a training with ``init_from`` starts, and what from.

    A run that goes on from ``start`` is a source of its own: it holds the words, and the run that it began
    with may be gone.

    Raises:
        RunError: if the run to start from can't be used.
        ConfigError: if it does not fit the training.
    """
    starting = starting_of(config)
    if start is not None:
        return starting, source_in(start.file, start.content)
    source = read_source(config["init_from"], starting)
    starting.check_agreement(config, source)
    taken = {
        section: source.config[section] for section in ("model", "tokenizer") if section in source.config
    }
    check_classes(taken, source.checkpoint, chosen=config)
    return starting, source


def read_source(path: str | Path, starting: Starting) -> Source:
    """Read the best checkpoint of a run folder, or a checkpoint file, that a training can start from.

    Raises:
        RunError: if there is none, it is damaged, or it is of a task that can't be started from.
    """
    file = Path(path)
    if file.suffix.lower() in FOREIGN:
        return starting.read(file)
    if file.is_dir():
        folder = RunFolder(file)
        folder.config()
        if not folder.best.is_file():
            raise RunError(f"init_from={path}: the run has no best checkpoint yet. Let it finish an epoch.")
        file = folder.best
    source = source_in(file, read_checkpoint(file))
    starting.check_source(source)
    return source


def source_in(file: Path, checkpoint: Mapping[str, Any]) -> Source:
    """Return what a checkpoint's content holds, of whatever task.

    Raises:
        RunError: if it is damaged.
    """
    metadata = checkpoint["rnnlab"]
    try:
        if "vocabulary" in metadata:
            Vocabulary.from_dict(metadata["vocabulary"])
            dict(metadata["tokenizer"])
        return Source(file, metadata["config"], dict(metadata), checkpoint["state_dict"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RunError(
            f"{file} is damaged: its configuration or vocabulary is not as rnnlab writes it."
        ) from error


def said_keys(overrides: Iterable[str], choices: Mapping[str, str | None], conf: Path) -> set[str]:
    """Return the dotted keys that the command line or its recipe names.

    ``model=lstm`` says the encoder's class and cell, but no size; a word on the tokenizer says all of it.

    Args:
        overrides: the words of the command line.
        choices: the file that each group is composed from, such as ``{"model": "lstm"}``.
        conf: the folder of configuration files.
    """
    said = {word.partition("=")[0].lstrip("+~").partition("@")[0] for word in overrides}
    if choices.get("experiment"):
        said.update(recipe_keys(conf / "experiment" / f"{choices['experiment']}.yaml"))
    if "model" in said:
        said |= {"model._target_", "model.cell"}
    if any(key.startswith("tokenizer.") for key in said):
        said.add("tokenizer")
    return said


def recipe_keys(file: Path) -> Iterator[str]:
    """Yield the dotted keys, and the groups, that a recipe and those that it is built on set."""
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    for entry in content.pop("defaults", []):
        if isinstance(entry, str):
            if entry != "_self_":
                yield from recipe_keys(file.with_name(f"{entry}.yaml"))
        else:
            yield from (key.removeprefix("override ").lstrip("/").partition("@")[0] for key in entry)
    yield from dotted_keys(content)
