"""A run's row in TensorBoard's HParams table."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

SHOWN = ("model", "optimizer", "seed", "task", "scheduler", "batches", "data", "tokenizer", "trainer")


def log_hyperparameters(
    writer: SummaryWriter, config: Mapping[str, Any], metrics: Mapping[str, Any], step: int
) -> None:
    """Write the configuration and the best checkpoint's metrics, at ``step``, as one sortable row.

    Of the three records that make a row the first, which names the columns, is left out: TensorBoard takes it
    from one run for all of them. Without it every run's columns are there, first those in which the runs
    differ. The metrics' columns come in the order of their names, those of ``best/`` first.
    """
    values = dict(flat({section: config[section] for section in SHOWN if section in config}))
    best = {
        f"best/{split}/{name}": value
        for split in ("validation", "test")
        for name, value in metrics[split].items()
    }
    _, row, end = hparams(values, best)  # type: ignore[no-untyped-call]
    for summary in (row, end):
        writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
    for name, value in best.items():
        writer.add_scalar(name, value, step)
    writer.flush()


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    """Yield dotted keys and plain values, in the forms that TensorBoard takes; class names are left out.

    >>> dict(flat({"model": {"layers": 1, "sizes": None, "bidirectional": True}}))
    {'model.layers': 1, 'model.sizes': 'null', 'model.bidirectional': 'true'}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> int | float | str:
    """Return a value as it is typed on the command line; numbers stay numbers."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, int | float | str) else str(value)
