"""Whether a cell or an encoder of one's own keeps its contract, seen by one small pass before a training.

What breaks it would show later, deep in code that is not to blame. The pass leaves no trace: it runs in
evaluation mode, and random numbers are as before. Classes of rnnlab have their tests instead.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnnlab.cells.cell import Cell, Step, Weights
from rnnlab.errors import ConfigError

BATCH = 2
TOKENS = 4
"""So few that no scan is compiled for them."""
NOISE = 1e-4
"""What the order of additions may change in an output."""


def is_own(thing: object) -> bool:
    """Return whether the class of an object is not one of rnnlab's."""
    return type(thing).__module__.partition(".")[0] != "rnnlab"


def check_names(cell: Cell) -> None:
    """Check the names that a cell of one's own gives its blocks and its states.

    Raises:
        ConfigError: if they are no tuples, or the remembering gate is none of the blocks.
    """
    if not is_own(cell):
        return
    for key in ("blocks", "states"):
        names = getattr(cell, key)
        if not isinstance(names, tuple | list):
            raise ConfigError(
                f"model.cell: {cell.name}.{key} is {names!r}; expected a tuple of names. One name needs a "
                f'comma behind it: ("{names}",).'
            )
    gate = cell.remembering_gate
    if gate is not None and gate not in cell.blocks:
        raise ConfigError(
            f"model.cell: {cell.name}.remembering_gate is {gate!r}; expected one of its blocks: "
            f"{', '.join(cell.blocks)}."
        )


@torch.no_grad()
def check_step(cell: Cell, weights: Weights, input_size: int, hidden_size: int) -> None:
    """Take one step with a cell of one's own, two sequences of zeros.

    Args:
        cell: of any class; one of rnnlab's is left alone.
        weights: of one layer and direction.
        input_size: features of a token.
        hidden_size: units.

    Raises:
        ConfigError: if what ``step`` returns is no Step, or its states or output are of other widths than the
            cell says.
    """
    if not is_own(cell):
        return
    zeros = next(iter(weights.values())).new_zeros
    widths = cell.state_sizes(hidden_size)
    with torch.random.fork_rng(devices=[]):
        given = cell.project(zeros(BATCH, 1, input_size), weights)[:, 0]
        step: Any = cell.step(given, tuple(zeros(BATCH, width) for width in widths), weights)
    where = f"model.cell: {cell.name}.step returned"
    if not isinstance(step, Step):
        raise ConfigError(f"{where} {described(step)}; expected a Step: Step((hidden,)).")
    if not isinstance(step.states, tuple | list) or shapes(step.states) != [
        (BATCH, width) for width in widths
    ]:
        expected = ", ".join(
            f"{name} {(BATCH, width)}" for name, width in zip(cell.states, widths, strict=False)
        )
        raise ConfigError(
            f"{where} a Step whose states are {described(step.states)}; expected a tuple of {len(widths)}: "
            f"{expected}."
        )
    output, width = step.output, cell.output_size(hidden_size)
    if shapes([output]) != [(BATCH, width)]:
        raise ConfigError(f"{where} a Step whose output is {described(output)}; expected {(BATCH, width)}.")


@torch.no_grad()
def check_pass(encoder: nn.Module, input_size: int) -> None:
    """Let an encoder of one's own read two sequences of one token.

    Args:
        encoder: with all that :class:`rnnlab.encoder.encoder.Encoder` names; one of rnnlab's is left alone.
        input_size: features of a token.

    Raises:
        ConfigError: if it does not return outputs of its ``output_size`` and a state as ``initial_state``
            returns it.
    """
    if not is_own(encoder):
        return
    lengths = torch.ones(BATCH, dtype=torch.long, device="cpu")
    with undisturbed(encoder):
        returned: Any = encoder(torch.zeros(BATCH, 1, input_size), lengths)
        begin: Any = encoder.initial_state(BATCH)  # type: ignore[operator]
    name = f"model._target_: {type(encoder).__name__}"
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ConfigError(f"{name} returned {described(returned)}; expected two things: (outputs, state).")
    outputs, state = returned
    expected = (BATCH, 1, encoder.output_size)
    if shapes([outputs]) != [expected]:
        raise ConfigError(
            f"{name} returned outputs that are {described(outputs)} for {BATCH} sequences of one token; "
            f"expected {expected}: (batch, time, output_size)."
        )
    if widths_of(state) != widths_of(begin):
        raise ConfigError(
            f"{name} returned a state that is {described(state)}; expected one like that of initial_state: "
            f"{described(begin)}."
        )


@torch.no_grad()
def check_causal(encoder: Any, input_size: int) -> None:
    """Check that an output of an encoder of one's own depends on no later token.

    Args:
        encoder: one that says that it is not bidirectional; one of rnnlab's is left alone.
        input_size: features of a token.

    Raises:
        ConfigError: if it does all the same.
    """
    if not is_own(encoder):
        return
    tokens = torch.linspace(-1, 1, TOKENS * input_size).view(1, TOKENS, input_size)
    other = torch.cat([tokens[:, :-1], 1 - tokens[:, -1:]], dim=1)
    with undisturbed(encoder):
        before, after = (encoder(read, None, None)[0][:, :-1] for read in (tokens, other))
    if not before.is_meta and not torch.allclose(before, after, rtol=NOISE, atol=NOISE, equal_nan=True):
        raise ConfigError(
            f"model._target_: {type(encoder).__name__} says is_bidirectional = False, and its outputs change "
            "with a later token. task=language_model predicts each token from those before it: mask what "
            "comes later."
        )


def shapes(parts: Sequence[Any]) -> list[Any]:
    """Return the shape of each tensor; None of anything else."""
    return [tuple(part.shape) if isinstance(part, Tensor) else None for part in parts]


def widths_of(state: Any) -> list[Any] | None:
    """Return the last axis of each tensor of a state, which may be a single one; None of anything else."""
    parts = [state] if isinstance(state, Tensor) else state
    if not isinstance(parts, tuple | list):
        return None
    return [shape and shape[-1:] for shape in shapes(parts)]


def described(value: Any) -> str:
    """Return what a value is, with the shapes of its tensors.

    >>> described(torch.zeros(2, 3)), described((torch.zeros(2, 3),)), described(None)
    ('a tensor (2, 3)', 'a tuple of 1: a tensor (2, 3)', 'a NoneType')
    """
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        parts = ", ".join(described(part) for part in value)
        return f"a {type(value).__name__} of {len(value)}" + (f": {parts}" if value else "")
    return f"a {type(value).__name__}"


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Put ``module`` in evaluation mode; afterwards training flags and random states are as before."""
    flags = [(part, part.training) for part in module.modules()]
    devices = {weight.device for weight in module.parameters() if weight.device.type == "cuda"}
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices):
            module.eval()
            yield
    finally:
        for part, training in flags:
            part.training = training
        random.setstate(python)
        np.random.set_state(numpy)
