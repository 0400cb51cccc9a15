"""The answers of ``scripts/predict.py``: one text, a stream of lines, a table, an explanation.

A stream or a table may be of any length: it is read, predicted and written window by window.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from rnnlab import interruption
from rnnlab.atomic import written_beside
from rnnlab.corpora.rows import Row
from rnnlab.errors import ConfigError, DataError, RnnlabError
from rnnlab.figures.explanation import terminal_view
from rnnlab.named_classes import trusted_packages
from rnnlab.runs.load import load
from rnnlab.runs.text_tables import (
    Columns,
    SafeCells,
    check_columns_free,
    check_output,
    format_of,
    free_name,
    read_texts,
    row_writer,
    text_row,
)
from rnnlab.tasks.answers import WINDOW, Prediction, TrainedModel
from rnnlab.terminal import console, errors, why_unheard
from rnnlab.visible import visible_json

if TYPE_CHECKING:
    from rnnlab.commands.predict import Arguments

LABEL = "predicted_label"
WINDOW_CHARACTERS = 8 << 20  # a window of very long texts has fewer of them


def answer(asked: "Arguments", task: Mapping[str, Any]) -> None:
    """Predict or explain.

    Args:
        asked: see ``scripts/predict.py --help``.
        task: keys of the task's section that are said anew, see :func:`rnnlab.runs.load.open_run`.

    Raises:
        RnnlabError: for whatever the user can mend.
    """
    check_together(asked)
    model = load(asked.run, device=asked.device, trust=trusted_packages(asked.trust), task=task)
    if asked.together:
        model.join_simple(Path(asked.run), asked.weight)
    if asked.input is not None and asked.output is None:
        if not model.shows_files or asked.explain or asked.horizon is not None:
            raise lacking_output(asked.input, by_lines=model.tells_classes and not asked.explain)
        model.show_files(Path(asked.input))
    elif asked.input is not None and asked.output is not None and (asked.explain or not model.tells_classes):
        source, safe = Path(asked.input), SafeCells(None if asked.safe_cells else ())
        if asked.explain:
            rows = model.file_explanations(source, asked.label)
        else:
            rows = model.file_answers(source, asked.horizon)
        write_rows(rows, Path(asked.output), asked.overwrite, source, safe)
    elif asked.horizon is not None:
        raise model.refusal("forecast", "forecasting")
    elif asked.explain and asked.text is not None:
        page = Path(asked.output) if asked.output else free_name(Path("explanation.html"))
        explain_text(model, asked.text, asked.label, page, asked.overwrite)
    elif not model.tells_classes:
        raise model.refusal("tell classes", "sentiment")
    elif asked.text is not None:
        show(model, asked.text)
    elif asked.input is not None and asked.output is not None:
        tally = predict_table(
            model,
            Path(asked.input),
            Path(asked.output),
            column=asked.text_column,
            quotes=asked.quotes,
            overwrite=asked.overwrite,
            safe_cells=asked.safe_cells,
        )
        for note in tally.notes(model.max_length):
            errors.print(note)
        errors.print(f"Predictions  {asked.output}")
    else:
        predict_lines(model, asked.text_column)


def lacking_output(input: str, by_lines: bool) -> RnnlabError:
    """Return the error where a file is to be answered, and it is not said where to.

    Args:
        input: the file.
        by_lines: whether texts are answered on the terminal, too, a line each.
    """
    if not Path(input).exists():
        return DataError(f"There is no file {input}.")
    shown = " Or without input=…, for a plain text, a text a line: … < file." if by_lines else ""
    return ConfigError(f"input needs output=…, the file for the predictions.{shown}")


def check_together(asked: "Arguments") -> None:
    """Check that the arguments make sense together.

    Raises:
        ConfigError: naming those that don't.
    """
    if asked.text is not None and asked.input is not None:
        raise ConfigError("text and input are both given; choose one.")
    if asked.quotes is not None and asked.input is None:
        raise ConfigError("quotes=… is for input=…, a table.")
    if asked.explain and asked.text is None and asked.input is None:
        raise ConfigError('explain=true needs text="…", the one text to explain, or input=… with series.')
    if asked.horizon is not None and asked.explain:
        raise ConfigError("horizon=… is for a forecast; explain=true explains the mean over all its steps.")
    if asked.label is not None and not asked.explain:
        raise ConfigError("label=… is for explain=true.")
    if asked.output is not None and not asked.explain and asked.input is None:
        raise ConfigError(
            "output is for input=… or explain=true; without them predictions go to the terminal."
        )
    if asked.weight is not None and not asked.together:
        raise ConfigError("weight=… is for together=true: it is the simple method's share.")
    if asked.together and asked.explain:
        raise ConfigError("explain=true explains the network alone: leave together=true out.")


def write_rows(
    rows: Iterator[dict[str, Any]], target: Path, overwrite: bool, source: Path, safe: SafeCells
) -> None:
    """Write the answer to a whole table; the file appears when all is written.

    Raises:
        RunError: if it exists, or is the source.
        ConfigError: if its ending tells no format.
    """
    check_output(target, overwrite, source)
    form, count = format_of(target), 0
    with written_beside(target) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        write = row_writer(file, form, safe)
        for row in rows:
            write(row)
            count += 1
    errors.print(f"{count:,} rows  {target}")


def explain_text(model: TrainedModel, text: str, label: str | None, page: Path, overwrite: bool) -> None:
    """Show coloured words in the terminal and save them as a page."""
    check_output(page, overwrite)
    explanation = model.explain(text, label)
    console.print(terminal_view(explanation, coloured=console.color_system is not None))
    explanation.save(page)
    note_unknown(model, text)
    errors.print(f"Page  {page}")


def show(model: TrainedModel, text: str) -> None:
    """Print the probability of each class, the most probable first."""
    (prediction,) = model.predictions([text])
    for share, label in sorted(
        zip(prediction.probabilities.tolist(), model.labels, strict=True), reverse=True
    ):
        console.print(f"{share:8.2%}  {label}", style="bold" if label in prediction.chosen else None)
    tally = Tally()
    tally.add(prediction)
    for note in tally.notes(model.max_length)[1:]:
        errors.print(note)
    note_unknown(model, text)


def note_unknown(model: TrainedModel, text: str) -> None:
    """Name the words that the model doesn't know, the first twenty of them."""
    unknown = model.unknown_words(text)
    if unknown:
        more = f" and {len(unknown) - 20:,} more" if len(unknown) > 20 else ""
        errors.print(f"Not in the vocabulary, read as <unk>: {', '.join(unknown[:20])}{more}")


