"""What a finished language model run shows: which words it finds hard, and where it was surprised most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import lightning
import numpy as np
import numpy.typing as npt
from torch.utils.tensorboard import SummaryWriter

from rnnlab.data.streams import StreamBatch
from rnnlab.data.task_data import TaskData
from rnnlab.figures.coloured_words import coloured_words_figure
from rnnlab.figures.drawing import publish
from rnnlab.figures.explanation import Explanation, as_markdown, save_pages
from rnnlab.figures.projector import write_projector
from rnnlab.figures.tokens import ScoredTokens, perplexity_by_frequency_figure
from rnnlab.tasks.figures import SPLITS, Recorder, TaskFigures, gathered, word_vectors
from rnnlab.tasks.language_model.data import LanguageData
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.text.tokenizers import readable, separator

WORDS = 20
"""In the list of the most surprising."""
BEFORE, AFTER = 20, 6
"""Tokens shown around a surprising one."""
ONLY = "Each word once. Only of the validation split: whoever reads the test text will tune to it."
COLOURS = f"The bluer a word, the less the model expected it there. {ONLY}"
LETTERS = f"Bold: the word that the model expected least there. {ONLY}"
"""What is meant by colours, and in a text that has none."""


class PredictedText(NamedTuple):
    """The columns of a split, side by side.

    Attributes:
        targets: the ids that were to be predicted ``(columns, steps)``.
        nats: their negative log-probabilities ``(columns, steps)``.
        valid: False where a column has ended ``(columns, steps)``.
    """

    targets: npt.NDArray[np.int32]
    nats: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]

    def in_order(self) -> npt.NDArray[np.float32]:
        """Return the nats of every token in the order of the text ``(tokens,)``."""
        return self.nats[self.valid]

    def sums(self, frequencies: npt.NDArray[np.int64]) -> ScoredTokens:
        """Return counts and nats of each id.

        Args:
            frequencies: how often each occurs in the training text ``(vocabulary,)``.
        """
        targets, nats = self.targets[self.valid], self.nats[self.valid]
        size = len(frequencies)
        return ScoredTokens(
            frequencies=frequencies,
            counts=np.bincount(targets, minlength=size),
            nats=np.bincount(targets, weights=nats, minlength=size).astype(np.float64),
        )


class RecordedTokens(Recorder):
    """Keeps the losses that the steps of a validation or a test return.

    Attributes:
        scored: the columns of all processes; there when the split has been scored.
    """

    def __init__(self) -> None:
        self.windows: list[PredictedText] = []
        self.scored: PredictedText

    def begin(self, loader: Any) -> None:
        """Forget what was kept."""
        self.windows = []

    def keep(self, outputs: Any, batch: StreamBatch, number: int) -> None:
        """Keep a window."""
        shape = tuple(batch.targets.shape)
        valid = np.ones(shape, np.bool_) if batch.valid is None else batch.valid.cpu().numpy()
        targets = batch.targets.cpu().numpy().astype(np.int32)
        self.windows.append(PredictedText(targets, outputs.float().cpu().numpy(), valid))

    def end(self, trainer: lightning.Trainer) -> None:
        """Join the windows, and the columns of all processes."""
        self.scored = stacked(gathered(joined(self.windows), trainer))


def joined(windows: Sequence[PredictedText]) -> PredictedText:
    """Return windows of the same columns as one."""
    return PredictedText(*(np.concatenate(parts, axis=1) for parts in zip(*windows, strict=True)))


def stacked(texts: Sequence[PredictedText]) -> PredictedText:
    """Return the columns of several texts side by side; shorter ones end before the others."""
    steps = max(text.targets.shape[1] for text in texts)
    padded = [[np.pad(part, ((0, 0), (0, steps - part.shape[1]))) for part in text] for text in texts]
    return PredictedText(*(np.concatenate(parts) for parts in zip(*padded, strict=True)))


class LanguageFigures(TaskFigures):
    """Figures of a language model.

    Args:
        task: the language model.
        data: its text.
        words: how many words the embedding projector is to show.
    """

    def __init__(self, task: LanguageModel, data: TaskData, words: int) -> None:
        self.task, self.data, self.words = task, cast(LanguageData, data), words
        self.recorders: dict[str, RecordedTokens] = {split: RecordedTokens() for split in SPLITS}
        self.frequencies = self.data.text("train").counts(len(self.data.encoded.vocabulary))

    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """See :class:`TaskFigures`."""
        folder = run / "figures"
        scored = {split: recorder.scored.sums(self.frequencies) for split, recorder in self.recorders.items()}
        for split, found in scored.items():
            found.save(folder / f"tokens_{split}.npz")
        publish(perplexity_by_frequency_figure(scored), folder, "perplexity_by_frequency", writer, step)
        self.show_surprising(folder, writer, step)
        if self.words and writer is not None:
            self.show_words(Path(writer.log_dir))

    def show_surprising(self, folder: Path, writer: SummaryWriter | None, step: int) -> None:
        """Show the most surprising words in their context: coloured as figure and page, and as text."""
        title = "Most surprising words, validation"
        text = self.recorders["validation"].scored
        explanations = [
            self.explained(text, column, place, number)
            for number, (column, place) in enumerate(most_surprising(text, WORDS), start=1)
        ]
        save_pages(title, COLOURS, explanations, folder / "most_surprising.html")
        publish(coloured_words_figure(title, COLOURS, explanations), folder, "most_surprising", writer, step)
        if writer is not None:
            writer.add_text("errors/most_surprising", as_markdown(LETTERS, explanations), step)

    def explained(self, text: PredictedText, column: int, place: int, number: int) -> Explanation:
        """Return a surprising word with what stands around it."""
        encoded = self.data.encoded
        around = slice(max(0, place - BEFORE), place + AFTER + 1)
        kept = text.valid[column, around]
        ids, nats = text.targets[column, around][kept], text.nats[column, around][kept]
        words = readable(encoded.tokenizer, [encoded.vocabulary.tokens[token] for token in ids])
        token = int(text.targets[column, place])
        (word,) = readable(encoded.tokenizer, [encoded.vocabulary.tokens[token]])
        surprise = float(text.nats[column, place])
        return Explanation(
            title=f"{number}. {word}: probability {np.exp(-surprise):.1e}, {surprise:.1f} nats; "
            f"{self.frequencies[token]:,} times in the training text",
            method="A word's number is its surprisal, -log p(word | those before it), in nats.",
            words=words,
            values=tuple(np.nan_to_num(nats).tolist()),
            unit="nats",
            total=float(np.nan_to_num(nats).sum()),
            separator=separator(encoded.tokenizer),
            signed=False,
        )

    def show_words(self, log_folder: Path) -> None:
        """Show the most frequent words' vectors."""
        encoded = self.data.encoded
        vectors = word_vectors(self.task.embedding, self.words)
        names = readable(encoded.tokenizer, encoded.vocabulary.tokens[: len(vectors)])
        rows = list(zip(names, self.frequencies.tolist(), strict=False))
        write_projector(log_folder, vectors, ["word", "frequency"], rows)


def most_surprising(text: PredictedText, count: int) -> list[tuple[int, int]]:
    """Return where the least probable tokens are, column and step, the least probable first; each id once."""
    nats = np.where(text.valid & np.isfinite(text.nats), text.nats, -np.inf)
    found: dict[int, tuple[int, int]] = {}
    for place in np.argsort(-nats, axis=None, kind="stable"):
        column, step = map(int, np.unravel_index(place, nats.shape))
        if len(found) == count or nats[column, step] == -np.inf:
            break
        found.setdefault(int(text.targets[column, step]), (column, step))
    return list(found.values())
