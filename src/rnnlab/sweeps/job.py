"""One job of a sweep, in whatever process a launcher runs it."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnlab import interruption
from rnnlab.command_line import register_resolvers
from rnnlab.errors import RnnlabError, RunError
from rnnlab.interruption import Interrupted
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.standing import clear, standing
from rnnlab.sweeps.threads import take_threads
from rnnlab.sweeps.trial_link import Pruned, TrialLink, linked
from rnnlab.terminal import speak_as
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

register_resolvers()  # a launcher's process composes the job before it calls it

Did = Literal["finished", "already", "failed", "elsewhere", "stopped", "pruned"]


@dataclass(frozen=True)
class Outcome:
    """What became of a job in this invocation.

    Attributes:
        did: ``finished`` now, finished ``already``, ``failed``, is being worked on ``elsewhere``, ``stopped``
            because the sweep was, or ``pruned`` by the search.
        why: of a failure.
    """

    did: Did
    why: str = ""


@dataclass
class SweepJob:
    """The task function that a launcher calls for each job, in a process of its own or in the sweep's.

    Whether there is anything to do is decided here, under the run's lock: another invocation of the same
    sweep may have been faster.

    Attributes:
        work: trains one run; what Hydra's decorated function does.
        attempts: of this invocation.
        order: the names of all jobs that were launched together.
        process: of the invocation.
        threads: of each job, where they are divided among several.
        trials: by the name of the job, where a search watches it.
    """

    work: Callable[[DictConfig], Any]
    attempts: Attempts
    order: Sequence[str]
    process: int = field(default_factory=os.getpid)
    threads: int | None = None
    trials: Mapping[str, TrialLink] = field(default_factory=dict)

    def __call__(self, config: DictConfig) -> Outcome:
        """Do the job, unless it is done or being done.

        Raises:
            Interrupted: if the user asked to stop, and this is the invocation's own process.
        """
        register_resolvers()
        folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
        guest = os.getpid() != self.process
        with ExitStack() as stack:
            if guest:
                stack.enter_context(as_guest(folder.path.name))
            if self.threads is not None:
                take_threads(self.threads)
            try:
                return self.locked(config, folder)
            except (Interrupted, KeyboardInterrupt):
                if guest:
                    return Outcome("stopped")
                raise

    def locked(self, config: DictConfig, folder: RunFolder) -> Outcome:
        """Do the job as the only process that does."""
        name = folder.path.name
        if folder.state().name == "running":
            return Outcome("elsewhere")
        with ExitStack() as stack:
            try:
                stack.enter_context(folder.held())
            except RunError:
                return Outcome("elsewhere")
            if not self.attempts.folder.exists():  # the invocation that launched this job is dead
                return Outcome("stopped")
            self.attempts.begin(name)
            stack.callback(self.attempts.end, name)
            if self.attempts.stopping():
                return Outcome("stopped")
            return self.told(config, folder)

    def told(self, config: DictConfig, folder: RunFolder) -> Outcome:
        """Do the job and tell its outcome, whatever happens; a reason is left in its folder, too."""
        try:
            return self.done(config, folder)
        except Pruned:
            return Outcome("pruned")
        except (RnnlabError, OmegaConfBaseException) as error:
            why = str(error)
            log.error(why)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            log.exception("A defect of rnnlab or of code that it was given ended %s.", folder.path.name)
        folder.fail(why)
        return Outcome("failed", why)

    def done(self, config: DictConfig, folder: RunFolder) -> Outcome:
        """Do what is to be done about the job."""
        content: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        what = standing(folder, content, failed_before=self.attempts.since, owner=True)
        if what.do == "nothing":
            return Outcome("already")
        if what.do == "leave":
            return Outcome("failed", what.why)
        if what.do == "resume":
            log.info("%s goes on from its last checkpoint.", self.called(folder.path.name))
            config.resume = str(folder.path)
        else:
            log.info("%s starts.", self.called(folder.path.name))
            clear(folder)
        with linked(self.trials.get(folder.path.name)):
            self.work(config)
        return Outcome("finished")

    def called(self, name: str) -> str:
        """Return what a job is called, with its place among several."""
        if len(self.order) == 1:
            return f"Job {name}"
        return f"{self.order.index(name) + 1} of {len(self.order)}: job {name}"


@contextmanager
def as_guest(name: str) -> Iterator[None]:
    """Behave as one of several processes that share a terminal.

    Ctrl-C reaches every process of a terminal's foreground group at once. A guest leaves that group, so that
    the sweep's own process alone takes the signal and asks each guest once.
    """
    with suppress(OSError):  # a process that leads a session is in a group of its own already
        os.setpgid(0, 0)
    with interruption.listening(owns_process=True), speak_as(name):
        yield
