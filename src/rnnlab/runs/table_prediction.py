"""Predictions for a table of any length: read, predicted and written window by window."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from rnnlab import interruption
from rnnlab.atomic import written_beside
from rnnlab.corpora.rows import Row
from rnnlab.errors import DataError
from rnnlab.runs.text_tables import (
    Columns,
    SafeCells,
    check_columns_free,
    check_output,
    format_of,
    read_texts,
    row_writer,
)
from rnnlab.tasks.answers import WINDOW, Prediction, TrainedModel
from rnnlab.terminal import errors

LABEL = "predicted_label"
WINDOW_CHARACTERS = 8 << 20  # a window of very long texts has fewer of them


@dataclass
class Tally:
    """What was predicted, for the report."""

    texts: int = 0
    tokens: int = 0
    empty: int = 0
    cut: int = 0
    seconds: float = 0.0
    safe: SafeCells = field(default_factory=SafeCells)

    def add(self, prediction: Prediction) -> None:
        """Count one prediction."""
        self.texts += 1
        self.tokens += prediction.read
        self.empty += prediction.tokens == 0
        self.cut += prediction.read < prediction.tokens

    def notes(self, max_length: int | None) -> list[str]:
        """Return the sentences a person should read."""
        rate = self.texts / max(self.seconds, 1e-9)
        shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        found = [f"{self.texts:,} texts in {self.seconds:.1f} s: {shown} texts/s."]
        if self.empty:
            found.append(f"{self.empty:,} without a word: predicted as a lone <eos>.")
        if self.cut:
            found.append(
                f"{self.cut:,} longer than the {max_length:,} tokens that are read: cut as in training."
            )
        if self.safe.changed:
            found.append(
                f"{self.safe.changed:,} cells that a spreadsheet would take for a formula begin with an "
                "apostrophe; safe_cells=false leaves them as they are."
            )
        return found


def predict_table(
    model: TrainedModel,
    source: Path,
    target: Path,
    *,
    column: str = "text",
    quotes: bool | None = None,
    overwrite: bool = False,
    safe_cells: bool | None = None,
) -> Tally:
    """Write each row of a table with the model's label and the probability of each class.

    Rows keep their order and their columns, the second of one name with a number; memory holds a window of
    them. ``target`` appears when all is written.

    Args:
        model: a sentiment model.
        source: a CSV, TSV, JSON Lines or plain-text file.
        target: a CSV, TSV or JSON Lines file to write.
        column: the column of the text.
        quotes: whether quotation marks can enclose a field of the table; None: see
            :class:`rnnlab.corpora.rows.RowReader`.
        overwrite: whether ``target`` may exist.
        safe_cells: whether cells of a CSV or TSV that a spreadsheet would take for formulas get an apostrophe
            before them; None: only the predicted labels, which are the model's and not the table's.

    Raises:
        RunError: if ``target`` exists, or is ``source``.
        ConfigError: if an ending tells no format.
        DataError: naming file and line, for what can't be read.
        RnnlabError: if the disk is full.
    """
    check_output(target, overwrite, source)
    looked_at = {None: (LABEL,), True: None, False: ()}[safe_cells]
    tally = Tally(safe=SafeCells(looked_at))
    started = time.perf_counter()
    form = format_of(target)
    rows = read_texts(source, column, quotes)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{source} has no rows.")
    check_columns_free(first.columns, list(added_columns(model, None)), source)
    with written_beside(target) as unfinished, progress() as bar:
        row = bar.add_task("Predicting", total=None, rate="")
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            write = row_writer(file, form, tally.safe)
            for columns, prediction in predicted(model, chain((first,), rows)):
                write(columns)
                tally.add(prediction)
                tally.seconds = time.perf_counter() - started
                if tally.texts % 256 == 0:
                    bar.update(row, completed=tally.texts, rate=f"{tally.texts / tally.seconds:,.0f} texts/s")
    return tally


def predicted(
    model: TrainedModel, rows: Iterable[Row], window: int = WINDOW
) -> Iterator[tuple[Columns, Prediction]]:
    """Yield each row's columns with the predicted ones added, and the prediction."""
    for chunk in windows(iter(rows), window):
        interruption.check()
        predictions = model.predictions([row.text for row in chunk])
        for row, prediction in zip(chunk, predictions, strict=True):
            yield {**row.columns, **added_columns(model, prediction)}, prediction


def windows(rows: Iterator[Row], window: int) -> Iterator[list[Row]]:
    """Yield lists of at most ``window`` rows and, beyond one row, ``WINDOW_CHARACTERS``."""
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        if chunk and (len(chunk) == window or characters + len(row.text) > WINDOW_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(row)
        characters += len(row.text)
        if len(chunk) == window:  # at once: who types lines waits for the answer
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def added_columns(model: TrainedModel, prediction: Prediction | None) -> Columns:
    """Return the columns that are added to a row; without values where there is no prediction."""
    shares = [None] * len(model.labels) if prediction is None else prediction.probabilities.tolist()
    names = [f"probability_{label}" for label in model.labels]
    rounded = (None if share is None else round(share, 6) for share in shares)
    return {
        LABEL: None if prediction is None else prediction.label,
        **dict(zip(names, rounded, strict=True)),
    }


def progress() -> Progress:
    """Return the bar that shows count and rate, on the error stream, where that is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,} texts"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
