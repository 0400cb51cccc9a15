"""Sweeps whose jobs SLURM runs in two processes each: its commands are stand-ins, the processes real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rnnlab.errors import ConfigError
from rnnlab.sweeps.jobs import check_processes
from tests.sweeps import cluster_commands
from tests.training.conftest import CONF

TRAIN = CONF.parent / "scripts" / "train.py"
PATIENCE = 500  # seconds; a busy machine is slow to start Python
TWO = ["hydra/launcher=submitit_slurm", "hydra.launcher.tasks_per_node=2", "trainer.devices=2"]
SMALL = [
    *("task=memory", "data=adding", "data.distance=10", "batches.train=256", "batches.validation=64"),
    *("batches.test=64", "batches.batch_size=16", "model.hidden_size=8", "model.backend=torch"),
    *("trainer=cpu", "logger=none", "scheduler=none", "callbacks.early_stopping.patience=null"),
]


@dataclass
class Cluster:
    """A machine that behaves as a cluster.

    Attributes:
        folder: in which commands are given.
        place: what the stand-ins keep.
        environment: in which they are found.
    """

    folder: Path
    place: Path
    environment: dict[str, str]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Give the command of a training."""
        command = [sys.executable, str(TRAIN), *words, *SMALL]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes)

    def give(self, *words: str) -> str:
        """Give the command, wait for its end, and return what it said."""
        process = self.start(*words)
        told, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told + self.told()
        return told

    def told(self) -> str:
        """Return what the jobs' processes said."""
        found = self.folder.glob("logs/sweeps/*/*/*/.submitit/*/*.[oe][ur][tr]")
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(found))

    def run(self, name: str) -> Path:
        """Return the folder of the sweep's job."""
        (found,) = self.folder.glob(f"logs/sweeps/*/*/*/{name}")
        return found

    def signal(self, number: str) -> None:
        """Send the first job's processes a signal, as SLURM does before a time limit."""
        (tasks,) = self.place.glob("*_0/tasks")
        subprocess.run(["scancel", tasks.parent.name, "--signal", number], env=self.environment, check=True)

    def end(self) -> None:
        """End what still runs."""
        for tasks in self.place.glob("*/tasks"):
            for process in tasks.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)


@pytest.fixture
def cluster(tmp_path: Path) -> Any:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    commands, place = tmp_path / "commands", tmp_path / "cluster"
    commands.mkdir()
    place.mkdir()
    for name in ("sbatch", "srun", "sacct", "scontrol", "scancel"):
        (commands / name).write_text(
            f'#!/bin/sh\nexec {sys.executable} {cluster_commands.__file__} {name} "$@"\n'
        )
        (commands / name).chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    found = Cluster(
        tmp_path, place, {**os.environ, "PATH": path, "STAND_IN_CLUSTER": str(place), "OMP_NUM_THREADS": "1"}
    )
    yield found
    found.end()


def metrics(run: Path) -> dict[str, Any]:
    """Return a run's scores and baselines, which no clock has a part in."""
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return {name: found[name] for name in ("test", "validation", "baselines", "seed")}


def wait_for(holds: Callable[[], bool], sweep: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited for too long"
        assert sweep.poll() is None, sweep.communicate()[0]
        time.sleep(0.05)


@pytest.mark.slow
def test_jobs_of_two_processes_are_what_two_processes_are(cluster: Cluster) -> None:
    words = ["trainer.max_epochs=2"]
    told = cluster.give("-m", *TWO, "seed=1,2", *words)
    assert "seed=1" in told
    assert "seed=2" in told
    cluster.give("trainer.devices=2", "seed=2", "hydra.run.dir=alone", *words)
    assert metrics(cluster.run("seed=2")) == metrics(cluster.folder / "alone")
    again = cluster.give("-m", *TWO, "seed=1,2", *words)
    assert "2 of them done" in again


@pytest.mark.slow
@pytest.mark.parametrize("warning", ["USR1", "USR2"])
def test_a_job_that_is_warned_goes_on_where_it_was(warning: str, cluster: Cluster) -> None:
    words = ["trainer.max_epochs=60"]
    cluster.give("trainer.devices=2", "hydra.run.dir=alone", *words)
    sweep = cluster.start("-m", *TWO, "seed=1,2", *words)
    try:
        wait_for(lambda: bool(list(cluster.folder.glob("logs/sweeps/*/*/*/seed=1/progress.json"))), sweep)
        cluster.signal(warning)
        said, _ = sweep.communicate(timeout=PATIENCE)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, said + cluster.told()
    assert "Requeued job" in cluster.told()
    assert "goes on from its last checkpoint" in cluster.told()
    assert metrics(cluster.run("seed=1")) == metrics(cluster.folder / "alone")


@pytest.mark.slow
def test_a_process_that_dies_takes_its_job_along_which_then_goes_on(cluster: Cluster) -> None:
    words = ["trainer.max_epochs=60"]
    sweep = cluster.start("-m", *TWO, "seed=1,2", *words)
    try:
        wait_for(lambda: bool(list(cluster.folder.glob("logs/sweeps/*/*/*/seed=1/progress.json"))), sweep)
        (tasks,) = cluster.place.glob("*_0/tasks")
        os.kill(int(tasks.read_text().split()[1]), signal.SIGKILL)
        said, _ = sweep.communicate(timeout=PATIENCE)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, said + cluster.told()
    assert (cluster.run("seed=1") / "metrics.json").exists()


SLURM = {"_target_": "x.SlurmLauncher", "tasks_per_node": 4, "nodes": 2}


def test_slurm_starts_as_many_processes_as_a_job_has_devices() -> None:
    check_processes({"devices": 4, "num_nodes": 2}, SLURM)
    check_processes({"devices": [0, 1, 2, 3], "num_nodes": 2}, SLURM)
    for trainer in ({"devices": 2, "num_nodes": 2}, {"devices": 4}, {"devices": "auto", "num_nodes": 2}):
        with pytest.raises(ConfigError, match="Give both the same number"):
            check_processes(trainer, SLURM)
    with pytest.raises(ConfigError, match="one device each"):
        check_processes({"devices": 4}, {"_target_": "x.JoblibLauncher"})
