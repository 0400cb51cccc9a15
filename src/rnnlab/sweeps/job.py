"""One job of a sweep, in whatever process a launcher runs it, and what is to be done about it."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnlab import interruption
from rnnlab.command_line import differences, register_resolvers
from rnnlab.errors import DamagedFileError, ProcessDied, RnnlabError, RunError
from rnnlab.interruption import Interrupted
from rnnlab.named_classes import classes_in
from rnnlab.processors import take_threads
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.cluster import Ranks, queued_again, ranks_of
from rnnlab.sweeps.jobs import of_the_run
from rnnlab.sweeps.trial_link import Pruned, TrialLink, linked
from rnnlab.terminal import speak_as
from rnnlab.training.origin import Origin, changed_since, origin_of
from rnnlab.training.resume import at, is_place
from rnnlab.training.run_folder import RunFolder

ADOPTED = ("model", "task", "tokenizer")
"""Sections of which ``init_from`` decides what the command does not say."""

UNTOLD = "Whether finished jobs' data has changed can't be told: "


@dataclass(frozen=True)
class Standing:
    """What is to be done about a job.

    Attributes:
        do: ``nothing`` (it is finished), ``wait`` (a process is at it), ``resume`` (there is a checkpoint to
            go on from), ``start`` (anew), or ``leave`` (what lies there can't be gone on with, or was made
            from other data or code).
        why: the reason for leaving it, or what can't be told of a finished one.
        again: whether the same command, given again, would not leave it.
    """

    do: Literal["nothing", "wait", "resume", "start", "leave"]
    why: str = ""
    again: bool = False


def standing(
    folder: RunFolder,
    config: Mapping[str, Any],
    *,
    failed_before: float,
    owner: bool = False,
    origin: Callable[[Mapping[str, Any]], Origin] = origin_of,
) -> Standing:
    """Return what is to be done about a job.

    Args:
        folder: the job's.
        config: what the job's overrides compose to.
        failed_before: when this invocation began, in seconds since 1970: a run that failed earlier is tried
            again, one that failed since then (in another invocation of the same sweep) is not.
        owner: whether this process holds the run's lock.
        origin: tells what a configuration's run would be made from now.
    """
    state = folder.state(owner=owner)
    if state.name == "running":
        return Standing("wait", state.reason)
    if not folder.config_file.exists():
        if state.name == "failed" and folder.error_file.stat().st_mtime > failed_before:
            return Standing("leave", state.reason, again=True)
        return Standing("start")
    try:
        stored = folder.config()
    except RunError as error:
        return Standing("leave", f"{error} sweep.restart=true starts over.")
    changed = [
        key
        for key in differences(as_composed(config), as_composed(stored))
        # Whether files that lie elsewhere are the same is told by their fingerprint, where it is kept.
        if not (folder.origin_file.is_file() and is_place(key, at(stored, key), at(config, key)))
    ]
    if changed:
        listed = ", ".join(f"{key} was {at(stored, key)} and is now {at(config, key)}" for key in changed)
        return Standing(
            "leave",
            f"its run was started with another configuration ({listed}). Start over with sweep.restart=true.",
        )
    if state.name == "finished":
        return finished(folder, config, origin)
    if state.name == "failed" and folder.error_file.stat().st_mtime > failed_before:
        return Standing("leave", state.reason, again=True)
    return Standing("resume" if folder.last.is_file() or folder.previous.is_file() else "start")


def finished(
    folder: RunFolder, config: Mapping[str, Any], origin: Callable[[Mapping[str, Any]], Origin]
) -> Standing:
    """Return whether a finished run still counts: not with damaged figures, changed data or code."""
    try:
        folder.metrics()
    except DamagedFileError as error:
        return Standing("leave", str(error))
    try:
        before = folder.origin()
        changed = changed_since(before, origin(config)) if before is not None else ""
    except RnnlabError as error:
        return Standing("nothing", f"{UNTOLD}{error}")
    if before is None:
        return Standing("nothing", f"{UNTOLD}they were made by an rnnlab that kept no fingerprint of it.")
    if not changed:
        return Standing("nothing")
    return Standing(
        "leave",
        f"it is finished, but was made from what has changed since: {changed}. Put that back as it was, or "
        "start over with sweep.restart=true; results.py shows it in a row of its own.",
    )


class RememberedOrigins:
    """Tells the origins of many configurations, reading the data that they share once.

    Not for longer than one look at a sweep: files may change.
    """

    def __init__(self) -> None:
        self.known: dict[str, Origin | RnnlabError] = {}

    def __call__(self, config: Mapping[str, Any]) -> Origin:
        """Return the origin.

        Raises:
            RnnlabError: if the data can't be read.
        """
        parts = [config["data"]["corpus"], config.get("init_from"), config["task"].get("vectors")]
        key = repr([*parts, sorted({str(name) for _, name in classes_in(dict(config))})])
        if key not in self.known:
            try:
                self.known[key] = origin_of(config)
            except RnnlabError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, RnnlabError):
            raise found
        return found


def as_composed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's overrides compose to: less what it took over from the run that it starts from."""
    taken_over = ADOPTED if config.get("init_from") else ()
    return {name: section for name, section in of_the_run(config).items() if name not in taken_over}


