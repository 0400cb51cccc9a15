"""What an encoder demands of its arguments, checked without waiting for a CUDA device."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_inputs(inputs: Tensor, input_size: int) -> None:
    """Demand ``(batch, time, input_size)``, none of them zero.

    Raises:
        ValueError: if it is anything else.
    """
    if inputs.dim() != 3 or inputs.shape[2] != input_size or 0 in inputs.shape:
        raise ValueError(
            f"inputs has shape {tuple(inputs.shape)}; expected (batch, time, {input_size}) "
            "with at least one sequence and one step."
        )


def check_lengths(lengths: Tensor, inputs: Tensor) -> None:
    """Demand one integer a sequence, on the CPU or beside ``inputs``.

    Raises:
        ValueError: if it is anything else.
    """
    batch = inputs.shape[0]
    if lengths.dim() != 1 or lengths.numel() != batch:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}; expected ({batch},), one for each sequence of inputs."
        )
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths has type {lengths.dtype}; expected integers.")
    if lengths.device.type != "cpu" and lengths.device != inputs.device:
        raise ValueError(
            f"lengths is on {lengths.device} and inputs on {inputs.device}; "
            "expected lengths on the CPU or on the device of inputs."
        )


def shortest_and_longest(lengths: Tensor, time: int) -> tuple[int, int]:
    """Return the range of ``lengths``, all of which must be from 1 to ``time``.

    Raises:
        ValueError: if one isn't.
    """
    shortest, longest = (int(bound) for bound in torch.aminmax(lengths))
    if shortest < 1:
        at = int(lengths.argmin())
        raise ValueError(f"lengths[{at}] is {shortest}; expected at least 1.")
    if longest > time:
        at = int(lengths.argmax())
        raise ValueError(f"lengths[{at}] is {longest}; expected at most {time}, the time axis of inputs.")
    return shortest, longest


def check_state(
    state: tuple[Tensor, ...], names: Sequence[str], shapes: Sequence[tuple[int, int, int]], inputs: Tensor
) -> None:
    """Demand a tensor for each of a cell's states, like ``inputs`` in type and device.

    Args:
        state: what was given.
        names: of the states.
        shapes: ``(layers * directions, batch, width)`` of each.
        inputs: what the encoder reads.

    Raises:
        ValueError: if it is anything else.
    """
    if not (isinstance(state, tuple | list) and len(state) == len(names)):
        raise ValueError(
            f"state is {_described(state)}; expected a tuple of {len(names)}: ({', '.join(names)})."
        )
    for at, (part, name, shape) in enumerate(zip(state, names, shapes, strict=True)):
        where = f"state[{at}] ({name})"
        if not isinstance(part, Tensor):
            raise ValueError(f"{where} is {_described(part)}; expected a tensor.")
        if tuple(part.shape) != shape:
            raise ValueError(
                f"{where} has shape {tuple(part.shape)}; "
                f"expected {shape}: (layers * directions, batch, hidden)."
            )
        is_as_wide = part.dtype == inputs.dtype or torch.is_autocast_enabled(inputs.device.type)
        if part.device != inputs.device or not is_as_wide:
            raise ValueError(
                f"{where} is {part.dtype} on {part.device}; "
                f"expected {inputs.dtype} on {inputs.device}, as inputs."
            )


def _described(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
