"""What a finished sentiment run shows: where its answers are right, and what words mean to it."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from rnnlab.data.documents import collate
from rnnlab.data.task_data import TaskData
from rnnlab.figures.coloured_words import coloured_words_figure
from rnnlab.figures.documents import ScoredDocuments, accuracy_by_length_figure, confusion_figure
from rnnlab.figures.drawing import publish
from rnnlab.figures.explanation import Explanation, as_markdown, save_pages
from rnnlab.figures.projector import write_projector
from rnnlab.figures.ranking import precision_recall_figure, reliability_figure, roc_figure
from rnnlab.tasks.figures import SPLITS, TaskFigures, word_vectors
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.tasks.sentiment.recorded_documents import RecordedDocuments
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.task import evaluating
from rnnlab.text.tokenizers import readable, separator

WRONG = 20
"""Documents in the list of the most confidently wrong."""
STEPS, ORDERS = 96, 4
"""Of each document's integrated gradients, or Shapley values, at most: enough for colours."""
MEANING = (
    "{} words speak for the wrong answer, {} ones against it (integrated gradients). Only of the "
    "validation split: whoever reads test documents will tune to them."
)
COLOURS, LETTERS = MEANING.format("Blue", "orange"), MEANING.format("Bold", "italic")
"""What is meant by colours, and in a text that has none."""


class SentimentFigures(TaskFigures):
    """Figures of a classifier.

    Args:
        task: the classifier.
        data: its documents.
        words: how many words the embedding projector is to show.
    """

    def __init__(self, task: SentimentClassifier, data: TaskData, words: int) -> None:
        self.task, self.data, self.words = task, cast(SentimentData, data), words
        self.recorders: dict[str, RecordedDocuments] = {
            split: RecordedDocuments(self.data.encoded.splits[split].lengths, task.labels) for split in SPLITS
        }

    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """See :class:`TaskFigures`."""
        folder = run / "figures"
        scored = {split: recorder.scored for split, recorder in self.recorders.items()}
        for split, found in scored.items():
            found.save(folder / f"documents_{split}.npz")
            publish(confusion_figure(found, split), folder, f"confusion_{split}", writer, step)
        publish(roc_figure(scored), folder, "roc", writer, step)
        publish(precision_recall_figure(scored), folder, "precision_recall", writer, step)
        publish(reliability_figure(scored), folder, "reliability", writer, step)
        publish(accuracy_by_length_figure(scored), folder, "accuracy_by_length", writer, step)
        self.show_most_wrong(scored["validation"], folder, writer, step)
        if self.words and writer is not None:
            self.show_words(Path(writer.log_dir))

    def show_most_wrong(
        self, scored: ScoredDocuments, folder: Path, writer: SummaryWriter | None, step: int
    ) -> None:
        """Show the most confidently wrong documents: coloured as figure and page, and as text."""
        title = "Most confidently wrong, validation"
        explanations = self.most_wrong(scored)
        save_pages(title, COLOURS, explanations, folder / "most_wrong.html")
        publish(coloured_words_figure(title, COLOURS, explanations), folder, "most_wrong", writer, step)
        if writer is not None:
            writer.add_text("errors/most_confidently_wrong", as_markdown(LETTERS, explanations), step)

    def most_wrong(self, scored: ScoredDocuments) -> list[Explanation]:
        """Return what led to the wrong answers that were given with the highest probability."""
        known = scored.known
        wrong = np.flatnonzero(~known.right)
        chosen = wrong[np.argsort(-known.confidences[wrong], kind="stable")][:WRONG]
        return [
            self.explained(int(known.documents[row]), int(known.predicted[row]), number, known, int(row))
            for number, row in enumerate(chosen, start=1)
        ]

    def explained(
        self, document: int, answer: int, number: int, scored: ScoredDocuments, row: int
    ) -> Explanation:
        """Return what each word of a validation document did to the answer that was given."""
        split = self.data.encoded.splits["validation"]
        kept = {"max_length": self.data.max_length, "truncate": self.data.truncate}
        batch = collate(split, [document], **kept)  # type: ignore[arg-type]
        ids = batch.inputs[0].to(self.task.device)
        found = self.task.word_shares(ids, answer, most_steps=STEPS, orders=ORDERS)
        vocabulary, tokenizer = self.data.encoded.vocabulary, self.data.encoded.tokenizer
        given, right = (scored.classes[label] for label in (answer, int(scored.labels[row])))
        return Explanation(
            title=f"{number}. {given} with {scored.confidences[row]:.1%}, but it is {right} "
            f"(validation document {document}, {scored.lengths[row]:,} tokens)",
            method=found.method,
            words=readable(tokenizer, [vocabulary.tokens[token] for token in ids.tolist()]),
            values=tuple(found.shares.tolist()),
            unit="logit",
            total=found.difference,
            separator=separator(tokenizer),
        )

    def show_words(self, log_folder: Path) -> None:
        """Show the most frequent words' vectors, each with what the model makes of it alone."""
        encoded = self.data.encoded
        vectors = word_vectors(self.task.embedding, self.words)
        counts = encoded.splits["train"].counts(len(encoded.vocabulary))
        ids = torch.arange(len(vectors), device=self.task.device).unsqueeze(1)
        with evaluating(self.task):
            logits = self.task(ids, torch.ones(len(vectors), dtype=torch.int64))
            probabilities = self.task.probabilities(logits.float()).cpu().numpy()
        names = readable(encoded.tokenizer, encoded.vocabulary.tokens[: len(vectors)])
        best = [self.task.labels[label] for label in probabilities.argmax(axis=1)]
        told = range(1, 2) if self.task.is_binary else range(len(self.task.labels))
        columns = ["word", "frequency", "alone", *(f"probability of {self.task.labels[i]}" for i in told)]
        rows = [
            [name, count, label, *(f"{row[i]:.3f}" for i in told)]
            for name, count, label, row in zip(names, counts.tolist(), best, probabilities, strict=False)
        ]
        write_projector(log_folder, vectors, columns, rows)
