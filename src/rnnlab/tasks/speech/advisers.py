"""What decides besides the sound: a list of words, a language model of this project, trigrams."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.kneser_ney import KneserNey
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.speech.decoding import NOTHING, Adviser, Ids, Reals, Spelling
from rnnlab.tasks.task import evaluating
from rnnlab.text.vocabulary import EOS_ID, SPECIALS, UNK_ID

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun


def words_of(text: str) -> tuple[list[str], str]:
    """Return the whole words of a text that goes on, and the beginning of the next.

    >>> words_of("one two thr"), words_of("one ")
    ((['one', 'two'], 'thr'), (['one'], ''))
    """
    *whole, begun = text.split(" ")
    return [word for word in whole if word], begun


class WordAdviser(Adviser):
    """What is known of whole words, asked wherever one ends.

    Args:
        spelling: how ids become a text.
    """

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling

    def advice(self, texts: Sequence[Ids]) -> Reals:
        """See :class:`Adviser`."""
        found = np.zeros((len(texts), len(self.spelling.symbols)))
        found[:, : len(SPECIALS)] = NOTHING  # no text is spelled by them
        for row, ids in enumerate(texts):
            before = self.raw(ids)
            for number in range(len(SPECIALS), len(self.spelling.symbols)):
                found[row, number] = self.of_more(before, self.spelling.written(ids, number))
        return found

    def endings(self, texts: Sequence[Ids]) -> Reals:
        """See :class:`Adviser`."""
        written = [self.raw(ids) for ids in texts]
        closed = (0.0 if not text or text.endswith(" ") else self.of_more(text, " ") for text in written)
        return np.array([last + self.of_end(text) for last, text in zip(closed, written, strict=True)])

    def raw(self, ids: Ids) -> str:
        """Return a text to the letter, spaces at its end included."""
        return self.spelling.separator.join(self.spelling.symbols[number] for number in ids)

    def of_more(self, before: str, more: str) -> float:
        """Return what it is worth that ``more`` follows in a text."""
        whole, begun = words_of(before)
        total = 0.0
        for letter in more:
            if letter != " ":
                begun += letter
            else:
                total += self.of_word(whole, begun) if begun else NOTHING  # no word has ended
                whole, begun = [*whole, begun] if begun else whole, ""
        return total + self.of_beginning(begun)

    def of_word(self, before: Sequence[str], word: str) -> float:
        """Return what a whole word is worth after those before it."""
        return 0.0

    def of_beginning(self, begun: str) -> float:
        """Return what the beginning of a word, perhaps empty, is worth."""
        return 0.0

    def of_end(self, text: str) -> float:
        """Return what it is worth that no word follows a text."""
        return 0.0


class WordList(WordAdviser):
    """Bars whatever is no beginning of a known word.

    Args:
        words: the known ones.
        spelling: how ids become a text.

    Raises:
        ConfigError: if there is none.
    """

    def __init__(self, words: Iterable[str], spelling: Spelling) -> None:
        super().__init__(spelling)
        self.words = frozenset(words)
        if not self.words:
            raise ConfigError("task.decoding.words: the list holds no word.")
        self.beginnings = {word[:length] for word in self.words for length in range(len(word) + 1)}

    def of_word(self, before: Sequence[str], word: str) -> float:
        """See :class:`WordAdviser`."""
        return 0.0 if word in self.words else NOTHING

    def of_beginning(self, begun: str) -> float:
        """See :class:`WordAdviser`."""
        return 0.0 if begun in self.beginnings else NOTHING


class WordBonus(WordAdviser):
    """Adds a number for each word, against the language model's liking for few.

    Args:
        bonus: what a word is worth.
        spelling: how ids become a text.
    """

    def __init__(self, bonus: float, spelling: Spelling) -> None:
        super().__init__(spelling)
        self.bonus = bonus

    def of_word(self, before: Sequence[str], word: str) -> float:
        """See :class:`WordAdviser`."""
        return self.bonus


class Trigrams(WordAdviser):
    """Words by the two before them: the Kneser-Ney model of the training transcripts.

    Args:
        transcripts: it is fitted on.
        weight: of its log probabilities.
        spelling: how ids become a text.

    Raises:
        ConfigError: if there is no transcript.
    """

    def __init__(self, transcripts: Sequence[str], weight: float, spelling: Spelling) -> None:
        super().__init__(spelling)
        if not transcripts:
            raise ConfigError("task.decoding.lm=trigrams: the run keeps no transcripts to count them in.")
        words = sorted({word for text in transcripts for word in text.split()})
        self.ids = {word: number for number, word in enumerate(words, start=len(SPECIALS))}
        stream = [n for text in transcripts for n in (*(self.ids[word] for word in text.split()), EOS_ID)]
        self.model = KneserNey(np.array(stream), len(words) + len(SPECIALS), before=EOS_ID)
        self.weight = weight
        self._rows: dict[tuple[int, int], Reals] = {}

    def of_word(self, before: Sequence[str], word: str) -> float:
        """See :class:`WordAdviser`; a word that no transcript has is as probable as ``<unk>``."""
        return self.worth(before, self.ids.get(word, UNK_ID))

    def of_end(self, text: str) -> float:
        """See :class:`WordAdviser`."""
        return self.worth(text.split(), EOS_ID)

    def worth(self, before: Sequence[str], number: int) -> float:
        """Return the weighted log probability of an id after some words."""
        first, last = [EOS_ID, EOS_ID, *(self.ids.get(word, UNK_ID) for word in before[-2:])][-2:]
        if (first, last) not in self._rows:
            self._rows[first, last] = np.log(self.model.distribution(first, last))
        return self.weight * float(self._rows[first, last][number])


class LanguageAdviser(Adviser):
    """A language model of this project whose tokens are the symbols that are told.

    Args:
        run: the language model.
        weight: of its log probabilities.
        spelling: how ids become a text.

    Raises:
        ConfigError: if its tokens lack one of the symbols.
    """

    def __init__(self, run: "OpenedRun", weight: float, spelling: Spelling) -> None:
        self.reader = LanguageReader(run)
        self.weight = weight
        tokens = {token: number for number, token in enumerate(run.vocabulary.tokens)}
        own = spelling.symbols[len(SPECIALS) :]
        lacking = [symbol for symbol in own if symbol not in tokens]
        if lacking:
            shown = ", ".join(repr(symbol) for symbol in lacking[:10])
            raise ConfigError(
                f"task.decoding.lm={run.checkpoint}: its vocabulary lacks {shown} of what this model tells. "
                "Take a language model of the same alphabet, in which words are written alike, such as one "
                "of the transcripts: task=language_model with the same data and tokenizer."
            )
        self.tokens = np.array([tokens[symbol] for symbol in own])
        self.symbols = len(spelling.symbols)

    def advice(self, texts: Sequence[Ids]) -> Reals:
        """See :class:`Adviser`."""
        found = np.full((len(texts), self.symbols), NOTHING)
        found[:, len(SPECIALS) :] = self.weight * self.rows(texts)[:, self.tokens]
        return found

    def endings(self, texts: Sequence[Ids]) -> Reals:
        """See :class:`Adviser`."""
        found: Reals = self.weight * self.rows(texts)[:, EOS_ID]
        return found

    def rows(self, texts: Sequence[Ids]) -> Reals:
        """Return the log probability of each token after each text."""
        return self.reader.after([tuple(self.tokens[n - len(SPECIALS)] for n in ids) for ids in texts])


class LanguageWords(WordAdviser):
    """A language model of words, beside letters: it is asked wherever a word ends.

    Args:
        run: the language model.
        weight: of its log probabilities.
        spelling: how ids become a text.
    """

    def __init__(self, run: "OpenedRun", weight: float, spelling: Spelling) -> None:
        super().__init__(spelling)
        self.reader, self.weight, self.vocabulary = LanguageReader(run), weight, run.vocabulary
        letters = set("".join(self.vocabulary.tokens[len(SPECIALS) :]))
        lacking = [
            symbol for symbol in spelling.symbols[len(SPECIALS) :] if not set(symbol) <= letters | {" "}
        ]
        if lacking:
            raise ConfigError(
                f"task.decoding.lm={run.checkpoint}: its words are of other characters, without "
                f"{', '.join(map(repr, lacking[:10]))}. Take a language model of transcripts like these."
            )

    def of_word(self, before: Sequence[str], word: str) -> float:
        """See :class:`WordAdviser`."""
        return self.worth(before, self.vocabulary.id_of(word))

    def of_end(self, text: str) -> float:
        """See :class:`WordAdviser`."""
        return self.worth(text.split(), EOS_ID)

    def worth(self, before: Sequence[str], number: int) -> float:
        """Return the weighted log probability of an id after some words."""
        row = self.reader.after([tuple(map(self.vocabulary.id_of, before))])[0]
        return self.weight * float(row[number])


class LanguageReader:
    """What a language model says of the next token, its states kept so that no text is read twice.

    Args:
        run: the language model.

    Raises:
        ConfigError: if it is none, or reads backwards.
    """

    kept = 200_000
    """Texts whose rows are kept; then all is forgotten."""

    def __init__(self, run: "OpenedRun") -> None:
        task = run.task
        if not isinstance(task, LanguageModel):
            raise ConfigError(
                f"task.decoding.lm={run.checkpoint} is a model of task={run.task_name}: take one of "
                "task=language_model."
            )
        if task.reads_backward:
            raise ConfigError(f"task.decoding.lm={run.checkpoint} reads backwards, and sound goes forwards.")
        self.task = task
        self._rows: dict[Ids, Reals] = {}
        self._states: dict[Ids, tuple[torch.Tensor, ...]] = {}

    def after(self, texts: Sequence[Ids]) -> Reals:
        """Return the log probability of each token after each text, ``(texts, tokens)``."""
        if len(self._rows) > self.kept:
            self._rows.clear()
            self._states.clear()
        for length in sorted({len(text) for text in texts}):
            for depth in range(length + 1):
                new = {text[:depth] for text in texts if len(text) == length} - self._rows.keys()
                if new:
                    self._read(sorted(new))
        return np.stack([self._rows[text] for text in texts])

    def _read(self, texts: Sequence[Ids]) -> None:
        """Read the last token of texts of one length, whose beginnings were read."""
        last = torch.tensor([[text[-1] if text else EOS_ID] for text in texts])
        states = None
        if texts[0]:
            before = [self._states[text[:-1]] for text in texts]
            states = tuple(torch.cat(parts, dim=1) for parts in zip(*before, strict=True))
        with evaluating(self.task):
            hidden, after = self.task(last, states)
            logits = self.task.decoder.log_probabilities(hidden[:, 0]).double().numpy()
        for row, text in enumerate(texts):
            self._rows[text] = logits[row]
            self._states[text] = tuple(part[:, row : row + 1] for part in after)
