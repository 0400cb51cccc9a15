"""Going on with a run: which one, in its folder, with its configuration, on its corpus.

``resume=auto`` is the newest unfinished run of the very same configuration, or a new one.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnlab.command_line import differences
from rnnlab.corpora.corpus import goes_by
from rnnlab.errors import ConfigError, RunError
from rnnlab.named_classes import check_classes
from rnnlab.terminal import shown
from rnnlab.training.origin import edited_code
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

AUTO = "auto"

# What may change without changing what the run computed so far.
HARMLESS = (
    *("trainer.max_epochs", "trainer.max_steps", "trainer.max_time", "trainer.accelerator"),
    *("trainer.log_every_n_steps", "trainer.limit_test_batches"),
    *("callbacks", "logger", "baselines", "resume", "sweep", "trust", "hydra"),
)

# Choices that set keys outside of the section that they are called by.
FAR_REACHING = {"task": ("task", "batches")}


def resumed_config(
    composed: Mapping[str, Any], folder: RunFolder, overrides: Iterable[str]
) -> dict[str, Any]:
    """Return the configuration to go on with: the run's own, with the harmless changes asked for.

    Where the corpus's files lie may change, too: whether they are the same is told by the fingerprint, see
    :func:`check_same_corpus`.

    Raises:
        RunError: if the folder holds no run, or one of classes that neither rnnlab nor the command knows.
        ConfigError: if an override contradicts the run; all differing keys are listed.
    """
    trust = composed.get("trust")
    stored = folder.config()
    check_classes(stored, folder.config_file, trust, chosen=composed)
    new = {**composed, "resume": None}
    wrong: list[str] = []
    # The run's own choice of data gives its keys their names, and asks for none of their defaults.
    named = f"data={at(stored, 'data.name')}"
    for key in asked_for([word for word in overrides if word != named], {*stored, *composed}):
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


def check_done(epochs: int, steps: int, trainer: Mapping[str, Any]) -> None:
    """Check that the configuration's trainer asks for no fewer epochs or optimizer steps than are done.

    Raises:
        ConfigError: if it does.
    """
    asked = {"epochs": (trainer["max_epochs"], epochs), "steps": (trainer.get("max_steps"), steps)}
    for unit, (most, done) in asked.items():
        if most is not None and 0 <= most < done:
            raise ConfigError(f"trainer.max_{unit}={most}: the run has done {done} {unit} already.")


def check_same_corpus(metadata: Mapping[str, Any], corpus: Any) -> None:
    """Check that the corpus is the one that a checkpoint says it was begun with, before anything is encoded.

    Raises:
        RunError: if its content or settings changed, naming both fingerprints.
    """
    before = metadata.get("corpus")
    if before is not None and not goes_by(corpus, before["fingerprint"]):
        raise RunError(
            f"The corpus has changed since this run: {before['name']} had the fingerprint "
            f"{before['fingerprint'][:16]}, {corpus.name} now has {corpus.fingerprint[:16]}. "
            "Put files and settings of the corpus back as they were, or start a new run (in a sweep: "
            "sweep.restart=true)."
        )


def check_same_vocabulary(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that ids mean the same tokens, and classes, as the checkpoint of the run that goes on says.

    Raises:
        RunError: if they don't.
    """
    for part in ("tokenizer", "vocabulary", "labels"):
        if (before.get(part) or None) != (now.get(part) or None):  # none of a kind, or an empty one
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
    """Warn of classes of the user's own, among those that a configuration names, that were edited since."""
    names = edited_code(metadata.get("origin"), config)
    if names:
        log.warning(
            "Edited since this run was made, or what they import: %s. Its figures are of the old code.", names
        )


def tell_other_corpus(metadata: Mapping[str, Any], corpus: Any) -> None:
    """Warn if a run's own corpus is no longer what its checkpoint says it was trained on."""
    if not goes_by(corpus, metadata.get("corpus", {}).get("fingerprint", "")):
        log.warning(
            "The corpus has changed since the run was trained on it: these are other figures than training's."
        )


