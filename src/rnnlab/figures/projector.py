"""Word vectors for TensorBoard's embedding projector: three files, read by its server as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import write_text
from rnnlab.visible import visible

FOLDER = "projector"

_SHOWN = {ord("\t"): "⇥", **{ord(sign): "↵" for sign in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}}


def write_projector(
    log_folder: Path,
    vectors: npt.NDArray[np.float32],
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> None:
    """Write word vectors with their labels, each file whole or not at all.

    Args:
        log_folder: TensorBoard's folder of the run.
        vectors: ``(words, size)``.
        columns: the names of the labels, the word itself first.
        rows: the labels of each word.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    form = "%.5g".__mod__
    tensors = "\n".join("\t".join(map(form, row)) for row in vectors.tolist())
    labels = "\n".join("\t".join(map(cell, row)) for row in (columns, *rows))
    write_text(log_folder / FOLDER / "tensors.tsv", f"{tensors}\n")
    write_text(log_folder / FOLDER / "metadata.tsv", f"{labels}\n")
    config = (
        "embeddings {\n"
        '  tensor_name: "embedding"\n'
        f'  tensor_path: "{FOLDER}/tensors.tsv"\n'
        f'  metadata_path: "{FOLDER}/metadata.tsv"\n'
        "}\n"
    )
    write_text(log_folder / "projector_config.pbtxt", config)


def cell(value: object) -> str:
    """Return a value as a table's cell: tabs and line breaks become signs, nothing at all a space's sign.

    What else can't be seen is spelt out.

    >>> cell("a\\tb"), cell(0.25), cell(" ")
    ('a⇥b', '0.25', '␣')
    """
    text = visible(str(value).translate(_SHOWN))
    return text if text.strip() else "␣" * max(1, len(text))
