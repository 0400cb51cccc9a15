"""Metrics and rates as a person reads them.

In tables that can be read at any width: those over all in one, a row for each class in another.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from rnnlab.terminal import table_of


def thousands(rate: float) -> str:
    """Return a rate as a person reads it.

    >>> thousands(152_340.0), thousands(2_210_000.0), thousands(870.0)
    ('152k', '2.2M', '870')
    """
    if rate >= 1e6:
        return f"{rate / 1e6:.1f}M"
    return f"{rate / 1e3:.0f}k" if rate >= 1e4 else f"{rate:.0f}"


def figure(name: str, value: float) -> str:
    """Return a metric as a person reads it: counts whole, perplexities to two places, shares to four.

    >>> figure("tokens", 82430.0), figure("perplexity", 114.512), figure("accuracy", 0.88736)
    ('82,430', '114.51', '0.8874')
    """
    if name == "tokens":
        return f"{value:,.0f}"
    return f"{value:.2f}" if "perplexity" in name else f"{value:.4f}"


def over_all(names: Iterable[str], labels: Sequence[str]) -> list[str]:
    """Return the metrics that are of no class.

    >>> over_all(["accuracy", "f1", "f1/good"], ["bad", "good"])
    ['accuracy', 'f1']
    """
    return [name for name in names if name.partition("/")[2] not in labels]


def called(metric: str, labels: Sequence[str]) -> str:
    """Return what a metric is called: F1 of two classes is of the second alone, of more their mean.

    >>> called("f1", ["ham", "spam"]), called("f1", ["bad", "good", "odd"]), called("loss", ["ham", "spam"])
    ('f1 of spam', 'mean f1', 'loss')
    """
    if metric != "f1" or len(labels) < 2:
        return metric
    return f"f1 of {labels[1]}" if len(labels) == 2 else "mean f1"


def table_by_class(cells: Mapping[str, str], labels: Sequence[str]) -> Table | None:
    """Return a row for each class with its cells, such as ``f1/good``; None where there are none."""
    parts = [name.partition("/") for name in cells]
    metrics = list(dict.fromkeys(metric for metric, _, label in parts if label in labels))
    if not metrics:
        return None
    table = table_of("By class", "class", metrics)
    for label in labels:
        table.add_row(Text(label), *(cells.get(f"{metric}/{label}", "") for metric in metrics))
    return table
