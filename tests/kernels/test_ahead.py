"""Scans are compiled by a process of their own: a first training is as fast and exact as any later one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnlab
from rnnlab.kernels import compiler
from rnnlab.kernels.compiler import numba

PACKAGE = Path(rnnlab.__file__).parent
ONE_PASS = """
import torch
from rnnlab.encoder.recurrent import RecurrentEncoder

torch.manual_seed(0)
encoder = RecurrentEncoder(5, "lstm", 7, backend="fused")
inputs = torch.randn(9, 11, 5)
outputs, _ = encoder(inputs)
outputs.square().sum().backward()
print(outputs.detach().numpy().tobytes().hex())
print([weight.grad.numpy().tobytes().hex() for weight in encoder.parameters()])
"""


@pytest.mark.slow
def test_the_process_that_had_it_compiled_computes_the_same_bits_as_the_next(tmp_path: Path) -> None:
    without_code = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "rnnlab", ignore=without_code)  # code is kept beside the modules
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", ONE_PASS], capture_output=True, text=True, check=True, env=environment
        )
        for _ in range(2)
    ]
    assert "Compiling the kernel: lstm backward" in said[0].stderr
    assert "Compiling" not in said[1].stderr
    assert said[0].stdout == said[1].stdout


def _doubled(numbers: Any) -> Any:
    numbers[0] *= 2


def _one_array(number: Any) -> tuple[Any, ...]:
    return (numba.types.Array(number, 1, "C"),)


def test_code_that_is_there_is_read_without_what_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "_compiled_folder", lambda numbers: tmp_path)
    compiler.Kernel(_doubled, _one_array, "doubled").of("float64")

    def compiles(*arguments: Any) -> None:
        raise AssertionError("what is there is compiled once more")

    monkeypatch.setattr(numba.core.dispatcher.Dispatcher, "compile", compiles)
    numbers = np.full(1, 3.0)
    compiler.Kernel(_doubled, _one_array, "doubled").of("float64")(numbers)
    assert numbers[0] == 6


@compiler.compiled
def _tripled(numbers: Any) -> Any:
    for place in range(len(numbers)):
        numbers[place] *= 3


@compiler.compiled
def _tripled_twice(numbers: Any) -> Any:
    _tripled(numbers)
    _tripled(numbers)


def _times_nine_and_three(numbers: Any) -> Any:
    room = np.empty(len(numbers), numbers.dtype)
    room[:] = numbers
    _tripled_twice(numbers)
    _tripled(room)
    numbers += room


def test_what_an_entry_point_calls_is_machine_code_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "_compiled_folder", lambda numbers: tmp_path)
    monkeypatch.setattr(compiler.Kernel, "named", {})
    kernel = compiler.Kernel(_times_nine_and_three, _one_array, "times")
    kernel.compile_here("float64")
    numbers = np.array([1.0, -2.0])
    kernel.of("float64")(numbers)
    assert numbers.tolist() == [12.0, -24.0]
    for part in (_tripled, _tripled_twice):
        (overload,) = part.overloads.values()  # type: ignore[attr-defined]
        assert overload.library._compiled_object is None


@pytest.mark.parametrize("happens", ["no process can be made", "it fails"])
def test_where_no_other_process_can_compile_this_one_does(
    happens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiler, "_compiled_folder", lambda numbers: tmp_path)
    monkeypatch.setattr(compiler.Kernel, "named", {})
    nothing = [sys.executable, "-c", "raise SystemExit(1)"]
    begin = subprocess.Popen

    def refuse(command: list[str], **options: Any) -> Any:
        if happens == "it fails":
            return begin(nothing, **options)
        raise OSError("too many processes")

    monkeypatch.setattr(compiler.subprocess, "Popen", refuse)
    kernel = compiler.Kernel(_doubled, _one_array, "doubled", elsewhere=__name__)
    numbers = np.full(1, 3.0)
    kernel.begin("float64")
    kernel.of("float64")(numbers)
    assert numbers[0] == 6
    assert caplog.text.count("Compiling the kernel: doubled, float64") == 1
