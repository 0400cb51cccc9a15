"""Which keys of a composed configuration somebody set, and which are only what they are by default.

Light on purpose, as all that is read before torch is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rnnlab.command_line import dotted_keys


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
