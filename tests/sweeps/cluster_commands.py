"""SLURM's commands on one machine: what sbatch is given runs here, in real processes.

Given as ``cluster_commands.py sbatch ...``, and so srun, sacct, scontrol and scancel; what it keeps lies in
the folder that STAND_IN_CLUSTER names. There a job is a folder: ``state``, the numbers of its ``tasks``, and
``requeue`` where it is to start again.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PLACE = Path(os.environ.get("STAND_IN_CLUSTER", "nowhere"))
FLAG = re.compile(r"#SBATCH --([a-z-]+)=(.*)")


def sbatch(script: str) -> None:
    """Start a job, or an array of them, and return."""
    flags = dict(FLAG.findall(Path(script).read_text()))
    number = 1 + len(list(PLACE.glob("array-*")))
    (PLACE / f"array-{number}").mkdir()
    array = flags.get("array", "").partition("%")[0].partition("-")[2]
    names = [f"{number}_{index}" for index in range(int(array) + 1)] if array else [str(number)]
    for name in names:
        (PLACE / name).mkdir()
        (PLACE / name / "state").write_text("PENDING")
        words = [sys.executable, __file__, "run", script, name, json.dumps(flags)]
        subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"Submitted batch job {number}")


def run(script: str, name: str, flags_text: str) -> None:
    """Run a job until it is over, and again as often as it is queued again."""
    flags, job = json.loads(flags_text), PLACE / name
    number, _, index = name.partition("_")
    tasks, nodes = flags.get("ntasks-per-node", "1"), flags.get("nodes", "1")
    given = {
        "SLURM_JOB_ID": f"{number}{index or ''}",
        "SLURM_JOB_NAME": flags["job-name"],
        "SLURM_JOB_NUM_NODES": nodes,
        "SLURM_NNODES": nodes,
        "SLURM_NTASKS": str(int(tasks) * int(nodes)),
        "SLURM_NTASKS_PER_NODE": tasks,
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_NODELIST": "localhost",
        "STAND_IN_JOB": name,
    }
    if index:
        given |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index}
    restarts, status = 0, 0
    while restarts == 0 or (job / "requeue").exists():
        (job / "requeue").unlink(missing_ok=True)
        (job / "state").write_text("RUNNING")
        counted = {"SLURM_RESTART_COUNT": str(restarts)} if restarts else {}
        output = Path(flags["output"].replace("%A", number).replace("%a", index).replace("%j", name))
        with output.open("a") as told:
            status = subprocess.run(
                ["bash", script],
                env={**os.environ, **given, **counted},
                stdout=told,
                stderr=told,
                check=False,
            ).returncode
        restarts += 1
    (job / "state").write_text("FAILED" if status else "COMPLETED")


def srun(*words: str) -> None:
    """Start a job's tasks and wait; with SLURM_KILL_BAD_EXIT=1 none outlives one that failed."""
    at = next(i for i, word in enumerate(words) if word == sys.executable)
    output = words[words.index("--output") + 1]
    name = os.environ["STAND_IN_JOB"]
    number, _, index = name.partition("_")
    started = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        path = output.replace("%A", number).replace("%a", index).replace("%j", name).replace("%t", str(rank))
        given = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"}
        given |= {"SLURM_STEP_NUM_TASKS": os.environ["SLURM_NTASKS"]}
        with Path(path).open("a") as told:
            started.append(
                subprocess.Popen(words[at:], env={**os.environ, **given}, stdout=told, stderr=told)
            )
    (PLACE / name / "tasks").write_text(" ".join(str(task.pid) for task in started))
    while any(task.poll() is None for task in started):
        time.sleep(0.1)
        failed = any(task.poll() for task in started) and os.environ.get("SLURM_KILL_BAD_EXIT") == "1"
        if failed or (PLACE / name / "requeue").exists():
            end(started)
    sys.exit(max(abs(task.returncode) for task in started))


def end(tasks: "list[subprocess.Popen[bytes]]") -> None:
    """Ask tasks to end, and end them a little later, as SLURM does."""
    for task in tasks:
        task.terminate()
    until = time.monotonic() + 20
    while any(task.poll() is None for task in tasks):
        time.sleep(0.1)
        if time.monotonic() > until:
            for task in tasks:
                task.kill()


def sacct(*words: str) -> None:
    """Tell the states of jobs."""
    print("JobID|State|NodeList")
    for path in sorted(PLACE.glob("*/state")):
        print(f"{path.parent.name}|{path.read_text()}|localhost")


def scontrol(what: str, name: str) -> None:
    """Queue a job again: it is ended and starts from its beginning."""
    assert what == "requeue"
    (PLACE / name / "requeue").touch()


def scancel(name: str, option: str, number: str) -> None:
    """Send a signal to a job's tasks."""
    assert option == "--signal"
    for process in (PLACE / name / "tasks").read_text().split():
        os.kill(int(process), signal.Signals[f"SIG{number.removeprefix('SIG')}"])


if __name__ == "__main__":
    commands = {"sbatch": sbatch, "run": run, "srun": srun, "sacct": sacct}
    {**commands, "scontrol": scontrol, "scancel": scancel}[sys.argv[1]](*sys.argv[2:])
