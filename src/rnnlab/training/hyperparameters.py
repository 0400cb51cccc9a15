"""A run's row in TensorBoard's HParams table."""

from collections.abc import Iterator, Mapping
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

# In the order in which people compare runs: TensorBoard shows the first columns only.
SHOWN = ("model", "optimizer", "seed", "task", "scheduler", "batches", "data", "tokenizer", "trainer")


def log_hyperparameters(
    logger: TensorBoardLogger, config: Mapping[str, Any], metrics: Mapping[str, Any], step: int
) -> None:
    """Write the configuration and the final metrics, at ``step``, as one sortable row."""
    values = dict(flat({section: config[section] for section in SHOWN}))
    finals = {
        f"final/{split}/{name}": value
        for split in ("validation", "test")
        for name, value in metrics[split].items()
    }
    for summary in hparams(values, finals):  # type: ignore[no-untyped-call]
        logger.experiment._get_file_writer().add_summary(summary)
    for name, value in finals.items():
        logger.experiment.add_scalar(name, value, step)
    logger.experiment.flush()


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """Yield dotted keys and plain values, in the forms that TensorBoard takes; class names are left out.

    >>> dict(flat({"model": {"layers": 1, "sizes": None}}))
    {'model.layers': 1, 'model.sizes': 'None'}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", value if isinstance(value, bool | int | float | str) else str(value)
