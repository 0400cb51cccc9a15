"""Rows of numbers, a vector register at a time.

numba's loops are made for long arrays: on a row of 32 numbers the compiler's checks and leftovers take longer
than the row. Here whole registers are moved, and of the last one what belongs to the row. Its numbers must
lie side by side, and the two rows must not overlap (measured with 32 units: forward and back together take
0.86 to 0.88 of the time).

Activation functions: exact for float64, one rational function for float32.

``tanh(x)`` in float32 is ``x P(x^2) / Q(x^2)`` with P and Q of degree four: the best such function by
relative error on |x| < 7.9, fitted for this module (within 6e-9 before rounding, 3e-7 after); beyond,
tanh is 1 in float32 to within that. It vectorises: fifteen instructions for a register of numbers.
Measured against a vectorised exponential it is twice as fast. The sigmoid is the same curve: ``sigmoid(x) =
(1 + tanh(x / 2)) / 2``. Results stay within [-1, 1] and [0, 1], and NaN stays NaN.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnlab.kernels.compiler import cgutils, compiled, intrinsic, ir, overload, types
from rnnlab.kernels.tile import VECTOR_BYTES

_INDEX, _INT = ir.IntType(64), ir.IntType(32)

LINE = 64
"""Bytes of a cache line; on processors with longer ones some requests are in vain."""


@intrinsic
def place(typing_context, cube, first, second):  # type: ignore[no-untyped-def]
    """Return the address of ``cube[first, second, 0]``."""
    return types.intp(cube, types.intp, types.intp), _address


@intrinsic
def place_in_matrix(typing_context, matrix, row):  # type: ignore[no-untyped-def]
    """Return the address of ``matrix[row, 0]``."""
    return types.intp(matrix, types.intp), _address


@intrinsic
def unowned(typing_context, array):  # type: ignore[no-untyped-def]
    """Return the array as one that nobody counts.

    Each row cut from another is counted in and out, by an operation that all threads wait for (with 32 units
    and two threads the scans take 0.6 to 0.75 of the time without). Something else has to keep its memory.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        found = context.make_array(array)(context, builder, values[0])
        found.meminfo = ir.Constant(found.meminfo.type, None)
        return found._getvalue()

    return array(array), generate


