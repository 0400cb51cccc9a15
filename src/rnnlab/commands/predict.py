"""Answer texts, one, a table or a stream; explain an answer."""

import sys
from dataclasses import dataclass

from rnnlab.command_line import exit_by
from rnnlab.plain_arguments import DEVICES, option, parsed, task_keys
from rnnlab.ranges import Range, whole

TABLE_KEYS = ("data.corpus.text_column=", "data.corpus.quotes=")


@dataclass(frozen=True)
class Arguments:
    r"""Predict classes of texts with their probabilities, or how series go on.

    python scripts/predict.py run=<run> text="A moving film."
    python scripts/predict.py run=<run> text="A moving film." explain=true
    python scripts/predict.py run=<run> text="A moving film." together=true
    python scripts/predict.py run=<run> input=reviews.csv output=said.csv
    python scripts/predict.py run=<run> input=series.csv output=next.csv \
        horizon=24
    python scripts/predict.py run=<run> input=series.csv output=shares.csv \
        explain=true
    python scripts/predict.py run=<run> input=hello.wav    or a folder, a list
    ... | python scripts/predict.py run=<run>    a text a line, answers as JSON
    """

    run: str = option("a run folder, or a checkpoint file")
    text: str | None = option("one text", None)
    input: str | None = option(
        "a table (.csv, .tsv, .jsonl; of series also .parquet) or plain text (.txt, a text a line); of "
        "speech a recording, a folder of them, or a list of their paths",
        None,
    )
    output: str | None = option(
        "where the predictions go (.csv, .tsv, .jsonl), or the explanation (.html)", None
    )
    text_column: str = option("the column of the text", "text")
    quotes: bool | None = option(
        "false: quotation marks are plain characters in the table; true: they enclose fields; null: they do, "
        "but a field that looks like several rows is refused",
        None,
    )
    overwrite: bool = option("whether the output may exist", False)
    horizon: int | None = option(
        "steps to forecast, at most those of training; null: all", None, within=whole(1, None)
    )
    explain: bool = option(
        "show what each word of text=... did to the answer, and save it as a page; of input=... with series, "
        "write what each step and column did to the forecast",
        False,
    )
    label: str | None = option(
        "explain for this class, or target; null: the predicted class, or the first target", None
    )
    together: bool = option(
        "answer with the simple method that evaluate.py together=true has kept with the run, as one", False
    )
    weight: float | None = option(
        "the simple method's share of that; null: as kept", None, within=Range(0, 1)
    )
    device: str = option("auto (a GPU where there is one), cpu or gpu", "auto", of=DEVICES)
    safe_cells: bool | None = option(
        "put ' before cells that a spreadsheet takes for formulas; null: before predicted labels alone", None
    )
    trust: str | None = option("packages besides rnnlab whose classes the checkpoint may name: a,b", None)


def predict(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    asked, others = task_keys(words)
    arguments = parsed(Arguments, [plain_key(word) for word in others])
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.runs.prediction import answer

    answer(arguments, asked)


def plain_key(word: str) -> str:
    """Return a key of the table as this command calls it: those of training and evaluation are taken, too."""
    return word.removeprefix("data.corpus.") if word.startswith(TABLE_KEYS) else word


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: predict(sys.argv[1:]))
