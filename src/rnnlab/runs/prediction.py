"""The answers of ``scripts/predict.py``: one text, a stream of lines, a table, an explanation."""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from rnnlab.atomic import written_beside
from rnnlab.corpora.rows import Row
from rnnlab.errors import ConfigError, DataError, RnnlabError
from rnnlab.figures.explanation import save_page, terminal_view
from rnnlab.interruption import waiting
from rnnlab.named_classes import trusted_packages
from rnnlab.runs.load import load
from rnnlab.runs.table_prediction import Tally, predict_table, predicted
from rnnlab.runs.text_tables import SafeCells, check_output, format_of, free_name, row_writer, text_row
from rnnlab.tasks.answers import WINDOW, TrainedModel
from rnnlab.terminal import console, errors, why_unheard
from rnnlab.visible import visible_json


def answer(
    run: str,
    text: str | None = None,
    input: str | None = None,
    output: str | None = None,
    text_column: str = "text",
    quotes: bool | None = None,
    overwrite: bool = False,
    explain: bool = False,
    label: str | None = None,
    device: str = "auto",
    trust: str | None = None,
    safe_cells: bool | None = None,
    horizon: int | None = None,
    task: Mapping[str, Any] | None = None,
    together: bool = False,
    weight: float | None = None,
) -> None:
    """Predict or explain, see ``scripts/predict.py --help`` for the arguments.

    ``task`` has keys of the task's section that are said anew, see :func:`rnnlab.runs.load.open_run`.

    Raises:
        RnnlabError: for whatever the user can mend.
    """
    check_together(text, input, output, explain, label, quotes, horizon)
    if weight is not None and not together:
        raise ConfigError("weight=… is for together=true: it is the simple method's share.")
    if together and explain:
        raise ConfigError("explain=true explains the network alone: leave together=true out.")
    model = load(run, device=device, trust=trusted_packages(trust), task=task)
    if together:
        model.join_simple(Path(run), weight)
    if input is not None and output is None:
        if not model.shows_files or explain or horizon is not None:
            raise lacking_output(input, by_lines=model.tells_classes and not explain)
        model.show_files(Path(input))
        return
    if input is not None and output is not None and (explain or not model.tells_classes):
        source = Path(input)
        rows = model.file_explanations(source, label) if explain else model.file_answers(source, horizon)
        write_rows(rows, Path(output), overwrite, source, SafeCells(None if safe_cells else ()))
        return
    if horizon is not None:
        raise model.refusal("forecast", "forecasting")
    if explain and text is not None:
        page = Path(output) if output else free_name(Path("explanation.html"))
        explain_text(model, text, label, page, overwrite)
        return
    if not model.tells_classes:
        raise model.refusal("tell classes", "sentiment")
    if text is not None:
        show(model, text)
    elif input is not None and output is not None:
        tally = predict_table(
            model,
            Path(input),
            Path(output),
            column=text_column,
            quotes=quotes,
            overwrite=overwrite,
            safe_cells=safe_cells,
        )
        for note in tally.notes(model.max_length):
            errors.print(note)
        errors.print(f"Predictions  {output}")
    else:
        predict_lines(model, text_column)


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


def check_together(
    text: str | None,
    input: str | None,
    output: str | None,
    explain: bool,
    label: str | None,
    quotes: bool | None = None,
    horizon: int | None = None,
) -> None:
    """Check that the arguments make sense together.

    Raises:
        ConfigError: naming those that don't.
    """
    if text is not None and input is not None:
        raise ConfigError("text and input are both given; choose one.")
    if quotes is not None and input is None:
        raise ConfigError("quotes=… is for input=…, a table.")
    if explain and text is None and input is None:
        raise ConfigError('explain=true needs text="…", the one text to explain, or input=… with series.')
    if horizon is not None and explain:
        raise ConfigError("horizon=… is for a forecast; explain=true explains the mean over all its steps.")
    if label is not None and not explain:
        raise ConfigError("label=… is for explain=true.")
    if output is not None and not explain and input is None:
        raise ConfigError(
            "output is for input=… or explain=true; without them predictions go to the terminal."
        )


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
    save_page(explanation, page)
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
    for columns, prediction in predicted(model, lines, window=1 if typed else WINDOW):
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
        with waiting():
            line = stream.readline()
        if not line:
            return
        try:
            yield text_row(column, line.decode("utf-8").rstrip("\r\n"), number)
        except UnicodeDecodeError as error:
            raise DataError(f"Standard input, line {number}: not UTF-8 ({error.reason}).") from error
