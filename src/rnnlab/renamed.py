"""Dotted names of classes as former versions wrote them into configurations and checkpoints."""

from typing import Any

RENAMED = {
    "rnnlab.models.encoder.RecurrentEncoder": "rnnlab.encoder.recurrent.RecurrentEncoder",
    "rnnlab.models.regularised.RegularisedEncoder": "rnnlab.encoder.regularised.RegularisedEncoder",
}
"""Former name to present name."""


def renamed(config: Any) -> Any:
    """Return nested plain data in which every ``_target_`` has its present name.

    >>> renamed({"model": {"_target_": "rnnlab.models.encoder.RecurrentEncoder", "layers": 2}})
    {'model': {'_target_': 'rnnlab.encoder.recurrent.RecurrentEncoder', 'layers': 2}}
    """
    if isinstance(config, list):
        return [renamed(value) for value in config]
    if not isinstance(config, dict):
        return config
    told = {key: renamed(value) for key, value in config.items()}
    target = told.get("_target_")
    return {**told, "_target_": RENAMED.get(target, target)} if isinstance(target, str) else told
