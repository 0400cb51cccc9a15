"""Train, compare and understand recurrent networks on text.

Floors, each knowing only those above it: ``corpora`` (documents), ``text`` (tokens and ids), ``data``
(batches and streams), ``models`` (encoder, heads, LightningModules), ``training`` (the one place of
assembly) and ``runs`` (what a finished run answers).
"""

import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 12):  # pragma: no cover
    raise ImportError(
        f"rnnlab needs Python 3.10 to 3.12 (torchtext's last wheels end there); "
        f"this is Python {sys.version_info[0]}.{sys.version_info[1]}."
    )

__version__ = "0.1.0"
