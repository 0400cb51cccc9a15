"""``init_from``: the language model that a training starts from, and what follows for its configuration."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnlab.data.sentiment_data import SentimentData
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.models.task import Task
from rnnlab.models.transfer import take_language_model
from rnnlab.said_keys import said_keys
from rnnlab.terminal import shown
from rnnlab.text.tokenizers import Tokenizer, tokenizer_from_dict
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.checkpoints import Resumable, read_checkpoint
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

# What of the model section makes its weights what they are. The rest (dropout, backend, how weights start)
# may be other than it was.
ARCHITECTURE = ("_target_", "cell", "hidden_size", "layers", "output_size", "bidirectional", "nonlinearity")
HEAD = ("head", "cutoffs", "tie_weights")
VOCABULARIES = ("run", "own")


@dataclass(frozen=True)
class InitialRun:
    """What a training takes from a checkpoint of a language model; the checkpoint is only read."""

    checkpoint: Path
    config: dict[str, Any]
    """The run's resolved configuration."""
    tokenizing: dict[str, Any]
    """The tokenizer as plain data."""
    vocabulary: Vocabulary
    weights: dict[str, Tensor]

    @property
    def tokenizer(self) -> Tokenizer:
        """What cut its text into tokens, as it learnt; one of the user's own must be imported by now."""
        return tokenizer_from_dict(self.tokenizing)


def read_initial_run(path: str | Path) -> InitialRun:
    """Read the best checkpoint of a run folder, or a checkpoint file, of ``task=language_model``.

    Raises:
        RunError: if there is none, it is damaged, or it is a model of another task.
    """
    file = Path(path)
    if file.is_dir():
        folder = RunFolder(file)
        folder.config()
        if not folder.best.is_file():
            raise RunError(f"init_from={path}: the run has no best checkpoint yet. Let it finish an epoch.")
        file = folder.best
    run = initial_run(file, read_checkpoint(file))
    task = run.config["task"]["name"]
    if task != "language_model":
        raise RunError(f"init_from={path} is a run of task={task}; take one of task=language_model.")
    return run


def starting_point(config: Mapping[str, Any], start: Resumable | None) -> InitialRun | None:
    """Return what the training starts from; None without ``init_from``.

    A run that goes on is a starting point of its own: it holds the words, and the language model's run may
    be gone.

    Args:
        config: of the training.
        start: the checkpoint that it goes on from.

    Raises:
        RunError: if the language model's run can't be used.
        ConfigError: if it does not fit the training.
    """
    if not config.get("init_from"):
        return None
    if start is not None:
        return initial_run(start.file, start.content)
    run = read_initial_run(config["init_from"])
    check_agreement(config, run)
    return run


