"""From probabilities at each step to a text: the best path, or the best text over all its paths."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating[Any]]
Ids = tuple[int, ...]

NOTHING = -np.inf
TOGETHER = 2000
"""Steps that are decoded at once: more than a minute."""


@dataclass(frozen=True)
class Spelling:
    """How ids become a text.

    Attributes:
        symbols: by id; the blank's id is behind them.
        separator: what stands between two of them.
    """

    symbols: tuple[str, ...]
    separator: str = ""

    @property
    def blank(self) -> int:
        """The id of the blank."""
        return len(self.symbols)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with single spaces between its words."""
        return " ".join(self.separator.join(self.symbols[number] for number in ids).split())

    def written(self, before: Ids, number: int) -> str:
        """Return what an id adds to the text of those before it."""
        return f"{self.separator if before else ''}{self.symbols[number]}"


def pieces(log_probabilities: Reals, spelling: Spelling, most: int = TOGETHER) -> Iterator[tuple[int, Reals]]:
    """Cut a long recording into parts that are decoded one by one: time and memory grow by length times text.

    Each part ends where the best path is surest of a space, or of a blank where it writes no space, in the
    last quarter of the steps that a part may have.

    Args:
        log_probabilities: ``(time, symbols + 1)``.
        spelling: its symbols.
        most: steps of a part.

    Yields:
        The step at which a part begins, and the part; the whole where it is not longer than ``most``.
    """
    space = spelling.symbols.index(" ") if " " in spelling.symbols else spelling.blank
    start = 0
    while len(log_probabilities) - start > most:
        searched = slice(start + most - max(1, most // 4), start + most)
        path = log_probabilities[searched].argmax(axis=1)
        symbol = space if space in path else spelling.blank
        sure = np.where(path == symbol, log_probabilities[searched, symbol], NOTHING)
        end = searched.start + int(sure.argmax()) + 1
        ended = log_probabilities[end - 1].argmax()
        while end < len(log_probabilities) and log_probabilities[end].argmax() == ended != spelling.blank:
            end += 1  # or one symbol would be told twice
        yield start, log_probabilities[start:end]
        start = end
    yield start, log_probabilities[start:]


def greedy(log_probabilities: Reals, blank: int) -> list[int]:
    """Return the ids of the most probable path: equal neighbours merged, then blanks removed.

    Args:
        log_probabilities: ``(time, symbols + 1)``.
        blank: its id.
    """
    path = log_probabilities.argmax(axis=1).tolist()
    return [number for number, _ in groupby(path) if number != blank]


class Adviser(ABC):
    """What a text is worth beside its sound, symbol by symbol, as natural logarithms."""

    @abstractmethod
    def advice(self, texts: Sequence[Ids]) -> Reals:
        """Return what each symbol adds after each text, ``(texts, symbols)``; minus infinity bars it."""

    @abstractmethod
    def endings(self, texts: Sequence[Ids]) -> Reals:
        """Return what it adds that each text ends, ``(texts,)``."""


class Heard(NamedTuple):
    """A text that a recording may say.

    Attributes:
        ids: its symbols.
        sound: the natural logarithm of its probability given the sound, over all paths that were kept.
        score: that, and what the advisers say of it.
    """

    ids: Ids
    sound: float
    score: float


class _Beginning(NamedTuple):
    """The paths so far that stand for one text: ending in a blank, in its last symbol; and its advice."""

    blank: float
    symbol: float
    advised: float

    @property
    def sound(self) -> float:
        return float(np.logaddexp(self.blank, self.symbol))

    @property
    def score(self) -> float:
        return self.sound + self.advised


def beam_search(
    log_probabilities: Reals,
    blank: int,
    *,
    beam: int | None = 16,
    advisers: Sequence[Adviser] = (),
    least: float = -12.0,
) -> list[Heard]:
    """Return the most probable texts, the best first: each summed over its paths (Hannun et al. 2014).

    Args:
        log_probabilities: ``(time, symbols + 1)``.
        blank: its id, the last.
        beam: texts kept after each step; None keeps all, whose number grows without bound.
        advisers: what else decides, such as a language model.
        least: the log probability below which a symbol is not tried at a step.
    """
    kept: dict[Ids, _Beginning] = {(): _Beginning(0.0, NOTHING, 0.0)}
    notes: dict[Ids, Reals] = {}
    for step in log_probabilities.astype(np.float64):
        tried = [number for number in np.flatnonzero(step >= least).tolist() if number != blank]
        if advisers and tried:
            _take_advice(notes, kept, advisers)
        grown = _grown(kept, step, blank, tried, notes)
        best = sorted(grown.items(), key=lambda pair: -pair[1].score)
        kept = dict(best if beam is None else best[:beam])
    texts = list(kept)
    endings = sum((adviser.endings(texts) for adviser in advisers), np.zeros(len(texts)))
    found = [
        Heard(ids, kept[ids].sound, kept[ids].score + float(ending))
        for ids, ending in zip(texts, endings, strict=True)
    ]
    return sorted((heard for heard in found if heard.score > NOTHING), key=lambda heard: -heard.score) or [
        Heard((), kept[()].sound if () in kept else NOTHING, NOTHING)
    ]


def _take_advice(notes: dict[Ids, Reals], kept: dict[Ids, _Beginning], advisers: Sequence[Adviser]) -> None:
    """Ask about the texts that are new in the beam, all at once."""
    new = [ids for ids in kept if ids not in notes]
    if new:
        rows = sum(adviser.advice(new) for adviser in advisers)
        notes.update(zip(new, rows, strict=True))  # type: ignore[arg-type]


def _grown(
    kept: dict[Ids, _Beginning], step: Reals, blank: int, tried: Sequence[int], notes: dict[Ids, Reals]
) -> dict[Ids, _Beginning]:
    """Return the texts after one more step."""
    grown: dict[Ids, _Beginning] = {}

    def add(ids: Ids, on_blank: float, on_symbol: float, advised: float) -> None:
        before = grown.get(ids)
        if before is not None:
            on_blank = float(np.logaddexp(before.blank, on_blank))
            on_symbol = float(np.logaddexp(before.symbol, on_symbol))
        grown[ids] = _Beginning(on_blank, on_symbol, advised)

    for ids, paths in kept.items():
        last = ids[-1] if ids else None
        stay = NOTHING if last is None else paths.symbol + step[last]
        add(ids, paths.sound + step[blank], stay, paths.advised)
        advice = notes.get(ids)
        for number in tried:
            advised = 0.0 if advice is None else float(advice[number])
            # The same symbol again is another one only behind a blank.
            before = paths.blank if number == last else paths.sound
            if advised > NOTHING and before > NOTHING:
                add((*ids, number), NOTHING, before + step[number], paths.advised + advised)
    return grown


class Placed(NamedTuple):
    """Where a symbol is heard.

    Attributes:
        first: the first step of its run on the best path.
        last: the last.
        probability: the symbol's largest in that run.
    """

    first: int
    last: int
    probability: float


def aligned(log_probabilities: Reals, ids: Sequence[int], blank: int) -> list[Placed]:
    """Return where each symbol of a text lies on its most probable path (Viterbi).

    Args:
        log_probabilities: ``(time, symbols + 1)``.
        ids: the text.
        blank: its id.

    Raises:
        ValueError: if there are too few steps for the text.
    """
    labels = np.full(2 * len(ids) + 1, blank)
    labels[1::2] = ids
    scores = np.full(len(labels), NOTHING)
    scores[:2] = log_probabilities[0, labels[:2]]
    may_skip = np.zeros(len(labels), dtype=bool)
    may_skip[3::2] = labels[3::2] != labels[1:-2:2]
    came: list[npt.NDArray[np.uint8]] = []
    for step in log_probabilities[1:]:
        ways = np.full((3, len(labels)), NOTHING)
        ways[0], ways[1, 1:] = scores, scores[:-1]
        ways[2, 2:] = np.where(may_skip[2:], scores[:-2], NOTHING)
        came.append(ways.argmax(axis=0).astype(np.uint8))
        scores = ways.max(axis=0) + step[labels]
    place = len(labels) - 1 if len(labels) == 1 or scores[-1] >= scores[-2] else len(labels) - 2
    if scores[place] == NOTHING:
        raise ValueError(f"{len(log_probabilities)} steps are too few for {len(ids)} symbols")
    path = [place]
    for back in reversed(came):
        path.append(path[-1] - int(back[path[-1]]))
    path.reverse()
    return [
        _placed(log_probabilities, np.flatnonzero(np.array(path) == 2 * n + 1), ids[n])
        for n in range(len(ids))
    ]


def _placed(log_probabilities: Reals, steps: npt.NDArray[np.int64], number: int) -> Placed:
    return Placed(int(steps[0]), int(steps[-1]), float(np.exp(log_probabilities[steps, number].max())))