def run_folder(resume: str | None, fresh: str, *, _root_: DictConfig) -> str:
    """Return the folder of the run to go on with, else ``fresh``: a resolver of configuration files.

    Args:
        resume: a run folder, ``auto``, or nothing.
        fresh: where a new run would go; its neighbours are the runs that ``auto`` looks at.
        _root_: the whole configuration, given by OmegaConf.

    Raises:
        RunError: if there is no run to go on with, or it is going on already. Known here already, so that
            Hydra makes no folder for it.
        ConfigError: if the language model to start from does not fit, or several processes that know nothing
            of one another would each take a folder of its own.
    """
    if not resume:
        return claimed(fresh, _root_)
    if resume == AUTO:
        found = newest_unfinished(Path(fresh).parent, config_asked_for(_root_))
        return claimed(fresh, _root_) if found is None else str(found)
    if not RunFolder(Path(resume)).config_file.is_file():
        raise RunError(f"resume={resume}: that is no run folder, it has no config.yaml.")
    return str(resume)


def check_one_folder(root: DictConfig) -> None:
    """Check that this process alone begins the run, or begins it for others that it starts itself.

    Raises:
        ConfigError: if srun, torchrun or a person on each machine starts its processes.
    """
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if "TORCHELASTIC_RUN_ID" in os.environ:
        tasks = os.environ.get("WORLD_SIZE", "1")
    nodes = OmegaConf.select(root, "trainer.num_nodes", default=1)
    if tasks != "1" or nodes != 1:
        raise ConfigError(
            "Several processes are one run here, and each would make a folder of its own. Name the run's: "
            "hydra.run.dir=logs/<name>."
        )


def claimed(fresh: str, root: DictConfig) -> str:
    """Make the folder of a new run and return its name; a run begun in the same second has one of its own."""
    check_one_folder(root)
    for name in chain([fresh], (f"{fresh}_{number}" for number in count(2))):
        try:
            Path(name).mkdir(parents=True)
        except FileExistsError:
            continue
        return name
    raise AssertionError("there are endless names")


def config_asked_for(root: DictConfig) -> dict[str, Any]:
    """Return the configuration of the run that a command asks for, as a new run would keep it.

    Raises:
        RunError: if the language model that it starts from can't be used.
        ConfigError: if it does not fit.
    """
    own = OmegaConf.masked_copy(root, [str(key) for key in root if key != "hydra"])
    content: Any = OmegaConf.to_container(own, resolve=True)
    config: dict[str, Any] = dict(content)
    if not config.get("init_from"):
        return config
    from rnnlab.training.init_from import completed  # it needs torch; --help does not

    runtime = root.hydra.runtime
    conf = next(source.path for source in runtime.config_sources if source.provider == "main")
    return completed(config, root.hydra.overrides.task, runtime.choices, Path(conf))


def newest_unfinished(place: Path, config: Mapping[str, Any]) -> Path | None:
    """Return the newest run under ``place`` that is of ``config`` and not finished; ``None`` without one.

    Raises:
        RunError: if a process is working on it.
    """
    files = sorted(place.glob("*/config.yaml"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        folder = RunFolder(file.parent)
        state = folder.state()
        if state.name == "finished" or not is_of(folder, config):
            continue
        if state.name == "running":
            raise RunError(
                f"resume=auto: this very run is going on in {folder.path} ({state.reason}). Stop that first, "
                "or leave out resume=auto for another run."
            )
        return folder.path
    return None


def is_of(folder: RunFolder, config: Mapping[str, Any]) -> bool:
    """Return whether a run's configuration is ``config``, but for keys that change no result."""
    try:
        stored = folder.config()
    except RunError as error:
        log.warning("%s resume=auto leaves it out.", error)
        return False
    return all(is_harmless(key) and key != "trainer.max_epochs" for key in changed_keys(dict(config), stored))


def settled_config(config: dict[str, Any], folder: RunFolder, overrides: list[str]) -> dict[str, Any]:
    """Return the configuration of the run in ``folder``, new or going on, and say which it is.

    Raises:
        RunError: if ``resume`` names a folder that holds no run, or another process is working on it.
        ConfigError: if an override contradicts the run; all differing keys are listed.
    """
    if not config["resume"]:
        return config
    if config["resume"] == AUTO and not folder.config_file.is_file():
        where = shown(folder.path.parent)
        log.info("resume=auto: no unfinished run of this configuration in %s; this is a new one.", where)
        return {**config, "resume": None}
    state = folder.state(owner=True)
    epochs = f"{state.epoch} epoch{'s' * (state.epoch != 1)}"
    reached = f"{epochs} and {state.step:,} steps done" if state.step else "nothing done yet"
    why = f": {state.reason}" if state.reason else ""
    log.info("Going on with %s (%s%s; %s).", shown(folder.path), state.name, why, reached)
    return resumed_config(config, folder, overrides)
