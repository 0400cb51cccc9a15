"""Going on with a run: in its folder, with its configuration."""

from collections.abc import Iterable, Mapping
from typing import Any

from rnnlab.command_line import differences
from rnnlab.errors import ConfigError
from rnnlab.training.run_folder import RunFolder

# What may change without changing what the run computed so far.
HARMLESS = ("trainer.max_epochs", "callbacks", "resume", "hydra")


def resumed_config(
    composed: Mapping[str, Any], folder: RunFolder, overrides: Iterable[str]
) -> dict[str, Any]:
    """Return the configuration to go on with: the run's own, with the harmless changes asked for.

    Args:
        composed: what the command line composed to.
        folder: the run to go on with.
        overrides: the words of the command line, such as ``trainer.max_epochs=20``.

    Raises:
        RunError: if the folder holds no run, or no checkpoint yet.
        ConfigError: if an override contradicts the run; all differing keys are listed.
    """
    stored = folder.config()
    if not folder.last.is_file():
        raise ConfigError(f"{folder.path} has no checkpoint yet: nothing to go on from. Start it anew.")
    wrong: list[str] = []
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~").split("@")[0]
        new, old = at(composed, key), at(stored, key)
        changed = [f"{key}.{name}".rstrip(".") for name in differences(new, old)]
        if any(key == name or key.startswith(f"{name}.") for name in HARMLESS):
            put(stored, key, new)
        else:
            wrong += [
                f"{name}: the run has {at(stored, name)}, asked for {at(composed, name)}" for name in changed
            ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ConfigError(f"The command contradicts the run in {folder.path}:\n  {listed}")
    stored["resume"] = str(folder.path)
    return stored


def at(config: Any, key: str) -> Any:
    """Return the value at a dotted key, ``None`` where there is none."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def put(config: dict[str, Any], key: str, value: Any) -> None:
    """Set the value at a dotted key."""
    *path, leaf = key.split(".")
    for part in path:
        config = config.setdefault(part, {})
    config[leaf] = value
