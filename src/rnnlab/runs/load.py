"""``rnnlab.load``: a run folder or a checkpoint as a model that answers, from that file alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnlab.build import build, locate_class, taken_by
from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.files.bounded import damaged, glimpse, reason_of
from rnnlab.files.checkpoint_file import no_larger_than, read_checkpoint
from rnnlab.folders import command
from rnnlab.named_classes import check_classes
from rnnlab.ranges import check_ranges
from rnnlab.tasks.answers import OpenedRun, TrainedModel
from rnnlab.tasks.task import Task, task_arguments
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.tokenizers import Characters, Tokenizer
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.resume import tell_edited
from rnnlab.training.run_folder import RunFolder

HUB_WEIGHTS = "model.safetensors"
"""In a folder that :mod:`rnnlab.runs.exports.hub` wrote."""
UNUSED = ("callbacks", "logger")
"""Sections of which nothing is built where a run is only asked."""


def load(
    path: str | Path,
    *,
    device: str = "auto",
    trust: Sequence[str] = (),
    task: Mapping[str, Any] | None = None,
) -> TrainedModel:
    """Return the trained model of a run, from its checkpoint alone.

    Neither the training data nor the configuration files nor any flag is needed. A checkpoint is read as
    plain data: nothing in it is executed.

    Args:
        path: a run folder (its best checkpoint is taken), a checkpoint file, or what ``export.py format=hub``
            wrote.
        device: ``cpu``, ``cuda`` or ``auto``: a GPU where there is one.
        trust: packages besides rnnlab whose classes the checkpoint may name, such as that of an encoder of
            your own.
        task: keys of the task's section that are said anew, see :func:`open_run`.

    Returns:
        A model of the kind that its task names: with ``predict``, ``predict_proba`` and ``explain``
        (sentiment), or ``perplexity``, ``generate`` and ``explain`` (language model).

    Raises:
        RunError: if it can't be used; see :func:`open_run`.
        ConfigError: if there is no such device.
    """
    run = open_run(path, trust, task)
    try:
        return run.task.trained_model()(run, device)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise damaged(
            run.checkpoint, f"its configuration is not as rnnlab writes it: {reason_of(error)}"
        ) from error


def open_run(path: str | Path, trust: Sequence[str] = (), task: Mapping[str, Any] | None = None) -> OpenedRun:
    """Rebuild a run's best network.

    Args:
        path: a run folder or a checkpoint file.
        trust: packages besides rnnlab whose classes the checkpoint may name, such as that of an encoder of
            your own. Naming a class makes Python import its module, which runs code.
        task: keys of the task's section that are said anew, such as ``{"decoding.method": "beam"}``: those
            that the task lists as ``asked_keys``.

    Raises:
        RunError: if it is neither, has no checkpoint yet, is damaged, of a later format, holds anything but
            plain data, or names a class that is not listed for its place, nor in ``trust``.
        ConfigError: if this rnnlab can't build what the checkpoint describes.
    """
    if is_hub(Path(path)):
        from rnnlab.runs.exports.hub import read_hub  # most models are opened in their run folder

        file, content = Path(path) / HUB_WEIGHTS, read_hub(Path(path))
    else:
        file = checkpoint_file(Path(path))
        content = read_checkpoint(file)
    metadata = content["rnnlab"]
    try:
        check_ranges({name: part for name, part in metadata["config"].items() if name not in UNUSED})
    except ConfigError as error:
        raise RunError(f"{file} is damaged: {error}") from error
    try:
        config, labels = metadata["config"], tuple(metadata.get("labels", ()))
        check_classes({name: part for name, part in config.items() if name not in UNUSED}, file, trust)
        reading = reading_of(metadata, file)
        arguments = metadata.get("model_arguments")
        if arguments is None:
            arguments = arguments_of_earlier(metadata, reading)
        config = {**config, "task": said_anew(config["task"], task or {})}
        if "labels" in arguments and tuple(arguments["labels"]) != labels:
            raise ValueError("the network was made for other classes")
        with no_larger_than(content["state_dict"], file):
            network = build(task_arguments(config), Task, "task", model=config["model"], **arguments)
        tell_edited(metadata, [config["task"], config["model"], config["tokenizer"] if reading else {}])
    except (
        *(LookupError, TypeError, AttributeError, ValueError, ArithmeticError, AssertionError),
        *(RuntimeError, MemoryError),  # as torch says of sizes that no machine has room for
    ) as error:
        raise RunError(
            f"{file} is damaged: its configuration or vocabulary is not as rnnlab writes it."
        ) from error
    try:
        network.load_state_dict(content["state_dict"])
    except (RuntimeError, KeyError) as error:
        raise RunError(f"{file} is damaged: its weights don't fit its configuration. {error}") from error
    network.open_others(lambda other: open_run(other, trust))
    return OpenedRun(file, config, network.eval(), arguments, reading, labels, metadata)


def is_hub(path: Path) -> bool:
    """Return whether a path is a folder that ``export.py format=hub`` wrote, and not a run's."""
    return (path / HUB_WEIGHTS).is_file() and not RunFolder(path).config_file.exists()


def said_anew(section: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's task section in which some keys have other values.

    Raises:
        ConfigError: if the task lets none of them be said anew.
    """
    found = dict(section)
    asked = locate_class(section.get("_target_", ""), Task, "task").asked_keys if keys else ()
    for key, value in keys.items():
        name, _, inner = key.partition(".")
        if name not in asked:
            why = nearest(name, asked) if asked else "There is none that can."
            raise ConfigError(f"task.{key}: task={section.get('name')} can't be asked with another. {why}")
        found[name] = {**(found.get(name) or {}), inner: value} if inner else value
    return found


def arguments_of_earlier(
    metadata: Mapping[str, Any], reading: tuple[Tokenizer, Vocabulary] | None
) -> dict[str, Any]:
    """Return what a network was made with of its data, of a checkpoint of a version that did not keep it."""
    if reading is None:
        return dict(metadata["facts"])
    tokenizer, vocabulary = reading
    config = metadata["config"]
    known = {
        "labels": metadata["labels"],
        "vocabulary_size": len(vocabulary),
        "characters": isinstance(tokenizer, Characters),
        "reads_backward": bool(config["batches"].get("backward", False)),
    }
    wanted, _ = taken_by(locate_class(config["task"]["_target_"], Task, "task"))
    return {name: value for name, value in known.items() if name in wanted}


def reading_of(metadata: Mapping[str, Any], file: Path) -> tuple[Tokenizer, Vocabulary] | None:
    """Return the tokenizer and vocabulary in a checkpoint, None where the model reads no text.

    Raises:
        RunError: if the tokenizer makes other tokens by now.
        ConfigError: if there is no such tokenizer.
    """
    if "tokenizer" not in metadata["config"] or "facts" in metadata:  # facts: of an earlier version
        return None
    return tokenizer_of(metadata, file), Vocabulary.from_dict(metadata["vocabulary"])


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
            f"({command('train', f'resume={path}')}), or name its last state, {folder.last}."
        )
    raise RunError(
        f"{path} has no checkpoint yet: the run was stopped in its first epoch, or is in it now."
        f"{last_line(path / 'train.log')}"
    )


def last_line(log: Path) -> str:
    """Return a sentence with the last line of a log, empty where there is none."""
    written = [line for line in glimpse(log).split("\n") if line.strip()]
    return f" The last it wrote: {written[-1]}" if written else ""
