"""How a recognizer's probabilities become texts, as ``task.decoding`` says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rnnlab.errors import ConfigError, nearest
from rnnlab.tasks.speech.advisers import LanguageAdviser, LanguageWords, Trigrams, WordBonus, WordList
from rnnlab.tasks.speech.decoding import Adviser, Ids, Reals, Spelling, beam_search, greedy, pieces
from rnnlab.text.encoding_pass import letters_of

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun

METHODS = ("greedy", "beam")
TRIGRAMS, TRAIN = "trigrams", "train"


@dataclass(frozen=True)
class Decoding:
    """Settings.

    Attributes:
        method: ``greedy``, the best path; or ``beam``, the best text of those that a beam keeps.
        beam: texts that it keeps.
        lm: a run of task=language_model, ``trigrams`` of the training transcripts' words, or None.
        lm_weight: of the language model's log probabilities beside the sound's.
        word_bonus: added for each word.
        words: the only words there are: ``train`` for those of the training transcripts, a file with a word a
            line, or None for any.

    Raises:
        ConfigError: if a value is unknown or out of range, or needs a beam.
    """

    method: str = "greedy"
    beam: int = 16
    lm: str | None = None
    lm_weight: float = 0.5
    word_bonus: float = 0.0
    words: str | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"task.decoding.method={self.method}. {nearest(str(self.method), METHODS)}")
        if self.beam < 1:
            raise ConfigError(f"task.decoding.beam={self.beam}: expected a whole number from 1.")
        advised = {"lm": self.lm, "words": self.words, "word_bonus": self.word_bonus or None}
        given = [name for name, value in advised.items() if value is not None]
        if self.method == "greedy" and given:
            raise ConfigError(
                f"task.decoding.{given[0]} decides between texts, and the greedy method looks at one alone: "
                "set task.decoding.method=beam."
            )


class Decoder:
    """Tells texts.

    Args:
        settings: how.
        spelling: how ids become a text.
        transcripts: of the training recordings.
        opened: opens the run of a language model.

    Raises:
        ConfigError: if the language model is of other characters, or the list of words holds none.
        RunError: if the language model can't be opened.
    """

    def __init__(
        self,
        settings: Decoding,
        spelling: Spelling,
        transcripts: Sequence[str],
        opened: "Callable[[str], OpenedRun] | None" = None,
    ) -> None:
        self.settings, self.spelling = settings, spelling
        self.advisers: list[Adviser] = []
        if settings.words is not None:
            self.advisers.append(WordList(words_named(settings.words, transcripts), spelling))
        if settings.word_bonus:
            self.advisers.append(WordBonus(settings.word_bonus, spelling))
        if settings.lm == TRIGRAMS:
            self.advisers.append(Trigrams(transcripts, settings.lm_weight, spelling))
        elif settings.lm is not None:
            if opened is None:
                raise ConfigError(
                    f"task.decoding.lm={settings.lm}: a training listens without another run; let "
                    "evaluate.py or predict.py ask one, by this key."
                )
            self.advisers.append(language_adviser(opened(settings.lm), settings.lm_weight, spelling))

    def ids(self, log_probabilities: Reals) -> Ids:
        """Return the symbols that a recording says.

        Args:
            log_probabilities: ``(time, symbols + 1)``.
        """
        if self.settings.method == "greedy":
            return tuple(greedy(log_probabilities, self.spelling.blank))
        best = beam_search(
            log_probabilities, self.spelling.blank, beam=self.settings.beam, advisers=self.advisers
        )
        return best[0].ids

    def text(self, log_probabilities: Reals) -> str:
        """Return what a recording says, a long one told in parts."""
        parts = (self.ids(part) for _, part in pieces(log_probabilities, self.spelling))
        return " ".join(text for text in map(self.spelling.text, parts) if text)


def language_adviser(run: "OpenedRun", weight: float, spelling: Spelling) -> Adviser:
    """Return a language model as an adviser: of the symbols themselves, or of the words that they spell."""
    own = [symbol for symbol in run.vocabulary.tokens if letters_of(symbol) == len(symbol) == 1]
    spells_letters = all(len(symbol) == 1 for symbol in spelling.symbols[2:])
    if spells_letters and len(own) < len(run.vocabulary.tokens) / 2:
        return LanguageWords(run, weight, spelling)
    return LanguageAdviser(run, weight, spelling)


def words_named(name: str, transcripts: Sequence[str]) -> list[str]:
    """Return the words of the training transcripts, or of a file with a word a line.

    Raises:
        ConfigError: if there is no such file, or it is no text.
    """
    if name == TRAIN:
        return sorted({word for text in transcripts for word in text.split()})
    try:
        return Path(name).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"task.decoding.words={name}: expected train, or a file of UTF-8 with a word a line ({error})."
        ) from error