def initial_run(file: Path, checkpoint: Mapping[str, Any]) -> InitialRun:
    """Return what a checkpoint's content holds, of whatever task.

    Raises:
        RunError: if it is damaged.
    """
    passport = checkpoint["rnnlab"]
    try:
        return InitialRun(
            checkpoint=file,
            config=passport["config"],
            tokenizing=dict(passport["tokenizer"]),
            vocabulary=Vocabulary.from_dict(passport["vocabulary"]),
            weights=checkpoint["state_dict"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RunError(
            f"{file} is damaged: its configuration or vocabulary is not as rnnlab writes it."
        ) from error


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
        RunError: if the language model's run can't be used.
        ConfigError: if it does not fit.
    """
    if not config["init_from"]:
        return config
    return adopted(config, read_initial_run(config["init_from"]), said_keys(overrides, choices, conf))


def adopted(config: Mapping[str, Any], run: InitialRun, said: Collection[str]) -> dict[str, Any]:
    """Return the configuration of a training that starts from ``run``: the run's wherever none is said.

    The encoder, the embedding's size, the tokenizer, the direction of reading and the head of the language
    model's loss are the run's. What was said stays, for :func:`check_agreement` to judge.

    Args:
        config: as composed.
        run: what training starts from.
        said: dotted keys such as ``model.hidden_size`` that the command line or a recipe sets.

    Raises:
        ConfigError: if the run's encoder or tokenizer is a class outside rnnlab that was not named.
    """
    for section in ("model", "tokenizer"):
        check_own(section, run.config[section]["_target_"], config[section].get("_target_"))
    cell = str(run.config["model"].get("cell", ""))
    if "." in cell and not cell.startswith("rnnlab.") and cell != config["model"].get("cell"):
        raise ConfigError(
            f"init_from: the run's cell is {cell}, which is not rnnlab's and would be imported. If you know "
            f"the code, name it: model.cell={cell}"
        )
    own = {key: value for key, value in config["model"].items() if f"model.{key}" in said}
    model = {**run.config["model"], **own}
    task = dict(config["task"])
    if "task.embedding_size" not in said:
        task["embedding_size"] = run.config["task"]["embedding_size"]
    if "task.backward" not in said:
        task["backward"] = bool(run.config["batches"].get("backward", False))
    loss = dict(task.get("language_loss") or {})
    loss |= {key: run.config["task"][key] for key in HEAD if f"task.language_loss.{key}" not in said}
    tokenizer = config["tokenizer"] if "tokenizer" in said else run.config["tokenizer"]
    return {**config, "model": model, "task": {**task, "language_loss": loss}, "tokenizer": tokenizer}


def check_own(section: str, theirs: str, named: str | None) -> None:
    """Check that a class of the run's is rnnlab's, or one that the command names.

    Raises:
        ConfigError: if it is neither.
    """
    if not theirs.startswith("rnnlab.") and theirs != named:
        raise ConfigError(
            f"init_from: the run's {section} is {theirs}, which is not rnnlab's and would be imported. If "
            f"you know the code, name it: {section}=custom {section}._target_={theirs}"
        )


def check_agreement(config: Mapping[str, Any], run: InitialRun) -> None:
    """Check that a training as configured can start from ``run``.

    Raises:
        ConfigError: if it can't; each key is shown with both values.
    """
    task = config["task"]
    if task["name"] != "sentiment":
        raise ConfigError(f"init_from is for task=sentiment; this is task={task['name']}.")
    if task.get("vectors"):
        raise ConfigError("init_from and task.vectors both fill the embedding: choose one.")
    if task["vocabulary"] not in VOCABULARIES:
        hint = nearest(str(task["vocabulary"]), VOCABULARIES)
        raise ConfigError(f"task.vocabulary={task['vocabulary']}: unknown. {hint}")
    pairs = {f"model.{key}": (run.config["model"].get(key), config["model"].get(key)) for key in ARCHITECTURE}
    pairs["task.embedding_size"] = (run.config["task"]["embedding_size"], task["embedding_size"])
    pairs["task.backward"] = (bool(run.config["batches"].get("backward", False)), bool(task["backward"]))
    for key in sorted({*run.config["tokenizer"], *config["tokenizer"]}):
        pairs[f"tokenizer.{key}"] = (run.config["tokenizer"].get(key), config["tokenizer"].get(key))
    wrong = [
        f"{key}: the run has {had}, asked for {asked}" for key, (had, asked) in pairs.items() if had != asked
    ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ConfigError(
            f"init_from: this training does not fit the language model in {run.checkpoint}:\n  {listed}\n"
            "What is not said comes from the run."
        )


def read_as(data: TaskData, run: InitialRun, words: str) -> None:
    """Let data that are not encoded yet become tokens, and perhaps ids, as the run's text did.

    Args:
        data: of a task on text.
        run: what training starts from.
        words: ``run`` for the run's vocabulary, ``own`` for the data's.
    """
    assert isinstance(data, SentimentData)
    data.tokenizer = run.tokenizer
    if words == "run":
        data.vocabulary_settings["vocabulary"] = run.vocabulary


def start_from(task: Task, run: InitialRun, data: TaskData) -> None:
    """Take the run's weights into the task, and report how many words had a vector.

    Raises:
        ConfigError: if sizes differ.
    """
    assert isinstance(data, SentimentData)
    taken = take_language_model(task, run.weights, run.vocabulary, data.encoded.vocabulary)
    others = taken.total - taken.matched
    log.info(
        "Embedding and encoder from %s: it knows %s of %s words (%.1f %%)%s.",
        shown(run.checkpoint),
        f"{taken.matched:,}",
        f"{taken.total:,}",
        100 * taken.matched / taken.total,
        f"; the other {others:,} start at the mean of its vectors" if others else "",
    )
