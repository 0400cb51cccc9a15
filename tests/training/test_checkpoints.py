"""A checkpoint is data."""

import os
from pathlib import Path

import pytest
import torch

from rnnlab.errors import RunError
from rnnlab.files.checkpoint_file import read_checkpoint

WHOLE: dict[str, object] = {
    "rnnlab": {"format": 1, "config": {}},
    "state_dict": {},
    "epoch": 1,
    "global_step": 3,
}


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"rnnlab": {"format": 1}, "state_dict": Payload(tmp_path / "ran")}, tmp_path / "bad.ckpt")
    with pytest.raises(RunError, match="would run code"):
        read_checkpoint(tmp_path / "bad.ckpt")
    assert not (tmp_path / "ran").exists()


def test_a_truncated_file_is_called_damaged(tmp_path: Path) -> None:
    torch.save({"rnnlab": {"format": 1}, "weights": torch.zeros(1000)}, tmp_path / "whole.ckpt")
    whole = (tmp_path / "whole.ckpt").read_bytes()
    (tmp_path / "half.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="damaged"):
        read_checkpoint(tmp_path / "half.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}}, "no checkpoint of rnnlab"),
        ({"rnnlab": {"format": 99}}, "checkpoint format 99"),
        ({**WHOLE, "epoch": -1}, "count of 'epoch' is -1"),
        ({**WHOLE, "loops": {"fit_loop": {"epoch_progress": {"current": {"ready": -7}}}}}, "'ready' is -7"),
        ({**WHOLE, "loops": {"combined_loader": [{"position": -2}]}}, "'position' is -2"),
    ],
)
def test_files_of_other_kinds_are_refused(content: dict[str, object], message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(RunError, match=message):
        read_checkpoint(tmp_path / "other.ckpt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no checkpoint .*gone\.ckpt"):
        read_checkpoint(tmp_path / "gone.ckpt")
