"""Data flows one way: a package knows those before it, and none behind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rnnlab

SOURCE = Path(rnnlab.__file__).parent
FLOORS = (
    "corpora", "text", "signals", "data", "kernels", "cells", "encoder", "graphs", "tasks", "training",
    "runs", "commands",
)  # fmt: skip


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the packages of rnnlab that are imported, now or later, but for the eyes of type checkers."""
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    yield from (name.split(".")[1] for name in names if name.startswith("rnnlab."))
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_knows_only_those_before(floor: str) -> None:
    behind = set(FLOORS[FLOORS.index(floor) + 1 :])
    files = sorted((SOURCE / floor).rglob("*.py"))
    assert files
    reaching = {
        str(file.relative_to(SOURCE)): sorted(found)
        for file in files
        if (found := behind & set(imported(ast.parse(file.read_text(encoding="utf-8")))))
    }
    assert reaching == {}
