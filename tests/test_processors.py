"""How many processors are ours, and how this process's threads wait."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rnnlab import processors
from rnnlab.processors import FEW_SPINS, SPINS
from rnnlab.training import hardware

SHOWS = """
import os
from rnnlab.command_line import exit_by

def work():
    print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_NUM_THREADS"))

exit_by(work)
"""


@pytest.mark.parametrize(
    ("own", "files", "limits"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, [1.5]),
        ("0::/", {"cpu.max": "max 100000"}, []),
        ("0::/jobs/mine", {"jobs/cpu.max": "200000 100000", "jobs/mine/cpu.max": "50000 100000"}, [0.5, 2]),
        ("0::/of/the/host", {"cpu.max": "300000 100000"}, [3]),
        (
            "4:memory:/x\n1:cpu:/x",
            {"cpu/x/cpu.cfs_quota_us": "40000", "cpu/x/cpu.cfs_period_us": "20000"},
            [2],
        ),
        ("1:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "1"}, []),
        ("0::/", {"cpu.max": "what is this"}, []),
        ("0::/../../..", {}, []),
    ],
)
def test_limits_of_time(own: str, files: dict[str, str], limits: list[float], tmp_path: Path) -> None:
    (tmp_path / "own").write_text(own + "\n")
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    assert list(processors._limits(tmp_path / "groups", tmp_path / "own")) == limits


def test_a_limit_of_time_counts_as_whole_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    there = processors.processors()
    monkeypatch.setattr(processors, "_limits", lambda: [0.4, 1000.0])
    assert processors.processors() == 1
    monkeypatch.setattr(processors, "_limits", lambda: [1000.0])
    assert processors.processors() == there


@pytest.mark.parametrize(
    ("set_by_user", "spins", "threads"),
    [
        ({}, FEW_SPINS, None),
        ({SPINS: "7"}, "7", None),
        ({"OMP_WAIT_POLICY": "active"}, "None", None),
        ({"OMP_NUM_THREADS": "1"}, FEW_SPINS, "1"),
    ],
)
def test_a_commands_threads_wait_as_said(
    set_by_user: dict[str, str], spins: str, threads: str | None
) -> None:
    ours = (SPINS, "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    shown = subprocess.run(
        [sys.executable, "-c", SHOWS],
        env={**environment, **set_by_user},
        capture_output=True,
        text=True,
        check=True,
    )
    said = shown.stdout.split()
    assert said[0] == spins
    assert threads is None or said[1] == threads


@pytest.mark.parametrize(
    ("name", "features", "is_faster"),
    [
        ("sapphirerapids", {"avx512bf16": True, "amx-bf16": True}, True),
        ("emeraldrapids", {"avx512bf16": True, "amx-bf16": False}, False),
        ("znver4", {"avx512bf16": True}, True),
        ("znver3", {"avx512bf16": False}, False),
        ("skylake", {}, False),
        ("neoverse-v1", {"bf16": True}, True),
    ],
)
def test_where_bfloat16_pays(
    monkeypatch: pytest.MonkeyPatch, name: str, features: dict[str, bool], is_faster: bool
) -> None:
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: name)
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    assert processors.bfloat16_is_faster.__wrapped__() is is_faster


def test_without_numba_whoever_asks_for_bfloat16_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    assert processors.bfloat16_is_faster.__wrapped__() is True


@pytest.mark.parametrize("is_faster", [True, False])
def test_a_run_in_mixed_precision_says_what_it_gains(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_faster: bool
) -> None:
    monkeypatch.setattr(hardware, "bfloat16_is_faster", lambda: is_faster)
    with caplog.at_level("INFO", logger="rnnlab"):
        hardware.tell_precision("bf16-mixed", torch.device("cpu"))
        hardware.tell_precision("32-true", torch.device("cpu"))
    (record,) = caplog.records
    assert record.levelname == ("INFO" if is_faster else "WARNING")
    assert ("trainer.precision=32-true is more exact" in record.message) is not is_faster
    assert "recurrent scans that are rnnlab's own go on in float32" in record.message
