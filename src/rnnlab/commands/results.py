"""Show many runs as one table."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rnnlab.command_line import exit_by
from rnnlab.errors import ConfigError
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    r"""Show every run under folders as one table: what differs, metrics, status.

    python scripts/results.py logs/sweeps
    python scripts/results.py logs where=cell=lstm where='hidden_size>=64' \
        sort=-test/accuracy
    python scripts/results.py logs where=tags=paper where=tags!=draft
    python scripts/results.py logs/sweeps group=model.cell \
        metrics=accuracy,loss
    python scripts/results.py logs/sweeps output=results.csv plot=rates.png \
        x=optimizer.lr,model.cell
    python scripts/results.py logs/sweeps plot=cells.png \
        x=tokens_per_second,model.cell
    """

    where: str | None = option("which runs: a key, one of = != < <= > >=, a value; may be given again", None)
    group: str | None = option("keys that make a row, a,b; null: x, or all that differ but the seed", None)
    each: bool = option("a row for each run, not for all seeds together", False)
    sort: str | None = option("a key, a metric, seconds…; -key for falling order; null: by the keys", None)
    metrics: str | None = option("accuracy,test/loss…, or all; null: what chooses the best checkpoint", None)
    format: str = option("table, csv or markdown", "table", of=("table", "csv", "markdown"))
    output: str | None = option("a file for the table (.csv, .md); null: the terminal", None)
    plot: str | None = option("a file for a figure (.png and .svg): a metric against settings", None)
    x: str | None = option("the figure's key, or two: the second makes lines; tokens_per_second,key", None)
    metric: str | None = option("the figure's metric; null: what chooses the best checkpoint", None)
    baseline: str | None = option("a simple method to draw beside the runs: 'bag of bigrams'…", None)
    overwrite: bool = option("whether the outputs may exist", False)


def is_place(word: str) -> bool:
    """Return whether a word names a folder: the jobs of a sweep have ``=`` in their names, too.

    >>> is_place("logs"), is_place("logs/sweeps/rnn seed=1"), is_place("where=tags=paper")
    (True, True, False)
    """
    key, equals, _ = word.partition("=")
    return not equals or "/" in key or Path(word).is_dir()


def show(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    asked = {"--help", "-h"} & set(words)
    places = [word for word in words if is_place(word) and word not in asked]
    settings = [word for word in words if not is_place(word)]
    where = [word.removeprefix("where=") for word in settings if word.startswith("where=")]
    others = [word for word in settings if not word.startswith("where=")]
    arguments = parsed(Arguments, [*asked, *others])
    if not places:
        raise ConfigError("Name a folder of runs, such as logs. All keys: --help.")
    from rnnlab.results.report import results

    results(places, where, arguments)


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: show(sys.argv[1:]))
