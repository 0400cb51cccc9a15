"""Train, compare and understand recurrent networks.

Floors, each knowing only those before it: ``corpora`` (where sequences come from), ``text`` and ``signals``
(ids and numbers), ``data`` (batches), ``kernels``, ``cells``, ``encoder``, ``graphs`` (of ONNX), ``tasks``,
``training`` (from configuration to run folder), ``runs`` (what a finished run answers) and ``commands`` (what
is typed).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnlab.runs.load import load as load
    from rnnlab.training.train import train as train

__version__ = "0.1.0"
LATER = ("load", "train")
"""What is imported when it is asked for."""


def __dir__() -> list[str]:
    """Return what completes in a notebook: ``train`` and ``load``, too, which are not imported yet."""
    return sorted({*globals(), *LATER})


def __getattr__(name: str) -> Any:
    """Return ``train`` or ``load``; only then is torch imported, so that ``import rnnlab`` takes no time."""
    if name == "load":
        from rnnlab.runs.load import load

        return load
    if name == "train":
        from rnnlab.training.train import train

        return train
    raise AttributeError(f"module 'rnnlab' has no attribute {name!r}")
