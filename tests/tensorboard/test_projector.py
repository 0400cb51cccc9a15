"""Word vectors for the projector, whatever the words are."""

from pathlib import Path

import numpy as np
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

from rnnlab.figures.projector import write_projector

ODD = ["tab\there", "new\nline", "return\r", "\u2028", "\x85", "", "   ", '"', "映画", "\x1c", "plain"]


def test_tabs_and_line_breaks_stay_in_their_cell(tmp_path: Path) -> None:
    vectors = np.arange(2 * len(ODD), dtype=np.float32).reshape(-1, 2)
    write_projector(tmp_path, vectors, ["word", "frequency"], list(zip(ODD, range(len(ODD)), strict=True)))
    text = (tmp_path / "projector" / "metadata.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == ["word", "frequency"]
    assert [row[1] for row in rows[1:]] == [str(number) for number in range(len(ODD))]
    assert all(row[0].strip() for row in rows)
    assert rows[1][0] == "tab⇥here"


def test_tensorboard_reads_the_vectors(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    write_projector(tmp_path, vectors, ["word"], [[str(number)] for number in range(7)])
    read = _read_tensor_tsv_file(str(tmp_path / "projector" / "tensors.tsv"))
    assert read.shape == (7, 5)
    assert np.allclose(read, vectors, rtol=1e-4)
