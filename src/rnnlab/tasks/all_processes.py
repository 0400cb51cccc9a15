"""What every process has found, on each of them."""

from typing import Any, TypeVar

import lightning
import torch.distributed

Part = TypeVar("Part")


def gathered(part: Part, trainer: lightning.Trainer) -> list[Part]:
    """Return every process's ``part``, in the order of their ranks; all of them must ask."""
    if trainer.world_size == 1:
        return [part]
    parts: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(parts, part)
    return parts
