"""Synthetic problems with a dial: how many steps a network must remember something to answer.

They are made from a random generator, no file is read. In each, the answer is asked for at the end of a
sequence, and what it depends on lies ``distance`` steps before.
"""

from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.corpus import check_at_least, fingerprint_of

CORRECT_WITHIN = 0.04
"""How near a number must come to count as correct (Hochreiter and Schmidhuber 1997, section 5.4)."""


class Sequences(NamedTuple):
    """Right-padded sequences of vectors, and what is to be answered at the end of each.

    Attributes:
        inputs: ``(count, time, input_size)`` float32, zero in the padding.
        lengths: ``(count,)`` int64.
        answers: ``(count, answers)`` for the last so many steps of each sequence: int64 class ids, or float32
            numbers.
    """

    inputs: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64] | npt.NDArray[np.float32]


@runtime_checkable
class MemoryProblem(Protocol):
    """Makes sequences.

    Attributes:
        name: the name under which ``data=`` knows it.
        distance: steps between what must be remembered and where it is asked for.
        input_size: components of a step's vector.
        answers: how many of a sequence's last steps are answers.
        classes: classes of an answer; None where it is a number.
    """

    name: str
    distance: int
    input_size: int
    answers: int
    classes: int | None

    def sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences. A problem with ``test_sequences``, too, draws the test split by that."""
        ...


class Settled:
    """A problem that its settings, which are its plain attributes, decide."""

    name: ClassVar[str]

    @property
    def fingerprint(self) -> str:
        """Digest of the settings."""
        return fingerprint_of(problem=self.name, **vars(self))


class FirstToken(Settled):
    """Which symbol came first? Distractors follow it, as many as the distance says.

    The noisy sequences of Hochreiter and Schmidhuber 1997 (experiment 2) in their plainest form::

        inputs   c  x  p  x  q  y  ...  p        one-hot; c is one of the symbols, the others distractors
        answer                          c

    Args:
        distance: steps from the symbol to the answer.
        symbols: how many there are to remember.
        distractors: how many other symbols follow at random.

    Raises:
        ConfigError: if a number is too small.
    """

    name: ClassVar[str] = "first_token"

    def __init__(self, distance: int, symbols: int = 8, distractors: int = 8) -> None:
        check_at_least(1, distance=distance, distractors=distractors)
        check_at_least(2, symbols=symbols)
        self.distance = distance
        self.answers = 1
        self.classes: int | None = symbols
        self.symbols = symbols
        self.input_size = symbols + distractors

    def sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences of ``distance + 1`` steps."""
        ids = chance.integers(self.symbols, self.input_size, (count, self.distance + 1))
        ids[:, 0] = chance.integers(0, self.symbols, count)
        return Sequences(one_hot(ids, self.input_size), same_lengths(ids), ids[:, :1].copy())