@intrinsic
def flat(typing_context, matrix):  # type: ignore[no-untyped-def]
    """Return the numbers of a contiguous ``(rows, columns)`` as one row that nobody counts.

    One long loop is faster than many short ones, and asking whether they are contiguous takes time, too.
    """
    if matrix.layout != "C":
        return None  # numba tells that no function takes it
    row = types.Array(matrix.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given = context.make_array(matrix)(context, builder, values[0])
        found = context.make_array(row)(context, builder)
        found.data, found.nitems, found.itemsize = given.data, given.nitems, given.itemsize
        found.shape = cgutils.pack_array(builder, [given.nitems])
        found.strides = cgutils.pack_array(builder, [given.itemsize])
        found.meminfo = ir.Constant(found.meminfo.type, None)
        found.parent = ir.Constant(found.parent.type, None)
        return found._getvalue()

    return row(matrix), generate


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    address = builder.ptrtoint(array.data, _INDEX)
    # There is a stride more than there are indices: the last index is 0.
    for index, stride in zip(values[1:], cgutils.unpack_tuple(builder, array.strides), strict=False):
        address = builder.add(address, builder.mul(index, stride))
    return address


@intrinsic
def prefetch(typing_context, address):  # type: ignore[no-untyped-def]
    """Ask for the cache line at ``address``, for reading."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        request = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # To read, to be kept near, data.
        builder.call(request, [builder.inttoptr(values[0], byte), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@compiled
def prefetch_row(matrix: Any, row: int) -> None:
    """Ask for a row's cache lines, for reading or writing."""
    begin = place_in_matrix(matrix, row)
    for address in range(begin, begin + matrix.shape[1] * matrix.itemsize, LINE):
        prefetch(address)


def _row_operation(combine: Callable[[Any, Callable[[], Any], Any], Any]) -> Any:
    """Return ``operation(target, source, count, like)`` on two rows, given by their addresses.

    Args:
        combine: ``combine(builder, target, source)`` returns the register that is written to the target;
            ``target()`` reads what is there.
    """

    @intrinsic
    def operation(typing_context, target, source, count, like):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            row = _Row(builder, context.get_data_type(like.dtype), like.dtype.bitwidth // 8, *values[:3])
            with row.whole_registers() as at:
                news = combine(builder, lambda: row.load(row.target, at), row.load(row.source, at))
                row.store(news, at)
            with row.rest() as mask:
                at = row.whole
                news = combine(
                    builder, lambda: row.load(row.target, at, mask), row.load(row.source, at, mask)
                )
                row.store(news, at, mask)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp, like), generate

    return operation


class _Row:
    """Writes the loads and stores of a row, of whole registers or behind a mask."""

    def __init__(self, builder: Any, number: Any, size: int, target: Any, source: Any, count: Any) -> None:
        self.builder, self.size, self.count = builder, size, count
        self.lanes = VECTOR_BYTES // size
        self.vector = ir.VectorType(number, self.lanes)
        self.target, self.source = (
            builder.inttoptr(address, number.as_pointer()) for address in (target, source)
        )
        self.whole = builder.and_(count, _INDEX(-self.lanes))
        self.name = f"v{self.lanes}f{size * 8}"

    @contextmanager
    def whole_registers(self) -> Iterator[Any]:
        """Yield the place of each whole register."""
        bounds = _INDEX(0), self.whole, _INDEX(self.lanes), _INDEX
        with cgutils.for_range_slice(self.builder, *bounds, inc=True) as (at, _):
            yield at

    @contextmanager
    def rest(self) -> Iterator[Any]:
        """Yield the mask of what is left, if anything is."""
        builder = self.builder
        with builder.if_then(builder.icmp_signed("<", self.whole, self.count), likely=False):
            places = ir.VectorType(_INT, self.lanes)
            undefined = ir.Constant(places, ir.Undefined)
            left = builder.trunc(builder.sub(self.count, self.whole), _INT)
            first = builder.insert_element(undefined, left, _INT(0))
            everywhere = builder.shuffle_vector(first, undefined, ir.Constant(places, [0] * self.lanes))
            yield builder.icmp_signed("<", ir.Constant(places, list(range(self.lanes))), everywhere)

    def load(self, row: Any, at: Any, mask: Any = None) -> Any:
        """Read a register."""
        address = self._at(row, at)
        if mask is None:
            return self.builder.load(address, align=self.size)
        kind = ir.FunctionType(self.vector, [address.type, _INT, mask.type, self.vector])
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        return self.builder.call(self._intrinsic("load", kind), [address, _INT(self.size), mask, zeros])

    def store(self, register: Any, at: Any, mask: Any = None) -> None:
        """Write a register to the target."""
        address = self._at(self.target, at)
        if mask is None:
            self.builder.store(register, address, align=self.size)
            return
        kind = ir.FunctionType(ir.VoidType(), [self.vector, address.type, _INT, mask.type])
        self.builder.call(self._intrinsic("store", kind), [register, address, _INT(self.size), mask])

    def _at(self, row: Any, at: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(row, [at]), self.vector.as_pointer())

    def _intrinsic(self, what: str, kind: Any) -> Any:
        name = f"llvm.masked.{what}.{self.name}.p0{self.name}"
        return cgutils.get_or_insert_function(self.builder.module, kind, name)


copy_row = _row_operation(lambda builder, target, source: source)
"""``copy_row(target, source, count, like)`` copies ``count`` numbers of the type of the array ``like``."""
add_row = _row_operation(lambda builder, target, source: builder.fadd(target(), source))
"""``add_row(target, source, count, like)`` adds them to what is there."""


_EDGE = np.float32(7.9)
_P0, _P1, _P2 = np.float32(1.0), np.float32(0.13450637459754944), np.float32(0.0035790130496025085)
_P3, _P4 = np.float32(2.202359428338241e-05), np.float32(1.542847094526678e-08)
_Q0, _Q1, _Q2 = np.float32(1.0), np.float32(0.46783965826034546), np.float32(0.02619231678545475)
_Q3, _Q4 = np.float32(0.0003423684975132346), np.float32(8.598980798524281e-07)
_HALF, _ZERO, _ONE = np.float32(0.5), np.float32(0), np.float32(1)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return math.tanh(x)


def sigmoid(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    return 1 / (1 + math.exp(-x))


def relu(x: Any) -> Any:
    """Return ``max(0, x)``; NaN stays NaN."""
    return 0.0 if x < 0 else x


def tanh_slope(y: Any) -> Any:
    """Return the derivative of tanh where its value is ``y``."""
    return 1 - y * y


def relu_slope(y: Any) -> Any:
    """Return the derivative of relu where its value is ``y``, as PyTorch has it: 0 at 0."""
    return 0.0 if y <= 0 else 1.0


@compiled
def _rational_tanh(x: Any) -> Any:
    x = _EDGE if x > _EDGE else x
    x = -_EDGE if x < -_EDGE else x
    s = x * x
    above = (((_P4 * s + _P3) * s + _P2) * s + _P1) * s + _P0
    below = (((_Q4 * s + _Q3) * s + _Q2) * s + _Q1) * s + _Q0
    return x * above / below


@overload(tanh, inline="always")
def _tanh(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return lambda x: _rational_tanh(x)
    return lambda x: math.tanh(x)


@overload(sigmoid, inline="always")
def _sigmoid(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return lambda x: _HALF + _HALF * _rational_tanh(_HALF * x)
    return lambda x: 1 / (1 + math.exp(-x))


@overload(relu, inline="always")
def _relu(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return lambda x: _ZERO if x < _ZERO else x
    return lambda x: 0.0 if x < 0.0 else x


@overload(tanh_slope, inline="always")
def _tanh_slope(y):  # type: ignore[no-untyped-def]
    if y == types.float32:
        return lambda y: _ONE - y * y
    return lambda y: 1 - y * y


@overload(relu_slope, inline="always")
def _relu_slope(y):  # type: ignore[no-untyped-def]
    if y == types.float32:
        return lambda y: _ZERO if y <= _ZERO else _ONE
    return lambda y: 0.0 if y <= 0.0 else 1.0
