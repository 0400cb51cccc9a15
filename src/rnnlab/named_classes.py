"""The classes that a configuration names, and which of them one that came from a file may name.

What is composed from the command line and ``conf/`` is the user's own word, and may name any class of the
right kind. A configuration that lies in a run folder or a checkpoint may be anybody's: importing a module
runs code, and so does making an object. Its classes are therefore looked at by name alone, before one is
imported, and each must be on the list of its place, be named by the command at the same place, or belong to
a package that ``trust=`` names.
"""

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rnnlab.errors import ConfigError, RunError
from rnnlab.visible import visible


def of(package: str, names: str) -> tuple[str, ...]:
    """Return the full names of a package's classes.

    >>> of("torch.optim", "Adam SGD")
    ('torch.optim.Adam', 'torch.optim.SGD')
    """
    return tuple(f"{package}.{name}" for name in names.split())


OURS: Mapping[str, str] = {
    "task": "rnnlab.tasks",
    "batches": "rnnlab.tasks",
    "data.corpus": "rnnlab.corpora",
    "tokenizer": "rnnlab.text",
    "model": "rnnlab.encoder",
    "optimizer": "rnnlab.optimization",
    "scheduler": "rnnlab.optimization",
    "callbacks.extra": "rnnlab.training.lr_find",
    "logger.extra": "rnnlab.training.loggers",
}
"""For each place of a configuration where an object is built, the package of rnnlab's whose classes one from
a file may name. Only those that a module's own text defines: a module also holds what it imports."""

LISTED: Mapping[str, tuple[str, ...]] = {
    "optimizer": of(
        "torch.optim",
        "SGD ASGD Adam AdamW Adamax NAdam RAdam SparseAdam Adafactor Adadelta Adagrad RMSprop Rprop LBFGS "
        "Muon",
    ),
    "scheduler": of(
        "torch.optim.lr_scheduler",
        "OneCycleLR CyclicLR ReduceLROnPlateau CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR "
        "PolynomialLR LinearLR ConstantLR StepLR MultiStepLR",
    ),
    "callbacks.extra": of(
        "lightning.pytorch.callbacks",
        "LearningRateMonitor DeviceStatsMonitor Timer ModelSummary StochasticWeightAveraging",
    ),
}
"""Likewise the classes of other packages; at ``callbacks.extra`` and ``logger.extra`` those of their entries,
of which none speaks with a service. What a schedule or an optimizer needs besides plain data, such as a
function, no file can say: those that do are not here. Nothing is built elsewhere."""

PLACES = tuple(dict.fromkeys((*OURS, *LISTED)))
"""Where objects are built."""

NESTED = (Mapping, list, tuple)
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")

INSTRUCTION = re.compile(r"_[a-z]+_")
"""Keys that Hydra takes for instructions: ``_args_``, ``_partial_``, ``_convert_``, ``_recursive_``..."""