def predict_lines(model: TrainedModel, column: str) -> None:
    """Answer each line of standard input with a JSON object, in their order; a person's line at once."""
    typed = sys.stdin.isatty()
    if typed:
        errors.print("A text a line; Ctrl-D ends.")
    lines = stdin_rows(sys.stdin.buffer, column)
    tally = Tally()
    for columns, prediction in predicted(model, lines, 1 if typed else WINDOW):
        print(visible_json(json.dumps(columns, ensure_ascii=False)), flush=typed)
        tally.add(prediction)
        if why_unheard() is not None:  # the reader, such as head, has enough
            return
    for note in tally.notes(model.max_length)[1:]:
        errors.print(note)


def stdin_rows(stream: BinaryIO, column: str) -> Iterator[Row]:
    """Yield the lines of standard input.

    Raises:
        DataError: naming the line, if bytes are not UTF-8.
    """
    for number in count(1):
        with interruption.waiting():
            line = stream.readline()
        if not line:
            return
        try:
            yield text_row(column, line.decode("utf-8").rstrip("\r\n"), number)
        except UnicodeDecodeError as error:
            raise DataError(f"Standard input, line {number}: not UTF-8 ({error.reason}).") from error


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
            for columns, prediction in predicted(model, chain((first,), rows), WINDOW):
                write(columns)
                tally.add(prediction)
                tally.seconds = time.perf_counter() - started
                if tally.texts % 256 == 0:
                    bar.update(row, completed=tally.texts, rate=f"{tally.texts / tally.seconds:,.0f} texts/s")
    return tally


def predicted(model: TrainedModel, rows: Iterable[Row], window: int) -> Iterator[tuple[Columns, Prediction]]:
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
