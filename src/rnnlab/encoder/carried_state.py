"""The encoder's states that go from one window to the next, one for each stage."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rnnlab.cells.cell import State


class CarriedStates:
    """Keeps a state for each of ``train``, ``validation`` and ``test``, its gradient cut off."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def keep(self, stage: str, state: State) -> None:
        """Keep ``state`` for the next window of ``stage``."""
        self._states[stage] = mapped(state, Tensor.detach)

    def of(self, stage: str, like: Tensor) -> State | None:
        """Return what was kept for ``stage``, in the type and on the device of ``like``, or ``None``."""
        state = self._states.get(stage)
        return None if state is None else mapped(state, lambda part: part.to(like))

    def drop(self, stage: str) -> None:
        """Forget the state of ``stage``."""
        self._states.pop(stage, None)


def mapped(state: State, change: Callable[[Tensor], Tensor]) -> State:
    """Return ``state`` with ``change`` applied to each tensor."""
    return tuple(change(part) for part in state)


def as_state(given: Tensor | Sequence[Tensor]) -> State:
    """Return a state as a tuple: an encoder of one's own, or a checkpoint of old, may have a tensor."""
    return (given,) if isinstance(given, Tensor) else tuple(given)


def of_all_ranks(state: State, gather: Callable[[Tensor], Tensor]) -> State:
    """Return the state of every process's columns, side by side ``(layers, world * batch, hidden)``.

    Args:
        state: of this process's columns, each tensor ``(layers, batch, hidden)``.
        gather: returns a tensor of every process, stacked in a first axis of its own.
    """
    return mapped(state, lambda part: torch.cat(tuple(gather(part)), dim=1))


def of_this_rank(state: State, rank: int, world_size: int) -> State:
    """Return the columns of process ``rank`` out of what ``of_all_ranks`` returned."""
    return mapped(state, lambda part: part.chunk(world_size, dim=1)[rank].contiguous())
