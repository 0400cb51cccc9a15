"""What the scans are made of: rows in blocks, activation functions, compilation, memory."""

import logging
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.kernels import compiler
from rnnlab.kernels import room as rooms
from rnnlab.kernels.compiler import numba
from rnnlab.kernels.room import room
from rnnlab.kernels.rows import rows_of
from rnnlab.kernels.vectors import add_row, copy_row, flat, place, place_in_matrix, sigmoid, tanh


@given(st.lists(st.integers(1, 60), min_size=1, max_size=400))
def test_blocks_hold_every_row_once_longest_first(lengths: list[int]) -> None:
    rows = rows_of(np.array(lengths))
    assert sorted(rows.order.tolist()) == list(range(len(lengths)))
    assert rows.lengths.tolist() == sorted(lengths, reverse=True)
    assert rows.lengths.tolist() == [lengths[row] for row in rows.order]
    assert rows.blocks[0] == 0
    assert rows.blocks[-1] == len(lengths)
    assert (np.diff(rows.blocks) > 0).all()
    for block, tokens in zip(rows.blocks, rows.tokens, strict=True):
        assert tokens == rows.lengths[:block].sum()


both = numba.vectorize(["float32(float32)", "float64(float64)"])
compiled_tanh = both(lambda x: tanh(x))
compiled_sigmoid = both(lambda x: sigmoid(x))


def test_activations_in_single_precision() -> None:
    x = np.concatenate([np.linspace(-20, 20, 400_001), [-np.inf, np.inf, 0.0, 1e-30]]).astype(np.float32)
    exact = np.tanh(x.astype(np.float64))
    found = compiled_tanh(x)
    assert np.abs(found - exact).max() < 4e-7
    assert np.abs(found).max() <= 1
    small = np.abs(x) < 0.1
    assert (np.abs(found - exact)[small] <= 4e-7 * np.abs(exact)[small]).all()
    assert np.abs(compiled_sigmoid(x) - 1 / (1 + np.exp(-x.astype(np.float64)))).max() < 3e-7
    assert compiled_sigmoid(x).min() >= 0
    assert compiled_sigmoid(x).max() <= 1
    assert np.isnan(compiled_tanh(np.float32(np.nan)))
    assert np.isnan(compiled_sigmoid(np.float32(np.nan)))


def test_only_what_lies_side_by_side_is_laid_flat() -> None:
    laid_flat = numba.njit(lambda matrix: flat(matrix).sum())
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert laid_flat(matrix) == matrix.sum()
    assert laid_flat(matrix[1:]) == matrix[1:].sum()
    with pytest.raises(numba.TypingError):
        laid_flat(matrix[:, 1:])


def test_activations_in_double_precision_are_exact() -> None:
    x = np.linspace(-20, 20, 1001)
    np.testing.assert_allclose(compiled_tanh(x), np.tanh(x), rtol=1e-15, atol=0)
    np.testing.assert_allclose(compiled_sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-15, atol=0)


@numba.njit
def moved(target: Any, source: Any, count: int, copy: bool) -> None:
    if copy:
        copy_row(place(target, 1, 2), place_in_matrix(source, 3), count, target)
    else:
        add_row(place(target, 1, 2), place_in_matrix(source, 3), count, target)


@pytest.mark.parametrize("numbers", [np.float32, np.float64])
@pytest.mark.parametrize("copy", [True, False])
def test_rows_are_moved_to_their_last_number_and_no_further(numbers: Any, copy: bool) -> None:
    chance = np.random.default_rng(1)
    source = chance.standard_normal((5, 70)).astype(numbers)
    for count in range(68):
        target = chance.standard_normal((3, 4, 70)).astype(numbers)
        expected = target.copy()
        expected[1, 2, :count] = source[3, :count] + (0 if copy else target[1, 2, :count])
        moved(target, source, count, copy)
        np.testing.assert_array_equal(target, expected)


def _one_more(numbers: Any) -> Any:
    numbers[0] += 1


def _one_array(number: Any) -> tuple[Any, ...]:
    return (numba.types.Array(number, 1, "C"),)


@pytest.fixture
def code_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compiler, "_compiled_folder", lambda numbers: tmp_path)
    return tmp_path


def _run() -> float:
    numbers = np.zeros(1)
    compiler.Kernel(_one_more, _one_array, "one more").of("float64")(numbers)
    return float(numbers[0])


def test_the_first_compilation_is_announced_and_kept(
    code_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert _run() == 1
    assert "Compiling the kernel: one more, float64" in caplog.text
    assert list(code_folder.rglob("*.nbi"))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert _run() == 1
    assert not caplog.records


def test_functions_made_for_different_cells_have_different_names() -> None:
    def make(name: str) -> Any:
        @compiler.compiled_for(name)
        def double(x: float) -> float:
            return 2 * x

        return double

    assert make("gru").py_func.__qualname__ != make("lstm").py_func.__qualname__


def test_without_a_folder_to_write_it_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(blocked))
    monkeypatch.setattr(compiler, "__file__", str(blocked / "kernels" / "compiler.py"))
    compiler._compiled_folder.cache_clear()
    try:
        assert _run() == 1
    finally:
        compiler._compiled_folder.cache_clear()
    assert "compiles the fused scans anew" in caplog.text
    assert "RNNLAB_CACHE_DIR" in caplog.text


def test_the_cache_folder_serves_where_the_package_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "__file__", str(blocked / "kernels" / "compiler.py"))
    compiler._compiled_folder.cache_clear()
    try:
        folder = compiler._compiled_folder("float64")
    finally:
        compiler._compiled_folder.cache_clear()
    assert folder is not None
    assert folder.is_relative_to(tmp_path / "cache" / "kernels")


@pytest.mark.parametrize("shape", [(0,), (3, 5), (2, 1024, 1024)])
def test_room_is_aligned_and_of_the_asked_shape(shape: tuple[int, ...]) -> None:
    tensor = room(*shape, like=torch.zeros(1))
    assert tensor.shape == shape
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert tensor.numel() == 0 or tensor.data_ptr() % 64 == 0
    tensor.fill_(3)
    assert (tensor == 3).all()


def test_freed_room_is_handed_on_and_no_two_share_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_free", deque())
    like, megabyte = torch.zeros(1), 2**18
    smaller, larger = room(8 * megabyte, like=like), room(9, megabyte, like=like)
    places = {smaller.data_ptr(), larger.data_ptr()}
    assert len(places) == 2
    window = smaller[1:].view(-1)  # whoever looks at a part of it holds all of it
    del smaller
    third = room(8 * megabyte, like=like)
    assert third.data_ptr() not in places
    del window, larger
    again = [room(8 * megabyte, like=like), room(5 * megabyte, like=like)]
    assert {tensor.data_ptr() for tensor in again} == places


def test_room_keeps_no_more_blocks_than_were_in_use_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    free: deque[Any] = deque()
    monkeypatch.setattr(rooms, "_free", free)
    like = torch.zeros(1)
    for size in range(2, 30):  # each larger than all before
        tensors = [room(size * 2**20, like=like) for _ in range(3)]
        del tensors
        assert len(free) == 3
    monkeypatch.setattr(rooms, "KEPT", 2**27)
    tensor = room(2**20, like=like)
    assert sum(map(len, free)) <= 2**27
    del tensor
