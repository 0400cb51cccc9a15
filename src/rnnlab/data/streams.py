"""One long text as columns and windows: what truncated backpropagation through time reads.

The split is one sequence of ids, its documents one after another, each ended by ``<eos>``. It is cut into
``columns`` contiguous pieces of equal length (the first few are one longer where it does not divide), and
the columns are read side by side in windows of ``bptt`` steps::

    sequence    a b c d e f g h i j k l m n o p q r s t u v w        23 ids

                 window 0    window 1    window 2
    column 0    | a b c     | d e f     | g h       |      columns = 3, bptt = 3
    column 1    | i j k     | l m n     | o p       |
    column 2    | q r s     | t u v     | w .       |      . is counted nowhere

    state  0 ------> s0 ------> s1 -------> s2            carried along each row, its gradient cut at each |

The letters are the *targets*. The input at each place is the id before it in the sequence, also across the
border of two columns, and the first target of all is predicted after ``<eos>``. So every id of the split is
predicted exactly once an epoch, whatever the number of columns and the window.

With several processes each takes its own ``batch_size`` columns of ``batch_size * world_size``, and all
read the same windows.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.data.batch import moved
from rnnlab.data.loader import ResumableLoader
from rnnlab.errors import ConfigError, DataError

_HALVED = 0.05  # the share of windows around half the length
_SPREAD = 5.0  # standard deviation of a window's length, in steps
_SHORTEST = 5


class StreamBatch(NamedTuple):
    """One window of every column, a :class:`rnnlab.data.batch.Batch` that says more.

    Attributes:
        inputs: ids ``(batch, time)`` int64; 0 where a column has ended.
        lengths: None: every column is as long as the window, or its end is left out by ``valid``.
        targets: the id to predict at each place, ``(batch, time)`` int64; 0 where a column has ended.
        valid: ``(batch, time)`` bool, False where a column has ended; None where every place counts.
        predicted: how many places count.
        starts: whether this is an epoch's first window, read from the zero state.
        learning_rate_scale: this window's length by ``bptt``, for a learning rate that follows the length.
    """

    inputs: Tensor
    lengths: None
    targets: Tensor
    valid: Tensor | None
    predicted: int
    starts: bool
    learning_rate_scale: float

    def to(self, device: torch.device, **options: Any) -> "StreamBatch":
        """Return the window on ``device``, itself if it is there."""
        return moved(self, device)


class Ids(Protocol):
    """A sequence of ids, in memory or not: an array, or what reads one from the disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: NDArray[np.int64], /) -> NDArray[np.integer[Any]]:
        """Return a copy of the ids at ``places``, in their shape."""


