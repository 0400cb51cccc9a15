"""An ONNX graph while it is written, node by node.

Written, not traced: ONNX has recurrent operators that take each sequence's length, and a trace of Python
would fix what the traced batch happened to be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from torch import Tensor

OPSET, IR_VERSION = 17, 8  # old enough for runtimes of the last years

Array = npt.NDArray[Any]


class Graph:
    """Nodes and constants as they are added; results are called by name.

    Args:
        parent: the graph whose loop body this is: it sees the constants and results of that one, and numbers
            its names with it.
    """

    def __init__(self, parent: Graph | None = None) -> None:
        self.nodes: list[Any] = []
        self._constants: dict[tuple[Any, ...], Any] = {} if parent is None else parent._constants
        self._numbers: Iterator[int] = itertools.count() if parent is None else parent._numbers

    def add(self, operator: str, *inputs: str, name: str | None = None, **options: Any) -> str:
        """Add a node with one result; return its name."""
        return self.add_several(operator, *inputs, names=[name or self.name(operator)], **options)[0]

    def add_several(
        self, operator: str, *inputs: str, names: Sequence[str] | int, **options: Any
    ) -> list[str]:
        """Add a node with several results, named or only counted; return their names."""
        results = [self.name(operator) for _ in range(names)] if isinstance(names, int) else list(names)
        # Named: onnxruntime 1.18 calls what it merges by its first node, and refuses two without a name.
        self.nodes.append(helper.make_node(operator, list(inputs), results, name=results[0], **options))
        return results

    def constant(self, values: Array | Tensor | float | Sequence[int]) -> str:
        """Return the name of a constant; the same values are kept once.

        A Python float becomes float32, whole numbers int64.
        """
        content = array_of(values)
        key = (content.dtype.str, content.shape, content.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(content, self.name("constant"))
        name: str = self._constants[key].name
        return name

    def as_body(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Return this graph as the body of a loop."""
        return helper.make_graph(self.nodes, "step", list(inputs), list(outputs))

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Return the checked model; inputs and outputs as :func:`value` describes them."""
        constants = list(self._constants.values())
        graph = helper.make_graph(self.nodes, name, list(inputs), list(outputs), constants)
        imports = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="rnnlab")
        onnx.checker.check_model(model)
        return model

    def name(self, of: str) -> str:
        """Return a name that nothing has yet."""
        return f"{of.lower()}{next(self._numbers)}"


def value(name: str, kind: int, shape: Sequence[int | str]) -> Any:
    """Return an input's or output's description; an axis with a name is free."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def array_of(values: Array | Tensor | float | Sequence[int]) -> Array:
    """Return a contiguous array: float32 of a tensor or a float, int64 of whole numbers."""
    if isinstance(values, Tensor):
        found: Array = values.detach().float().cpu().numpy()
        return np.asarray(found, order="C")
    if isinstance(values, float):
        return np.array(values, np.float32)
    if isinstance(values, np.ndarray):
        return np.asarray(values, order="C")
    return np.array(values, np.int64)
