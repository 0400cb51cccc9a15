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

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.data.windows import fixed_windows, random_windows
from rnnlab.errors import ConfigError, DataError


class StreamBatch(NamedTuple):
    """One window of every column.

    Attributes:
        tokens: inputs, (batch, time) int64; 0 where a column has ended.
        targets: the id to predict at each place, (batch, time) int64; 0 where a column has ended.
        counted: (batch, time) bool, False where a column has ended; None where every place counts.
        predicted: how many places count.
        starts: whether this is an epoch's first window, read from the zero state.
        learning_rate_scale: this window's length by ``bptt``, for a learning rate that follows the length.
    """

    tokens: Tensor
    targets: Tensor
    counted: Tensor | None
    predicted: int
    starts: bool
    learning_rate_scale: float


class TokenStream:
    """One process's share of a sequence's columns.

    Args:
        tokens: (total,) the ids of the split, in order, any integer type.
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
        tokens: NDArray[np.integer[Any]],
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
        self._starts = mine * short + np.minimum(mine, longer)
        self._lengths = short + (mine < longer)
        self.steps = short + (longer > 0)
        self._sequence = np.concatenate([np.array([first_input], dtype=tokens.dtype), tokens])

    def window(self, start: int, length: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets (batch, length) and, where a column has ended, the mask of what counts."""
        steps = np.arange(start, start + length)
        counted = steps < self._lengths[:, None]
        if counted.all():
            places = self._starts[:, None] + np.arange(start, start + length + 1)
            ids = torch.from_numpy(self._sequence[places].astype(np.int64))
            return ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), None
        places = np.where(counted, self._starts[:, None] + steps, 0)
        tokens = np.where(counted, self._sequence[places], 0).astype(np.int64)
        targets = np.where(counted, self._sequence[places + 1], 0).astype(np.int64)
        return torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(counted)


class StreamLoader:
    """Iterates over a stream's windows; its place in an epoch is part of a checkpoint.

    Each ``iter`` reads the epoch from its first window, or once from where ``load_state_dict`` put it.

    Args:
        stream: the columns.
        bptt: steps of a window.
        random_lengths: draw the windows' lengths as AWD-LSTM does, anew each epoch.
        seed: of those lengths.

    Raises:
        ConfigError: if ``bptt`` is below one.
    """

    batch_sampler: None = None  # Lightning asks for it wherever there is a sampler

    def __init__(
        self, stream: TokenStream, bptt: int, *, random_lengths: bool = False, seed: int = 0
    ) -> None:
        if bptt < 1:
            raise ConfigError(f"bptt={bptt}: a window needs at least one step.")
        self.stream = stream
        self.bptt = bptt
        self.random_lengths = random_lengths
        self.seed = seed
        self._epoch = 0
        self._next = 0
        self._resumed = False
        self._count = len(self.windows())

    @property
    def sampler(self) -> "StreamLoader":
        """Itself: Lightning calls ``set_epoch`` on a loader's sampler."""
        return self

    @property
    def predicted(self) -> int:
        """How many tokens an epoch predicts, over all processes."""
        return self.stream.predicted

    def windows(self) -> list[int]:
        """Return the lengths of this epoch's windows."""
        if self.random_lengths:
            return random_windows(self.stream.steps, self.bptt, self.seed, self._epoch)
        return fixed_windows(self.stream.steps, self.bptt)

    def __len__(self) -> int:
        return self._count

    def set_epoch(self, epoch: int) -> None:
        """Go to the first window of ``epoch``, unless that is the one being read."""
        if epoch != self._epoch:
            self._epoch, self._next, self._resumed = epoch, 0, False

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the window to be read next."""
        return {"epoch": self._epoch, "next_window": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the window that ``state`` names."""
        self._epoch, self._next, self._resumed = state["epoch"], state["next_window"], True

    def __iter__(self) -> Iterator[StreamBatch]:
        # The epoch is looked at when the first window is asked for: Lightning makes the iterator before it
        # calls set_epoch.
        first = self._next if self._resumed else 0
        self._resumed = False
        start = 0
        for index, length in enumerate(self.windows()):
            if index >= first:
                self._next = index + 1
                yield self._batch(start, length)
            start += length

    def _batch(self, start: int, length: int) -> StreamBatch:
        tokens, targets, counted = self.stream.window(start, length)
        return StreamBatch(
            tokens=tokens,
            targets=targets,
            counted=counted,
            predicted=tokens.numel() if counted is None else int(counted.sum()),
            starts=start == 0,
            learning_rate_scale=length / self.bptt if self.random_lengths else 1.0,
        )
