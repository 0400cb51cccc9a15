"""A search's trials, in Optuna's database: which there are, and which come next."""

import json
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from rnnlab.errors import ConfigError, nearest
from rnnlab.sweeps.attempts import is_alive
from rnnlab.sweeps.dimensions import Dimension
from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.overrides import Setting, trial_name
from rnnlab.sweeps.storage import Storage, damage_told
from rnnlab.sweeps.sweep_folder import Compared, SweepFolder
from rnnlab.sweeps.trial_link import TrialLink

INVOCATION, AGAIN = "invocation", "again"
"""Trials' attributes: who runs it, and the number of the failed trial whose values it tries once more."""
PRUNERS = ("median", "halving", "none")


def pruner_of(settings: Mapping[str, Any]) -> optuna.pruners.BasePruner:
    """Return the pruner that the section ``sweep`` names.

    Raises:
        ConfigError: if there is no such pruner, or its patience is out of range.
    """
    name, patience = settings["pruner"], settings["patience"]
    try:
        if name == "median":
            # Reports count from 1; a trial is compared from the one after its patience.
            return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=patience)
        if name == "halving":
            return optuna.pruners.SuccessiveHalvingPruner(min_resource=max(1, patience))
        if name in ("none", None):
            return optuna.pruners.NopPruner()
    except ValueError as error:
        raise ConfigError(f"sweep.patience={patience}: {error}") from error
    raise ConfigError(f"sweep.pruner={name} is unknown. {nearest(str(name), PRUNERS)}")


