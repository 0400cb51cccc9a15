"""A search: Optuna chooses the values of the jobs, until there are enough."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from rnnlab import interruption
from rnnlab.errors import ConfigError
from rnnlab.figures.drawing import save
from rnnlab.figures.metric_by_key import history_figure, importances_figure
from rnnlab.folders import command
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.dimensions import Dimension, dimension
from rnnlab.sweeps.job import Did, Outcome, RememberedOrigins, SweepJob, finished
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.launching import POLL, HydraSide, Launching, fill, settle
from rnnlab.sweeps.overrides import Overrides
from rnnlab.sweeps.parallelism import Together, together
from rnnlab.sweeps.report import report
from rnnlab.sweeps.storage import Storage, answering, network_disk, open_study, storage_of
from rnnlab.sweeps.sweep import Sweep, begin, compose_all, end_by, facts_of, placed, working
from rnnlab.sweeps.sweep_folder import write_best
from rnnlab.sweeps.trials import Trials, pruner_of, space_of
from rnnlab.terminal import console, shown


def run_search(overrides: Overrides, hydra: HydraSide) -> None:
    """Run trials until there are ``sweep.trials``, then write down the best and draw how it was found.

    Raises:
        ConfigError: if the space or the settings make no sense, or a choice can't be composed.
        JobsFailed: if a trial failed; the others are done.
        Interrupted: if the user stopped the search.
    """
    dimensions = [dimension(override) for override in overrides.swept]
    pruner = pruner_of(hydra.settings)
    config = probed(overrides, dimensions, hydra)
    this = placed(overrides, hydra, config, space_of(dimensions))
    begin(this, [])
    storage = storage_of(this.settings["storage"], this.folder)
    note_network(storage)
    with this.folder.alone():
        study = open_study(storage, pruner, this.compared.mode)
    fixed = overrides.fixed_words()
    trials = Trials(study, storage, this.folder, dimensions, fixed, this.settings, this.compared)
    with answering(storage):
        check_origin(this, trials)
        trials.try_failed_again()
        console.print(opening(this, trials))
        with working(this) as attempts:
            outcomes = run_trials(this, trials, attempts)
        conclude(this, trials, outcomes)


def opening(this: Sweep, trials: Trials) -> str:
    """Return the search's first lines."""
    total = this.settings["trials"]
    known = trials.all()
    done = f", {total - trials.left(known)} of them begun before" if known else ""
    storage = trials.storage
    study = "" if storage.file else f"\nTheir study is {storage.study!r} in {storage.name}"
    return f"Search of {total} trials{done}, in {shown(this.folder.path)}{study}"


def note_network(storage: Storage) -> None:
    """Say so where SQLite's file lies on a disk that may damage it."""
    kind = network_disk(storage.folder) if storage.kind == "sqlite" else None
    if kind is not None:
        console.print(
            f"{shown(storage.folder)} is on a network disk ({kind}), where SQLite's file may be damaged when "
            "several machines write. A search that begins with sweep.storage=journal bears that.",
            style="yellow",
        )


def check_origin(this: Sweep, trials: Trials) -> None:
    """Check that what the search knows so far was found on the data, and by the code, that is there now.

    Raises:
        ConfigError: if it wasn't; what is chosen next follows from it.
    """
    origin, notes = RememberedOrigins(), dict[str, None]()
    for trial in trials.in_state(TrialState.COMPLETE):
        folder = this.folder.run(trials.job(trial))
        if folder.state().name != "finished":
            continue
        what = finished(folder, folder.config(), origin)
        if what.do == "leave":
            raise ConfigError(f"Trial {folder.path.name}: {what.why}")
        notes |= {what.why: None} if what.why else {}
    for note in notes:
        console.print(note, style="yellow")


def probed(overrides: Overrides, dimensions: Sequence[Dimension], hydra: HydraSide) -> dict[str, Any]:
    """Compose every choice once, and return the first configuration.

    Raises:
        ConfigError: if one can't be composed.
        HydraException: if none can.
    """
    first = [d.examples()[0] for d in dimensions]
    configs = []
    for place, swept in enumerate(dimensions):
        for value in swept.examples():
            values = [*first[:place], value, *first[place + 1 :]]
            words = [d.word(v) for d, v in zip(dimensions, values, strict=True)]
            probe = Job("probe", (*overrides.fixed_words(), *words))
            configs.append(compose_all([probe], hydra).configs["probe"])
    return configs[0]


