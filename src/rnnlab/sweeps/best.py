"""The best configuration of a search, as an experiment that a person can keep."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from rnnlab.atomic import write_text
from rnnlab.folders import command
from rnnlab.sweeps.naming import Setting
from rnnlab.sweeps.overrides import Overrides
from rnnlab.terminal import shown
from rnnlab.training.resume import put

HEADER = """\
# @package _global_
# {about}
#   {train} --config-dir {groups} experiment=best
# To keep it, copy this file into conf/experiment under a name of its own.
"""
LACKING = "# The search's command also had {words}, which a file can't say.\n"


def write_best(
    file: Path, about: str, overrides: Overrides, chosen: Sequence[Setting], is_group: Callable[[str], bool]
) -> None:
    """Write the best trial's configuration as ``experiment=best``.

    Args:
        file: where; its folder's folder is what ``--config-dir`` takes.
        about: the comment's first line.
        overrides: of the search's command.
        chosen: the best values of the swept keys.
        is_group: tells whether a key chooses among configuration files.
    """
    content = experiment([*overrides.fixed_settings(), *chosen], is_group)
    head = HEADER.format(about=about, train=command("train"), groups=shown(file.parents[1]))
    removed = [str(override.input_line) for override in overrides.fixed if override.is_delete()]
    if removed:
        head += LACKING.format(words=" ".join(removed))
    write_text(file, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def experiment(settings: Sequence[Setting], is_group: Callable[[str], Any]) -> dict[str, Any]:
    """Return overrides as the content of an experiment's file.

    >>> groups = ["experiment", "model"]
    >>> experiment([("experiment", "a"), ("model", "gru"), ("model.layers", 2)], groups.count)
    {'defaults': ['a', {'override /model': 'gru'}], 'model': {'layers': 2}}
    """
    defaults: list[Any] = []
    values: dict[str, Any] = {}
    for key, value in settings:
        if key.startswith("~"):
            continue
        name = key.lstrip("+")
        if name == "experiment":
            defaults.insert(0, value)
        elif is_group(name):
            defaults.append({f"override /{name}": value})
        else:
            put(values, name, value)
    return {"defaults": defaults, **values} if defaults else values
