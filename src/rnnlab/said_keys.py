"""Which keys of a composed configuration somebody set, and which are only what they are by default.

Light on purpose, as all that is read before torch is needed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rnnlab.command_line import differences

SECTIONS = ("model", "task", "tokenizer")


def said_keys(
    config: Mapping[str, Any], overrides: Iterable[str], choices: Mapping[str, str], conf: Path
) -> set[str]:
    """Return the dotted keys that the command line names, or that a recipe gives another value.

    ``model=lstm`` says the encoder's class and cell, but no size; a word on the tokenizer says all of it.

    Args:
        config: the resolved configuration.
        overrides: the words of the command line.
        choices: the file that each group is composed from, such as ``{"model": "lstm"}``.
        conf: the folder of configuration files.
    """
    said = {word.partition("=")[0].lstrip("+~").partition("@")[0] for word in overrides}
    if "model" in said:
        said |= {"model._target_", "model.cell"}
    for section in SECTIONS:
        usual = defaults(conf / section / f"{choices[section]}.yaml", section)
        changed = differences(config[section], {**config[section], **usual})
        said |= {f"{section}.{key}" for key in changed}
    if any(key.startswith("tokenizer.") for key in said):
        said.add("tokenizer")
    return said


def defaults(file: Path, section: str) -> dict[str, Any]:
    """Return the plain values of a group's file: what hangs on other keys, or must be given, is left out."""
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    values: Mapping[str, Any] = content.get(section, content)
    return {
        str(key): value
        for key, value in values.items()
        if key != "defaults" and not (isinstance(value, str) and ("${" in value or value == "???"))
    }