def run_trials(this: Sweep, trials: Trials, attempts: Attempts) -> dict[str, Outcome]:
    """Run trials until there are enough, and return what became of those run here, by their names."""
    outcomes: dict[str, Outcome] = {}
    side_by_side = places_of(this)

    def take(count: int) -> list[Started]:
        interruption.check()
        jobs = trials.next_jobs(count, attempts.name)
        if jobs:
            note(this, trials, jobs)
        return [(job, started(this, trials, job, attempts, side_by_side.threads)) for job in jobs]

    def tell(trial: Started, outcome: Outcome) -> None:
        job, _ = trial
        outcomes[job.name] = outcome
        trials.tell(job, outcome)
        if outcome.did == "pruned":
            note(this, trials, [])

    waited = False
    while True:
        fill(side_by_side.places, take, lambda trial: trial[1](), tell)
        if not trials.in_state(TrialState.RUNNING):
            return outcomes
        if not waited:
            console.print("Waiting for trials of other processes. Ctrl-C leaves it to them.")
            waited = True
        time.sleep(POLL)


Started = tuple[Job, Callable[[], Outcome]]
"""A trial's job, and what runs it."""


def places_of(this: Sweep) -> Together:
    """Return how many trials run at once; unsaid, no more than are random: a choice is to know something."""
    most = this.settings["at_once"] or this.settings["random_trials"]
    return together(this.hydra.config.hydra.launcher, this.settings, min(most, this.settings["trials"]))


def started(
    this: Sweep, trials: Trials, job: Job, attempts: Attempts, threads: int | None
) -> Callable[[], Outcome]:
    """Return what runs a trial and returns what became of it."""
    try:
        this.hydra.compose(job)
    except ConfigError as error:
        return partial(Outcome, "failed", str(error))
    task = SweepJob(this.hydra.task, attempts, [job.name], threads=threads, trial=trials.link(job))
    launching = Launching(this.hydra.launcher(task), attempts, None)
    return lambda: settle([job], launching, this.folder)[job.name]


def note(this: Sweep, trials: Trials, jobs: Sequence[Job]) -> None:
    """Write down the trials that there are, and which were pruned."""
    pruned = [trials.job(trial).name for trial in trials.in_state(TrialState.PRUNED)]
    this.folder.note({**facts_of(this), "pruned": pruned}, jobs)


def conclude(this: Sweep, trials: Trials, outcomes: Mapping[str, Outcome]) -> None:
    """Print the table, write down the best configuration, draw the search.

    Raises:
        JobsFailed: if a trial failed.
    """
    known = {trials.job(trial): before(trial) for trial in trials.all()}
    runs = {job: this.folder.run(job) for job in known}
    there = [job for job, run in runs.items() if run.path.exists()]
    jobs = sorted(there, key=lambda job: this.compared.rank(this.compared.value(runs[job].metrics_file)))
    report(this.folder, this.compared, jobs, {job.name: outcomes.get(job.name, known[job]) for job in jobs})
    complete = trials.in_state(TrialState.COMPLETE)
    if complete:
        draw(this, trials)
        best = trials.study.best_trial
        about = f"Trial {best.number} of {len(trials.all())}: {this.compared.monitor} {best.value:.4f}"
        file = this.folder.best_experiment
        write_best(file, f"{about}.", this.overrides, trials.settings_of(best), this.hydra.is_group)
        words = ["train", "--config-dir", shown(file.parents[1]), "experiment=best"]
        console.print(
            f"Best: {about}, with {' '.join(trials.chosen_words(best))}\nTrain with it: {command(*words)}",
        )
    end_by(outcomes)


def before(trial: FrozenTrial) -> Outcome:
    """Return what became of a trial of an earlier invocation."""
    did: dict[TrialState, Did] = {TrialState.COMPLETE: "already", TrialState.PRUNED: "pruned"}
    return Outcome(did.get(trial.state, "failed"))


def draw(this: Sweep, trials: Trials) -> None:
    """Draw the history of the search, and how much each swept key matters."""
    every = trials.all()
    history = history_figure(
        [trial.number for trial in every],
        [trial.value if trial.state is TrialState.COMPLETE else None for trial in every],
        [trial.number for trial in every if trial.state is TrialState.PRUNED],
        metric=this.compared.monitor,
        mode=this.compared.mode,
    )
    save(history, this.folder.figures, "history")
    importances = trials.importances()
    if importances:
        save(importances_figure(importances, this.compared.monitor), this.folder.figures, "importances")
    console.print(f"Figures: {shown(this.folder.figures)}")