@dataclass(frozen=True)
class Trials:
    """A search's trials.

    Attributes:
        study: Optuna's.
        storage: where it is kept.
        folder: of the sweep.
        dimensions: the swept keys.
        fixed: the overrides that all trials share.
        settings: the section ``sweep``.
        compared: the metric to optimise.
    """

    study: optuna.Study
    storage: Storage
    folder: SweepFolder
    dimensions: Sequence[Dimension]
    fixed: Sequence[str]
    settings: Mapping[str, Any]
    compared: Compared

    def all(self) -> list[FrozenTrial]:
        """Return every trial so far.

        Raises:
            DamagedFileError: if the database holds something else.
        """
        with damage_told(self.storage):
            trials = self.study.get_trials(deepcopy=False)
            keys = {dimension.key for dimension in self.dimensions}
            for trial in trials:
                self.check(trial, keys)
        return trials

    def check(self, trial: FrozenTrial, keys: Collection[str]) -> None:
        """Check that a trial is as this search writes it.

        Raises:
            ValueError: if it is not.
        """
        told = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        if not set(trial.params) <= set(keys) or (told and len(trial.params) < len(keys)):
            raise ValueError(f"its trial {trial.number} has other keys than this search")
        if not isinstance(trial.user_attrs.get(AGAIN, 0), int):
            raise ValueError(f"its trial {trial.number} repeats no other trial")
        if trial.state is TrialState.COMPLETE and (trial.value is None or math.isnan(trial.value)):
            raise ValueError(f"its trial {trial.number} is complete and has no result")

    def try_failed_again(self) -> None:
        """Put the values of each trial in line again that failed."""
        with self.folder.alone():
            trials = self.choose_again()
            again = tried_again(trials)
            for trial in trials:
                if trial.state is TrialState.FAIL and trial.number not in again:
                    self.study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})

    def choose_again(self) -> list[FrozenTrial]:
        """Put those trials in line again whose process died while their values were chosen; return all."""
        trials = self.all()
        half = [t for t in trials if self.is_orphan(t) and len(t.params) < len(self.dimensions)]
        for trial in half:
            self.study.tell(trial.number, state=TrialState.FAIL)
            self.study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})
        return self.all() if half else trials

    def next_jobs(self, count: int, invocation: str) -> list[Job]:
        """Return at most ``count`` trials to run: those whose process died, then new ones.

        Args:
            count: at most so many.
            invocation: whose they are from now on.
        """
        with self.folder.alone():
            trials = self.choose_again()
            orphans = [trial for trial in trials if self.is_orphan(trial)][:count]
            for trial in orphans:
                self.study._storage.set_trial_user_attr(trial._trial_id, INVOCATION, invocation)
            jobs = [self.job(trial) for trial in orphans]
            while len(jobs) < count and self.left(trials) > 0:
                number = self.ask(invocation, len(trials))
                trials = self.all()
                if not self.told_by_equal(trials[number], trials):
                    jobs.append(self.job(trials[number]))
            return jobs

    def is_orphan(self, trial: FrozenTrial) -> bool:
        """Return whether a trial has begun and its invocation has died."""
        invocation = str(trial.user_attrs.get(INVOCATION, ""))
        return trial.state is TrialState.RUNNING and not is_alive(self.folder.attempts, invocation)

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        """Return the trials in a state."""
        return [trial for trial in self.all() if trial.state is state]

    def left(self, trials: Sequence[FrozenTrial]) -> int:
        """Return how many trials are still to begin; a failed one that was tried again does not count."""
        again = tried_again(trials)
        begun = [
            trial for trial in trials if trial.state is not TrialState.WAITING and trial.number not in again
        ]
        return int(self.settings["trials"]) - len(begun)

    def ask(self, invocation: str, before: int) -> int:
        """Begin a trial, with values that the search chooses, and return its number.

        The choice follows from the seed and the trials so far alone, and so is the same after a crash.
        """
        with warnings.catch_warnings():
            # Optuna 4 calls constant_liar experimental; Optuna 5 does not, and it is the same.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.sampler = optuna.samplers.TPESampler(
                seed=int(self.settings["seed"]) + before,
                n_startup_trials=int(self.settings["random_trials"]),
                constant_liar=True,  # trials that run at the same time keep away from one another
            )
        space = {dimension.key: dimension.distribution for dimension in self.dimensions}
        trial = self.study.ask(space)
        trial.set_user_attr(INVOCATION, invocation)
        return trial.number

    def told_by_equal(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Tell a trial's result where one with the same values has it: it would be the same again."""
        done = (TrialState.COMPLETE, TrialState.PRUNED)
        equal = next((t for t in trials if t.state in done and t.params == trial.params), None)
        if equal is None:
            return False
        if equal.state is TrialState.COMPLETE:
            self.study.tell(trial.number, equal.value)
        else:
            self.study.tell(trial.number, state=TrialState.PRUNED)
        return True

    def settings_of(self, trial: FrozenTrial) -> list[Setting]:
        """Return a trial's values of the swept keys, as plain data."""
        return [(d.key, d.plain(trial.params[d.key])) for d in self.dimensions]

    def job(self, trial: FrozenTrial) -> Job:
        """Return the job of a trial."""
        name = trial_name(trial.number, self.settings_of(trial))
        if not (self.folder.path / name).exists():  # a search of an earlier rnnlab called it otherwise
            name = next((path.name for path in self.folder.path.glob(f"{trial.number:04d}_*")), name)
        return Job(name, (*self.fixed, *self.chosen_words(trial)), trial.number)

    def chosen_words(self, trial: FrozenTrial) -> list[str]:
        """Return the overrides that set a trial's values of the swept keys."""
        return [dimension.word(trial.params[dimension.key]) for dimension in self.dimensions]

    def importances(self) -> dict[str, float]:
        """Return each swept key's share in what the metric varies by; empty where too little is known.

        Functional ANOVA over a forest of 64 trees (Hutter et al. 2014).
        """
        complete = self.in_state(TrialState.COMPLETE)
        if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return optuna.importance.get_param_importances(self.study, evaluator=evaluator)

    def link(self, job: Job) -> TrialLink:
        """Return what a job's process needs to report to its trial."""
        assert job.trial is not None
        return TrialLink(self.storage, job.trial, self.study.pruner)

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Write down what became of a trial."""
        assert job.trial is not None
        value = self.compared.value(self.folder.run(job).metrics_file)
        if outcome.did == "pruned":
            self.study.tell(job.trial, state=TrialState.PRUNED, skip_if_finished=True)
        elif outcome.did == "failed" or value is None or math.isnan(value):
            self.study.tell(job.trial, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self.study.tell(job.trial, value, skip_if_finished=True)


def tried_again(trials: Sequence[FrozenTrial]) -> set[int]:
    """Return the numbers of the failed trials whose values were put in line once more."""
    return {int(trial.user_attrs[AGAIN]) for trial in trials if AGAIN in trial.user_attrs}


def space_of(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """Return what a search chooses from, as plain data."""
    return {d.key: json.loads(optuna.distributions.distribution_to_json(d.distribution)) for d in dimensions}