def clear(folder: RunFolder) -> None:
    """Remove what a run left that never came to a checkpoint; its log and its lock stay."""
    for path in folder.path.iterdir():
        if path == folder.lock_file or path.suffix == ".log":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


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
        again: whether the same command, given again, tries it again; it leaves a run of other data or keys.
    """

    did: Did
    why: str = ""
    again: bool = True


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
        trial: of the only job, where a search watches it.
    """

    work: Callable[[DictConfig], Any]
    attempts: Attempts
    order: Sequence[str]
    process: int = field(default_factory=os.getpid)
    threads: int | None = None
    trial: TrialLink | None = None

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
                with queued_again():
                    return self.by_rank(config, folder)
            except (Interrupted, KeyboardInterrupt):
                if guest:
                    return Outcome("stopped")
                raise

    def by_rank(self, config: DictConfig, folder: RunFolder) -> Outcome:
        """Do the job, or what the first of its processes has decided about it."""
        ranks = ranks_of(self.attempts.folder, folder.path.name)
        if ranks is None:
            return self.locked(config, folder)
        if not ranks.is_first:
            return self.told(config, folder, ranks)
        try:
            return self.locked(config, folder, ranks)
        finally:
            ranks.tell("nothing")

    def locked(self, config: DictConfig, folder: RunFolder, ranks: Ranks | None = None) -> Outcome:
        """Do the job as the only process that does, or the first of those that do together."""
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
            return self.told(config, folder, ranks)

    def told(self, config: DictConfig, folder: RunFolder, ranks: Ranks | None) -> Outcome:
        """Do the job and tell its outcome; the first of its processes leaves a reason in its folder.

        Raises:
            ProcessDied: if another of its processes did.
        """
        leader = ranks if ranks is not None and not ranks.is_first else None
        try:
            return self.followed(config, folder, leader) if leader else self.done(config, folder, ranks)
        except Pruned:
            return Outcome("pruned")
        except ProcessDied:  # the launcher tries again, as if this one had died
            folder.error_file.unlink(missing_ok=True)
            raise
        except (RnnlabError, OmegaConfBaseException) as error:
            why = str(error)
            log.error(why)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            log.exception("A defect of rnnlab or of code that it was given ended %s.", folder.path.name)
        if leader is None:
            folder.fail(why)
        return Outcome("failed", why)

    def done(self, config: DictConfig, folder: RunFolder, ranks: Ranks | None) -> Outcome:
        """Do what is to be done about the job."""
        content: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        what = standing(folder, content, failed_before=self.attempts.since, owner=True)
        if what.do == "nothing":
            return Outcome("already")
        if what.do == "leave":
            return Outcome("failed", what.why, what.again)
        if what.do == "resume":
            log.info("%s goes on from its last checkpoint.", self.called(folder.path.name))
            config.resume = str(folder.path)
        else:
            log.info("%s starts.", self.called(folder.path.name))
            clear(folder)
        if ranks is not None:
            ranks.tell("resume" if what.do == "resume" else "start")
        with linked(self.trial):
            self.work(config)
        return Outcome("finished")

    def followed(self, config: DictConfig, folder: RunFolder, ranks: Ranks) -> Outcome:
        """Do what the first of the job's processes does about it."""
        decision = ranks.heard()
        if decision == "nothing":
            return Outcome("elsewhere")
        if decision == "resume":
            config.resume = str(folder.path)
        with linked(self.trial):
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
