"""Train, compare and understand recurrent networks on text.

Floors, each knowing only those above it: ``corpora`` (documents), ``text`` (tokens and ids), ``data``
(batches and streams), ``models`` (encoder, heads, LightningModules), ``training`` (the one place of
assembly) and ``runs`` (what a finished run answers).
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnlab.runs.load import load as load
    from rnnlab.training.train import train as train

if not (3, 10) <= sys.version_info[:2] <= (3, 12):  # pragma: no cover
    raise ImportError(
        f"rnnlab needs Python 3.10 to 3.12 (torchtext's last wheels end there); "
        f"this is Python {sys.version_info[0]}.{sys.version_info[1]}."
    )

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return ``train`` or ``load``; only then is torch imported, so that ``import rnnlab`` takes no time."""
    if name == "load":
        from rnnlab.runs.load import load

        return load
    if name == "train":
        from rnnlab.training.train import train

        return train
    raise AttributeError(f"module 'rnnlab' has no attribute {name!r}")
