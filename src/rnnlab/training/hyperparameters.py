"""A run's row in TensorBoard's HParams table."""

from collections.abc import Iterator, Mapping
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

LEFT_OUT = {"resume", "callbacks", "logger", "baselines"}


def log_hyperparameters(
    logger: TensorBoardLogger, config: Mapping[str, Any], metrics: Mapping[str, Any], step: int
) -> None:
    """Write the configuration and the final metrics, at ``step``, as one sortable row."""
    values = dict(flat({key: value for key, value in config.items() if key not in LEFT_OUT}))
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
    """Yield dotted keys and plain values, in the forms that TensorBoard takes.

    >>> dict(flat({"model": {"layers": 1, "sizes": None}}))
    {'model.layers': 1, 'model.sizes': 'None'}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, bool | int | float | str) else str(value)
