"""What the first of a run's processes does for all, and how much each of them says."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.rank_zero import _get_rank

from rnnlab.atomic import remove_left_behind
from rnnlab.errors import Diverged, ProcessDied, RnnlabError
from rnnlab.shortage import shortage
from rnnlab.training.run_folder import RunFolder


def is_first_process() -> bool:
    """Return whether this is the first of a run's processes, known before there is a trainer."""
    return not _get_rank()


def of_slurm() -> list[SLURMEnvironment]:
    """Return what tells the Trainer of SLURM, where SLURM has started this process; else nothing.

    Lightning would find it itself, and with it take SIGUSR1: it saves a checkpoint in the middle of a step
    and queues the job again, which goes on there ever after, whatever checkpoint is asked for.
    """
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


def check_free(folder: RunFolder) -> None:
    """Check that no run lives in ``folder`` yet; the first of several processes does it for all.

    Raises:
        RunError: if one does.
    """
    if is_first_process():
        folder.check_free()


def only_worker(folder: RunFolder) -> AbstractContextManager[None]:
    """Return a context in which no other training works on the run; its first process sees to it for all.

    Raises:
        RunError: on entering, if another one does already.
    """
    return folder.held() if is_first_process() else nullcontext()


def begin(
    config: dict[str, Any], folder: RunFolder, resuming: bool, origin: Mapping[str, str] | None = None
) -> None:
    """Make the folder that of a run that is going on."""
    if is_first_process():
        if resuming:
            remove_left_behind(folder.path, below=True)
        else:
            folder.check_free()  # another process may have taken it while this one encoded
        folder.begin(config, origin)


@contextmanager
def failure_noted(folder: RunFolder, kept: Callable[[], str]) -> Iterator[None]:
    """Write the reason into the run's folder if an error ends it.

    Args:
        folder: of the run.
        kept: tells what is kept of the run, for an error that is the machine's or the numbers' and no defect.

    Raises:
        RnnlabError: if the machine was short of something, or another of the run's processes has died.
    """
    try:
        yield
    except Exception as error:
        told = error if isinstance(error, RnnlabError) else of_the_machine(error, folder) or error
        if told is not error or isinstance(error, Diverged):
            told = type(told)(f"{told}\n{kept()}")
        if is_first_process():
            folder.fail(str(told) if isinstance(told, RnnlabError) else f"{type(told).__name__}: {told}")
        if told is error:
            raise
        raise told from error


LOST = re.compile(r"Connection (closed|reset) by peer|[Rr]emote process exited|Gloo .*Read timeout")
"""What the processes' ways to talk to one another, Gloo and NCCL, say when one of them is gone."""


def of_the_machine(error: Exception, folder: RunFolder) -> RnnlabError | None:
    """Return what is told where memory, disk or another process failed; None where that is not the error."""
    if isinstance(error, RuntimeError) and LOST.search(str(error)):
        return ProcessDied(
            "Another process of this run has died, and without it this one can't go on. What ended it is "
            "said above, or in the system's log: most often a lack of memory."
        )
    lacking = shortage(error, folder.path)
    return None if lacking is None else RnnlabError(lacking)


def quieten() -> None:
    """Silence what Lightning, and a run's other processes, say on every run; warnings and errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not is_first_process():  # the first says the same
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.WARNING)
    # Metrics are reduced over all processes by torchmetrics already.
    warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log.*sync_dist=True.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # A run that goes on between an epoch's last step and its end has its means from the checkpoint.
    warnings.filterwarnings("ignore", message=".*method of metric RunningMean was called before.*")
    warnings.filterwarnings(
        "ignore", message=".*The number of training batches .* is smaller than the logging.*"
    )
