"""What a finished language model run shows: which words it finds hard, and where it was surprised most."""

from pathlib import Path
from typing import cast

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from rnnlab.tasks.language_model.data import LanguageData
from rnnlab.data.task_data import TaskData
from rnnlab.figures.coloured_words import coloured_words_figure
from rnnlab.figures.explanation import Explanation
from rnnlab.figures.explanation_views import save_pages
from rnnlab.figures.perplexity_by_frequency import perplexity_by_frequency_figure
from rnnlab.figures.saved import publish
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.text.readable_tokens import readable, separator
from rnnlab.figures.explained_texts import as_markdown
from rnnlab.figures.projector import write_projector
from rnnlab.tasks.language_model.recorded_tokens import PredictedText, RecordedTokens
from rnnlab.tasks.figures import SPLITS, TaskFigures, word_vectors

WORDS = 20
"""In the list of the most surprising."""
BEFORE, AFTER = 20, 6
"""Tokens shown around a surprising one."""
ONLY = "Each word once. Only of the validation split: whoever reads the test text will tune to it."
COLOURS = f"The bluer a word, the less the model expected it there. {ONLY}"
LETTERS = f"Bold: the word that the model expected least there. {ONLY}"
"""What is meant by colours, and in a text that has none."""


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
        self.frequencies = np.bincount(self.data.text("train"), minlength=len(self.data.encoded.vocabulary))

    def publish(self, run: Path, writer: SummaryWriter, step: int) -> None:
        """See :class:`TaskFigures`."""
        folder = run / "figures"
        scored = {split: recorder.text.sums(self.frequencies) for split, recorder in self.recorders.items()}
        for split, found in scored.items():
            found.save(folder / f"tokens_{split}.npz")
        publish(perplexity_by_frequency_figure(scored), folder, "perplexity_by_frequency", writer, step)
        self.show_surprising(folder, writer, step)
        if self.words:
            self.show_words(Path(writer.log_dir))

    def show_surprising(self, folder: Path, writer: SummaryWriter, step: int) -> None:
        """Show the most surprising words in their context: coloured as figure and page, and as text."""
        title = "Most surprising words, validation"
        text = self.recorders["validation"].text
        explanations = [
            self.explained(text, column, place, number)
            for number, (column, place) in enumerate(most_surprising(text, WORDS), start=1)
        ]
        save_pages(title, COLOURS, explanations, folder / "most_surprising.html")
        publish(coloured_words_figure(title, COLOURS, explanations), folder, "most_surprising", writer, step)
        writer.add_text("errors/most_surprising", as_markdown(LETTERS, explanations), step)

    def explained(self, text: PredictedText, column: int, place: int, number: int) -> Explanation:
        """Return a surprising word with what stands around it."""
        encoded = self.data.encoded
        around = slice(max(0, place - BEFORE), place + AFTER + 1)
        kept = text.counted[column, around]
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
    nats = np.where(text.counted & np.isfinite(text.nats), text.nats, -np.inf)
    found: dict[int, tuple[int, int]] = {}
    for place in np.argsort(-nats, axis=None, kind="stable"):
        column, step = map(int, np.unravel_index(place, nats.shape))
        if len(found) == count or nats[column, step] == -np.inf:
            break
        found.setdefault(int(text.targets[column, step]), (column, step))
    return list(found.values())