def mappings(config: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield every mapping in nested plain data with its dotted place; one that is found again, once more only
    where another kind of class belongs.

    >>> [place for place, _ in mappings({"data": {"corpus": [{}]}})]
    ['', 'data', 'data.corpus.0']
    """
    waiting: list[tuple[str, Any]] = [("", config)] if isinstance(config, NESTED) else []
    seen: set[tuple[int, str]] = set()
    while waiting:
        place, part = waiting.pop()
        if (id(part), place if place in PLACES else "") in seen:
            continue
        seen.add((id(part), place if place in PLACES else ""))
        if isinstance(part, Mapping):
            yield place, part
        within = part.items() if isinstance(part, Mapping) else enumerate(part)
        below = [(f"{place}.{key}" if place else str(key), value) for key, value in within]
        waiting += [found for found in reversed(below) if isinstance(found[1], NESTED)]


def classes_in(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place and the name of every class that a configuration names, at any depth.

    >>> list(classes_in({"model": {"_target_": "os.system", "layers": [{"_target_": "my_cell.Cell"}]}}))
    [('model', 'os.system'), ('model.layers.0', 'my_cell.Cell')]
    >>> list(classes_in({"model": {"_target_": "my_cells.Encoder", "cell": "my_cells.Cell"}}))
    [('model', 'my_cells.Encoder'), ('model', 'my_cells.Cell')]
    """
    for place, part in mappings(config):
        if "_target_" in part:
            yield place, part["_target_"]
        cell = part.get("cell")
        if place.rpartition(".")[2] == "model" and "." in str(cell):
            yield place, cell


def foreign_classes(
    config: Any, trust: Sequence[str] = (), chosen: Collection[tuple[str, Any]] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield the place and the name of each class that a configuration from a file may not name.

    Args:
        config: the configuration, or some sections of it.
        trust: packages whose classes it may name.
        chosen: places and names that the command chose itself.

    >>> own, optimizer = {"_target_": "my_cell.Cell"}, {"_target_": "torch.optim.Adam"}
    >>> list(foreign_classes({"model": own, "optimizer": optimizer}))
    [('model', 'my_cell.Cell')]
    >>> list(foreign_classes({"model": own, "tokenizer": optimizer}, ["my_cell"]))
    [('tokenizer', 'torch.optim.Adam')]
    """
    for place, name in classes_in(config):
        group = place.rpartition(".")[0] if ".extra." in place else place
        if not (is_listed(group, name) or is_under(name, trust) or (place, name) in chosen):
            yield place, name


def is_listed(place: str, name: Any) -> bool:
    """Return whether a configuration from a file may name a class at a place; nothing is imported.

    >>> task = "rnnlab.tasks.memory.task.MemoryTask"
    >>> is_listed("task", task), is_listed("optimizer", "torch.optim.Adam"), is_listed("model", task)
    (True, True, False)
    """
    if not isinstance(name, str) or not DOTTED.fullmatch(name):
        return False
    module, _, cls = name.rpartition(".")
    is_ours = place in OURS and f"{module}.".startswith(f"{OURS[place]}.") and cls in defined_in(module)
    return is_ours or name in LISTED.get(place, ())


@cache
def defined_in(module: str) -> frozenset[str]:
    """Return the public classes that the text of a module of rnnlab's defines; none without such a file."""
    file = Path(__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    body = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    found = (part.name for part in body if isinstance(part, ast.ClassDef))
    return frozenset(name for name in found if not name.startswith("_"))


def is_under(name: Any, packages: Sequence[str]) -> bool:
    """Return whether a name is that of a class in one of some packages.

    >>> is_under("my_cell.Cell", ["my_cell"]), is_under("my_cells.Cell", ["my_cell"])
    (True, False)
    >>> is_under("my_cell.__main__.Cell", ["my_cell"]), is_under("my_cell.", ["my_cell"])
    (False, False)
    """
    if not isinstance(name, str) or not DOTTED.fullmatch(name) or ".__" in name:
        return False
    return any(name.startswith(f"{package}.") for package in packages)


def check_classes(
    config: Any, source: object, trust: str | Sequence[str] | None = (), chosen: Any = None
) -> None:
    """Check that a configuration from a file names none but known classes, before one of them is imported.

    Args:
        config: the configuration, or those sections of it that will be used.
        source: the file, for the error.
        trust: packages besides whose classes it may name.
        chosen: a configuration that the command composed: what it names, the file may name at the same place.

    Raises:
        RunError: naming the first other class, or an instruction of Hydra's.
        ConfigError: if ``trust`` holds what can't be a package.
    """
    packages = trusted_packages(trust)
    for key in instructions(config):
        raise RunError(
            f"{source} is refused: its configuration has the key {printable(key)}, an instruction on how to "
            "build an object, which rnnlab never writes. Nothing of it was run."
        )
    for place, name in foreign_classes(config, packages, list(classes_in(chosen))):
        word = trust_needed(config)
        raise RunError(
            f"{source} is refused: its configuration names {printable(name)} ({printable(place)}), which is "
            "none of the classes that rnnlab builds there and would be imported. "
            f"{f'If you know the code and trust it, pass {word}.' if word else 'Nothing of it was run.'}"
        )


def instructions(config: Any) -> Iterator[str]:
    """Yield the keys at which Hydra would do more than make an object of a class.

    >>> list(instructions({"model": {"_target_": "my_cell.Cell", "_partial_": True}}))
    ['model._partial_']
    """
    for place, part in mappings(config):
        for key in part:
            if key != "_target_" and INSTRUCTION.fullmatch(str(key)):
                yield f"{place}.{key}".removeprefix(".")


def printable(name: Any) -> str:
    r"""Return a name out of a file as it may be shown, no longer than a line.

    >>> printable("my_cell.Cell"), printable("a\x1b[2Jb"), printable(["os.system"])
    ('my_cell.Cell', 'a\\x1b[2Jb', 'a list')
    """
    if not isinstance(name, str):
        return f"a {type(name).__name__}"
    return visible(name[:100])


def trust_needed(config: Any) -> str:
    """Return the word that lets a run be opened that is made of the user's own classes; empty without any.

    Python's own modules are never proposed: no network or corpus is made of them.

    >>> trust_needed({"model": {"_target_": "my_cell.Cell"}, "tokenizer": {"_target_": "own.text.Words"}})
    'trust=[my_cell,own]'
    >>> trust_needed({"model": {"_target_": "my_cell.Cell"}, "tokenizer": {"_target_": "os.system"}})
    'trust=my_cell'
    """
    names = [name for _, name in foreign_classes(config) if isinstance(name, str) and DOTTED.fullmatch(name)]
    packages = dict.fromkeys(name.split(".")[0] for name in names)
    own = [package for package in packages if package not in sys.stdlib_module_names]
    return f"trust={own[0]}" if len(own) == 1 else f"trust=[{','.join(own)}]" if own else ""


def trusted_packages(words: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the packages that ``trust=`` names.

    >>> trusted_packages("my_cell,own"), trusted_packages("[my_cell,own]"), trusted_packages(None)
    (('my_cell', 'own'), ('my_cell', 'own'), ())

    Raises:
        ConfigError: if one can't be a package.
    """
    if isinstance(words, str):
        words = words.removeprefix("[").removesuffix("]").split(",")
    found = tuple(words or ())
    for word in found:
        if not isinstance(word, str) or not DOTTED.fullmatch(f"{word}.a"):
            raise ConfigError(f"trust={printable(word)}: expected the names of packages, such as my_cell.")
    return found