class TokenStream:
    """One process's share of a sequence's columns.

    Args:
        tokens: the ids of the split, in order.
        first_input: the id that stands before the first one, ``<eos>``.
        batch_size: columns of this process.
        rank: which process this is.
        world_size: how many processes there are.
        name: what to call the text in errors.

    Raises:
        DataError: if the sequence has fewer than two ids a column.
    """

    def __init__(
        self,
        tokens: Ids,
        *,
        first_input: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        name: str = "the text",
    ) -> None:
        columns = batch_size * world_size
        if len(tokens) < 2 * columns:
            raise DataError(
                f"{name} has {len(tokens):,} tokens, too few for {columns} columns of at least two "
                f"(batch_size={batch_size}{f' on {world_size} processes' if world_size > 1 else ''}). "
                f"Set it to {max(1, len(tokens) // (2 * world_size))} or less, or take a longer text."
            )
        self.predicted = len(tokens)
        short, longer = divmod(len(tokens), columns)
        mine = np.arange(rank * batch_size, (rank + 1) * batch_size)
        self.columns, self._mine = columns, mine
        self._starts = mine * short + np.minimum(mine, longer)
        self._lengths = short + (mine < longer)
        self.steps = short + (longer > 0)
        self._first_input = first_input
        self._tokens = tokens

    def _ids(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids at places of the sequence that begins with ``first_input``."""
        found = self._tokens[np.maximum(places - 1, 0)].astype(np.int64)
        found[places == 0] = self._first_input
        return found

    def turns(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return for each column of this process a step to begin at, drawn for the epoch (Press 2019)."""
        shares = np.random.default_rng([seed, epoch, 1]).random(self.columns)
        return (shares[self._mine] * self._lengths).astype(np.int64)

    def window(
        self, start: int, length: int, turns: NDArray[np.int64] | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets ``(batch, length)`` and, where a column has ended, what is valid.

        Args:
            start: the first step.
            length: how many.
            turns: the step at which each column begins ``(batch,)``: what is before it follows its end. An
                input stays the id before its target in the sequence. None: at its first.
        """
        if turns is not None:
            return self._turned(np.arange(start, start + length), turns)
        steps = np.arange(start, start + length)
        valid = steps < self._lengths[:, None]
        if valid.all():
            places = self._starts[:, None] + np.arange(start, start + length + 1)
            ids = torch.from_numpy(self._ids(places))
            return ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), None
        places = np.where(valid, self._starts[:, None] + steps, 0)
        tokens = np.where(valid, self._ids(places), 0)
        targets = np.where(valid, self._ids(places + 1), 0)
        return torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(valid)

    def _turned(
        self, steps: NDArray[np.int64], turns: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        lengths = self._lengths[:, None]
        valid = steps < lengths
        places = self._starts[:, None] + (steps + turns[:, None]) % lengths
        tokens, targets = (torch.from_numpy(np.where(valid, self._ids(at), 0)) for at in (places, places + 1))
        return tokens, targets, None if valid.all() else torch.from_numpy(valid)


class Window(NamedTuple):
    """Some steps of every column: where they begin, how many they are, and in which epoch."""

    start: int
    length: int
    epoch: int = 0


class StreamLoader(ResumableLoader[Window, StreamBatch]):
    """Iterates over a stream's windows.

    Args:
        stream: the columns.
        bptt: steps of a window.
        random_lengths: draw the windows' lengths as AWD-LSTM does, anew each epoch.
        partial_shuffle: begin each column at a step drawn anew each epoch, and read what is before it last.
        seed: of those lengths and steps.

    Raises:
        ConfigError: if ``bptt`` is below one.
    """

    def __init__(
        self,
        stream: TokenStream,
        bptt: int,
        *,
        random_lengths: bool = False,
        partial_shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if bptt < 1:
            raise ConfigError(f"bptt={bptt}: a window needs at least one step.")
        self.stream = stream
        self.bptt = bptt
        self.random_lengths = random_lengths
        self.partial_shuffle = partial_shuffle
        self.seed = seed
        self._count = len(self.windows(0))

    @property
    def predicted(self) -> int:
        """How many tokens an epoch predicts, over all processes."""
        return self.stream.predicted

    @property
    def fingerprint(self) -> str:
        """What decides the windows, in words."""
        drawn = f", drawn by seed {self.seed}" if self.random_lengths else ""
        turned = f", columns turned by seed {self.seed}" if self.partial_shuffle else ""
        return f"{self.stream.steps} steps in windows of {self.bptt}{drawn}{turned}"

    def __len__(self) -> int:
        return self._count

    def windows(self, epoch: int) -> list[int]:
        """Return the lengths of an epoch's windows."""
        if self.random_lengths:
            return random_windows(self.stream.steps, self.bptt, self.seed, epoch)
        return fixed_windows(self.stream.steps, self.bptt)

    def plan(self, epoch: int) -> list[Window]:
        """Return the windows, one behind the other."""
        lengths = self.windows(epoch)
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        return [Window(start, length, epoch) for start, length in zip(starts, lengths, strict=True)]

    def batch(self, planned: Window) -> StreamBatch:
        """Return a window of every column."""
        start, length, epoch = planned
        turns = self.stream.turns(self.seed, epoch) if self.partial_shuffle else None
        tokens, targets, valid = self.stream.window(start, length, turns)
        return StreamBatch(
            inputs=tokens,
            lengths=None,
            targets=targets,
            valid=valid,
            predicted=tokens.numel() if valid is None else int(valid.sum()),
            starts=start == 0,
            learning_rate_scale=length / self.bptt if self.random_lengths else 1.0,
        )


def fixed_windows(total: int, steps: int) -> list[int]:
    """Return the lengths of consecutive windows over ``total`` steps: all ``steps`` but perhaps the last.

    >>> fixed_windows(8, 3)
    [3, 3, 2]
    """
    return [min(steps, total - start) for start in range(0, total, steps)]


def random_windows(total: int, steps: int, seed: int, epoch: int) -> list[int]:
    """Return window lengths drawn as in AWD-LSTM (Merity et al. 2018, section 5), in an order of this epoch.

    A length is normal around ``steps`` (one time in twenty around half of it) with a standard deviation of
    five steps, and at least five. The lengths themselves come from ``seed`` alone and only their order from
    the epoch, so that every epoch has the same number of windows and covers ``total`` steps exactly.
    """
    draw = np.random.default_rng(seed)
    lengths: list[int] = []
    left = total
    while left > 0:
        around = steps if draw.random() >= _HALVED else steps / 2
        length = min(left, max(min(_SHORTEST, steps), round(draw.normal(around, _SPREAD))))
        lengths.append(length)
        left -= length
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    return [lengths[index] for index in order]
