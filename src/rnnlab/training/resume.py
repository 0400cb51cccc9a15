"""Going on with a run: in its folder, with its configuration, on its corpus."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rnnlab.command_line import differences
from rnnlab.errors import ConfigError, RunError
from rnnlab.named_classes import check_classes
from rnnlab.training.origin import edited_code
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

# What may change without changing what the run computed so far.
HARMLESS = (
    *("trainer.max_epochs", "trainer.accelerator", "trainer.log_every_n_steps"),
    *("trainer.limit_test_batches", "callbacks", "logger", "baselines", "resume", "sweep", "trust", "hydra"),
)

# Choices that set keys outside of the section that they are called by.
FAR_REACHING = {"task": ("task", "batches")}


def resumed_config(
    composed: Mapping[str, Any], folder: RunFolder, overrides: Iterable[str]
) -> dict[str, Any]:
    """Return the configuration to go on with: the run's own, with the harmless changes asked for.

    Where the corpus's files lie may change, too: whether they are the same is told by the fingerprint, see
    :func:`check_same_corpus`.

    Args:
        composed: what the command line composed to.
        folder: the run to go on with.
        overrides: the words of the command line, such as ``trainer.max_epochs=20``.

    Raises:
        RunError: if the folder holds no run, or one of classes that neither rnnlab nor the command knows.
        ConfigError: if an override contradicts the run; all differing keys are listed.
    """
    trust = composed.get("trust")
    stored = folder.config()
    check_classes(stored, folder.config_file, trust, chosen=composed)
    new = {**composed, "resume": None}
    wrong: list[str] = []
    for key in asked_for(overrides, {*stored, *composed}):
        for name in changed_keys(new, stored, key):
            if is_harmless(name) or is_place(name, at(stored, name), at(new, name)):
                take(stored, new, name)
            else:
                wrong.append(f"{name}: the run has {at(stored, name)}, asked for {at(new, name)}")
    if wrong:
        listed = "\n  ".join(dict.fromkeys(wrong))
        raise ConfigError(f"The command contradicts the run in {folder.path}:\n  {listed}")
    stored["resume"] = str(folder.path)
    return stored


def asked_for(overrides: Iterable[str], sections: Iterable[str]) -> Iterator[str]:
    """Yield the keys and sections that the words of a command line speak of; ``""`` for all of them.

    >>> list(asked_for(["model.layers=2", "experiment=zaremba_small"], ["model", "trainer"]))
    ['model.layers', '']
    """
    known = set(sections)
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~").split("@")[0]
        if key in FAR_REACHING:
            yield from FAR_REACHING[key]
        elif key.split(".")[0] in known or is_harmless(key):
            yield key
        else:  # an experiment or the like, which is a whole configuration
            yield ""


def changed_keys(new: Mapping[str, Any], old: Mapping[str, Any], key: str = "") -> Iterator[str]:
    """Yield the dotted keys at and below ``key`` whose values differ."""
    for name in differences(at(new, key), at(old, key)):
        yield ".".join(part for part in (key, name) if part)


def is_harmless(key: str) -> bool:
    """Return whether a run may go on with another value at ``key``.

    >>> is_harmless("callbacks.checkpoint.every_minutes"), is_harmless("trainer.precision")
    (True, False)
    """
    return any(key == name or key.startswith(f"{name}.") for name in HARMLESS)


def is_place(key: str, old: Any, new: Any) -> bool:
    """Return whether a key says where files of the corpus lie, and not what is made of them.

    >>> is_place("data.corpus.train", "old/a.csv", "a.csv")
    True
    >>> is_place("data.corpus.text_column", "text", "review")
    False
    """
    if not key.startswith("data.corpus.") or key.endswith("._target_"):
        return False
    names = [name for value in (old, new) for name in (value if isinstance(value, list) else [value])]
    texts = [name for name in names if isinstance(name, str)]
    return len(texts) == len(names) and any(
        set(text) & set("/\\*.~") or Path(text).exists() for text in texts
    )


def at(config: Any, key: str) -> Any:
    """Return the value at a dotted key, ``None`` where there is none; all of it at ``""``."""
    for part in key.split(".") if key else ():
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def put(config: dict[str, Any], key: str, value: Any) -> None:
    """Set the value at a dotted key."""
    *path, leaf = key.split(".")
    for part in path:
        config = config.setdefault(part, {})
    config[leaf] = value


def take(config: dict[str, Any], new: Mapping[str, Any], key: str) -> None:
    """Set a dotted key as it is in ``new``; where that has none, remove it."""
    *path, leaf = key.split(".")
    for part in path:
        config, new = config.setdefault(part, {}), new.get(part) or {}
    if leaf in new:
        config[leaf] = new[leaf]
    else:
        config.pop(leaf, None)


def check_epochs(done: int, asked: int | None) -> None:
    """Check that no fewer epochs are asked for than are done.

    Raises:
        ConfigError: if they are.
    """
    if asked is not None and 0 <= asked < done:
        raise ConfigError(f"trainer.max_epochs={asked}: the run has done {done} epochs already.")


def check_same_corpus(metadata: Mapping[str, Any], corpus: Mapping[str, str]) -> None:
    """Check that the corpus is the one that the run was begun with, before anything is encoded.

    Args:
        metadata: what the checkpoint says of its data.
        corpus: ``name`` and ``fingerprint`` of what is there now.

    Raises:
        RunError: if its content or settings changed, naming both fingerprints.
    """
    before = metadata.get("corpus", corpus)
    if before["fingerprint"] not in ("", corpus["fingerprint"]):  # earlier versions knew none of made-up data
        raise RunError(
            f"The corpus has changed since this run: {before['name']} had the fingerprint "
            f"{before['fingerprint'][:16]}, {corpus['name']} now has {corpus['fingerprint'][:16]}. "
            "Put files and settings of the corpus back as they were, or start a new run (in a sweep: "
            "sweep.restart=true)."
        )


def check_same_vocabulary(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that ids mean the same tokens, and classes, as in the run that goes on.

    Args:
        before: what the checkpoint says of its data.
        now: the same of this process.

    Raises:
        RunError: if they don't.
    """
    for part in ("tokenizer", "vocabulary", "labels"):
        if before.get(part) != now.get(part):
            raise RunError(
                f"The {part} made of the corpus now is not that of the run: another version of rnnlab, of a "
                "library or of your own code has made it. Go on with that version, or start a new run."
            )
    if "probe" in before and before["probe"] != now.get("probe"):
        raise RunError(
            "The tokenizer makes other tokens of a text now than when the run began. Put its code back as it "
            "was, or start a new run."
        )


def tell_edited(metadata: Mapping[str, Any], config: Any) -> None:
    """Warn of classes of the user's own, among those that a configuration names, that were edited since.

    Args:
        metadata: what the checkpoint says of itself.
        config: the configuration, or the part of it that is used; its classes may be imported.
    """
    names = edited_code(metadata.get("origin"), config)
    if names:
        log.warning(
            "Edited since this run was made, or what they import: %s. Its figures are of the old code.", names
        )


def tell_other_corpus(metadata: Mapping[str, Any], corpus: Mapping[str, str]) -> None:
    """Warn if a run's own corpus is no longer what it was trained on.

    Args:
        metadata: what the checkpoint says of its data.
        corpus: ``name`` and ``fingerprint`` of what is there now.
    """
    trained_on = metadata.get("corpus", {}).get("fingerprint")
    if trained_on and trained_on != corpus["fingerprint"]:
        log.warning(
            "The corpus has changed since the run was trained on it: these are other figures than training's."
        )
