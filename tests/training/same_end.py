"""Whether two runs ended alike, byte for byte."""

import json
from pathlib import Path
from typing import Any

import torch

from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.training.run_folder import RunFolder


def assert_same_end(one: Path, other: Path) -> None:
    """Compare metrics as text, and weights and the optimizer's state byte for byte."""
    ours, theirs = (json.loads(RunFolder(run).metrics_file.read_text()) for run in (one, other))
    for split in ("validation", "test"):
        assert json.dumps(ours[split]) == json.dumps(theirs[split])
    for name in ("best", "last"):
        first, second = (read_checkpoint(getattr(RunFolder(run), name)) for run in (one, other))
        assert first["global_step"] == second["global_step"]
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "carried_state"):
            assert_same(first.get(part), second.get(part), f"{name}.{part}")


def assert_same(one: Any, other: Any, where: str) -> None:
    """Compare nested plain data, tensors byte for byte."""
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, where
        assert one.numpy().tobytes() == other.numpy().tobytes(), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (ours, theirs) in enumerate(zip(one, other, strict=True)):
            assert_same(ours, theirs, f"{where}[{place}]")
    else:
        assert one == other, where
