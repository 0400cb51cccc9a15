"""The classes that a configuration names, and the packages besides rnnlab that would be imported for them."""

from collections.abc import Iterator, Mapping
from typing import Any

BUILT = ("task", "model", "batches", "data", "tokenizer")
"""The sections of a configuration that are built when a run is opened or evaluated."""


def targets(config: Any) -> Iterator[str]:
    """Yield every ``_target_`` in nested plain data.

    >>> list(targets({"corpus": {"_target_": "os.system", "command": "true"}}))
    ['os.system']
    """
    if isinstance(config, dict):
        if "_target_" in config:
            yield str(config["_target_"])
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)


def foreign_classes(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the section and the name of each class outside rnnlab that a run's configuration names.

    >>> list(foreign_classes({"model": {"_target_": "my_cell.Cell"}, "optimizer": {"_target_": "torch.X"}}))
    [('model', 'my_cell.Cell')]
    >>> list(foreign_classes({"model": {"_target_": "rnnlab.encoder.X", "cell": "my_cell.Cell"}}))
    [('model', 'my_cell.Cell')]
    """
    for section in BUILT:
        for target in targets(config.get(section)):
            if not target.startswith("rnnlab."):
                yield section, target
    model = config.get("model")
    cell = str(model.get("cell", "")) if isinstance(model, dict) else ""
    if "." in cell and not cell.startswith("rnnlab."):
        yield "model", cell


def trust_needed(config: Mapping[str, Any]) -> str:
    """Return the word that lets a run be opened that is made of the user's own classes; empty without any.

    >>> trust_needed({"model": {"_target_": "my_cell.Cell"}, "tokenizer": {"_target_": "own.text.Words"}})
    'trust=my_cell,own'
    """
    packages = dict.fromkeys(target.split(".")[0] for _, target in foreign_classes(config))
    return f"trust={','.join(packages)}" if packages else ""


def trusted_packages(words: str | None) -> tuple[str, ...]:
    """Return the packages that a command's ``trust=`` names.

    >>> trusted_packages("my_cell,own"), trusted_packages(None)
    (('my_cell', 'own'), ())
    """
    return tuple(words.split(",")) if words else ()