class Copy(Settled):
    """Which symbols came first, in order? Blanks follow, then a sign for each symbol to be told.

    The copy memory of Hochreiter and Schmidhuber 1997 as Arjovsky, Shah and Bengio 2016 have it, except that
    only the recalled symbols are answers, not the blanks::

        inputs   c a a b  .  .  .  .  .  ?  ?  ?  ?       one-hot; . is the blank, ? the sign
        answers                          c  a  a  b       each ``distance`` steps after its symbol

    Args:
        distance: steps from each symbol to its answer, at least ``items``.
        items: symbols to remember.
        symbols: how many different ones there are.

    Raises:
        ConfigError: if a number is too small.
    """

    name: ClassVar[str] = "copy"

    def __init__(self, distance: int, items: int = 10, symbols: int = 8) -> None:
        check_at_least(1, items=items)
        check_at_least(items, distance=distance)
        check_at_least(2, symbols=symbols)
        self.distance = distance
        self.answers = self.items = items
        self.classes: int | None = symbols
        self.symbols = symbols
        self.input_size = symbols + 2

    def sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences of ``distance + items`` steps."""
        blank, sign = self.symbols, self.symbols + 1
        ids = np.full((count, self.distance + self.items), blank, dtype=np.int64)
        ids[:, : self.items] = chance.integers(0, self.symbols, (count, self.items))
        ids[:, self.distance :] = sign
        answers = ids[:, : self.items].copy()
        return Sequences(one_hot(ids, self.input_size), same_lengths(ids), answers)


class Adding(Settled):
    """What is the sum of the two numbers that were marked?

    The adding problem of Hochreiter and Schmidhuber 1997, with numbers between 0 and 1 and marks of 0 and 1
    as in Le et al. 2015::

        number   .5 .2 .9 .1 .7 .3 ... .4
        mark      0  1  0  0  1  0 ...  0
        answer                        .9

    The first mark is among the first tenth of the steps, so that at least ``distance`` steps lie between it
    and the answer; the second follows in the first half. Sequences are up to a tenth longer than that.
    Whoever always answers 1 has a mean square error of 1/6.

    Args:
        distance: the fewest steps from the first marked number to the answer.

    Raises:
        ConfigError: if it is below 4.
    """

    name: ClassVar[str] = "adding"
    input_size = 2

    def __init__(self, distance: int) -> None:
        check_at_least(4, distance=distance)
        self.distance = distance
        self.answers = 1
        self.classes: int | None = None

    def sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences of ``distance + 1`` to ``1.1 distance`` steps."""
        room = max(1, self.distance // 10)  # steps among which the first mark is
        spare = chance.integers(1, room + 1, count)
        lengths = self.distance + spare
        time = int(lengths.max())
        everyone = np.arange(count)
        inputs = np.zeros((count, time, 2), dtype=np.float32)
        inputs[:, :, 0] = chance.random((count, time), dtype=np.float32)
        first = chance.integers(0, spare)
        second = chance.integers(spare, np.maximum(spare + 1, lengths // 2))
        inputs[everyone, first, 1] = 1
        inputs[everyone, second, 1] = 1
        inputs[np.arange(time) >= lengths[:, None]] = 0
        sums = inputs[everyone, first, 0] + inputs[everyone, second, 0]
        return Sequences(inputs, lengths.astype(np.int64), sums[:, None])


class Parity(Settled):
    """Is the number of ones even or odd?

    A one turns the answer over, whatever it was: the smallest problem of tracking a state. A recurrence whose
    factors are positive and see the inputs alone can't (Merrill et al. 2024, "The illusion of state in
    state-space models"; Grazzi et al. 2025): it keeps a weighted sum of the bits, which tells even from odd
    only while there are few::

        bits     1  0  1  1          one-hot
        answer            1

    Sequences are of any length from 1, the first step to a rule, to ``distance``; those of the test split go
    on from there, up to ``beyond`` times as far: a rule holds there, what was learnt by heart does not.

    Args:
        distance: the longest sequence in training, so the most steps that the first bit is carried.
        beyond: how many times as long sequences of the test split are at most.

    Raises:
        ConfigError: if a number is too small.
    """

    name: ClassVar[str] = "parity"
    input_size = 2
    answers = 1

    def __init__(self, distance: int, beyond: int = 4) -> None:
        check_at_least(2, distance=distance)
        check_at_least(1, beyond=beyond)
        self.distance, self.beyond = distance, beyond
        self.classes: int | None = 2

    def sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences of 1 to ``distance`` steps."""
        return self._drawn(count, chance, 1, self.distance)

    def test_sequences(self, count: int, chance: np.random.Generator) -> Sequences:
        """Draw ``count`` sequences that are longer than any in training."""
        longest = self.beyond * self.distance
        return self._drawn(count, chance, min(self.distance + 1, longest), longest)

    def _drawn(self, count: int, chance: np.random.Generator, least: int, most: int) -> Sequences:
        lengths = chance.integers(least, most + 1, count)
        bits = chance.integers(0, 2, (count, int(lengths.max())))
        is_padding = np.arange(bits.shape[1]) >= lengths[:, None]
        bits[is_padding] = 0
        inputs = one_hot(bits, 2)
        inputs[is_padding] = 0
        return Sequences(inputs, lengths.astype(np.int64), bits.sum(axis=1, keepdims=True) % 2)


def one_hot(ids: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.float32]:
    """Return vectors ``(count, time, size)`` with a single 1 at each id of ``(count, time)``."""
    vectors: npt.NDArray[np.float32] = np.eye(size, dtype=np.float32)[ids]
    return vectors


def same_lengths(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the lengths of sequences ``(count, time)`` of which none is padded."""
    return np.full(len(ids), ids.shape[1], dtype=np.int64)
