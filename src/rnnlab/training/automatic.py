"""``resume=auto``: the newest unfinished run of the very same configuration, or a new one."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnlab.errors import RunError
from rnnlab.terminal import shown
from rnnlab.training.resume import changed_keys, is_harmless, resumed_config
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

AUTO = "auto"

# A process decides once: Hydra asks again, and by then the run may be under way.
_decided: dict[str, str] = {}


def run_folder(resume: str | None, fresh: str, *, _root_: DictConfig) -> str:
    """Return the folder of the run to go on with, else ``fresh``: a resolver of configuration files.

    Args:
        resume: a run folder, ``auto``, or nothing.
        fresh: where a new run would go; its neighbours are the runs that ``auto`` looks at.
        _root_: the whole configuration, given by OmegaConf.

    Raises:
        RunError: if there is no run to go on with, or it is going on already. Known here already, so that
            Hydra makes no folder for it.
        ConfigError: if the language model to start from does not fit.
    """
    if not resume:
        return fresh
    if resume == AUTO:
        if fresh not in _decided:
            found = newest_unfinished(Path(fresh).parent, asked_for(_root_))
            _decided[fresh] = fresh if found is None else str(found)
        return _decided[fresh]
    if not RunFolder(Path(resume)).config_file.is_file():
        raise RunError(f"resume={resume}: that is no run folder, it has no config.yaml.")
    return str(resume)


def asked_for(root: DictConfig) -> dict[str, Any]:
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

    Args:
        config: what the command line composed to.
        folder: where the run goes, or lies.
        overrides: the words of the command line.

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
    reached = f"{state.epoch} epochs and {state.step} steps done" if state.step else "nothing done yet"
    why = f": {state.reason}" if state.reason else ""
    log.info("Going on with %s (%s%s; %s).", shown(folder.path), state.name, why, reached)
    return resumed_config(config, folder, overrides)
