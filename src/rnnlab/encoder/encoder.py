"""The contract between a task and its encoder: vectors in, one vector a token and a final state out.

The encoder's states that go from one window to the next, one for each stage.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from rnnlab.build import build
from rnnlab.cells.cell import State
from rnnlab.encoder.dry_pass import check_pass
from rnnlab.errors import ConfigError


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


ENCODER_NAMES = ("output_size", "is_bidirectional", "initial_state")


@runtime_checkable
class Encoder(Protocol):
    """What a task asks of an encoder. Whatever keeps this contract can be named as ``model._target_``.

    It is an ``nn.Module``, made with ``input_size=`` and the other keys of the ``model`` config. Batches are
    right-padded: ``lengths`` says where each sequence ends, and what lies behind its end must change
    nothing. Padded positions of the outputs are zero.

    A state is a tuple of tensors. An encoder of your own whose ``initial_state`` is a single tensor is handed
    that, and :func:`build_encoder` makes a tuple of what it returns. One without a state returns ``()``.

    Attributes:
        output_size: features of an output.
        is_bidirectional: true where an output depends on later tokens; ``pooling=last`` then takes the second
            half of the features to be read from the end.
    """

    output_size: int
    is_bidirectional: bool

    def initial_state(self, batch: int) -> State:
        """Return the state before the first token of ``batch`` sequences, ``()`` where there is none."""
        ...

    def __call__(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return outputs ``(batch, time, output_size)`` and the state after each sequence's last token."""
        ...


def build_encoder(model: Mapping[str, Any], input_size: int) -> Encoder:
    """Build the encoder that the ``model`` config names, for tokens of ``input_size`` features.

    Raises:
        ConfigError: if it can't be built, or what was built is no encoder or breaks the contract.
    """
    encoder = build(model, nn.Module, "model", input_size=input_size)
    if not isinstance(encoder, Encoder):
        lacking = [name for name in ENCODER_NAMES if not hasattr(encoder, name)]
        raise ConfigError(
            f"model._target_={model['_target_']} is no encoder: it lacks {', '.join(lacking)}. "
            "See rnnlab.encoder.encoder.Encoder for what a task asks of one."
        )
    check_pass(encoder, input_size)
    if isinstance(encoder.initial_state(1), Tensor):
        encoder.register_forward_pre_hook(_state_taken_out, with_kwargs=True)
        encoder.register_forward_hook(_state_in_tuple)
    return encoder


def _state_taken_out(
    module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hand a single tensor to an encoder that knows states as such."""
    *others, state = arguments if len(arguments) == 3 else (*arguments, named.get("state"))
    if not isinstance(state, tuple):
        return arguments, named
    if len(arguments) == 3:
        return (*others, state[0]), named
    return arguments, {**named, "state": state[0]}


def _state_in_tuple(module: nn.Module, arguments: Any, returned: tuple[Tensor, Any]) -> tuple[Tensor, State]:
    outputs, state = returned
    return outputs, as_state(state)
