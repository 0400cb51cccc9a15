"""The one inner loop of all products: a tile of the result that lives in the processor's registers.

A tile of ``rows x vectors`` registers takes, for each ``k``, one number from each row of the left factor,
spread over a register, times ``vectors`` registers from row ``k`` of the right factor. So each number
loaded takes part in several multiplications, which is what it takes to keep the multipliers busy. numba's
loops can't be held to that, so this one function is written in LLVM's language.

Each element is summed over ``k`` in order, in its own lane: it does not depend on what is computed beside it.
"""

from typing import Any

from rnnlab.kernels.compiler import cgutils, compiled, intrinsic, ir, types, vector_bytes

VECTOR_BYTES = vector_bytes()
TILE_VECTORS = 2
TILE_ROWS = 6 if VECTOR_BYTES == 32 else 14
"""With the two vectors of the right factor, 12 sums fit AVX's 16 registers, and 28 fit 32 registers."""

_INDEX = ir.IntType(64)


@compiled
def lanes_of(like: Any) -> int:
    """Return how many numbers of the array's type a vector register holds."""
    lanes: int = VECTOR_BYTES // like.itemsize
    return lanes


@compiled
def padded(size: int, like: Any) -> int:
    """Return ``size`` rounded up to whole vector registers."""
    lanes: int = VECTOR_BYTES // like.itemsize
    return (size + lanes - 1) // lanes * lanes


@compiled
def tile_rows(rows: int) -> int:
    """Return how tall to make the tiles of so many rows: as few as can be, none much shorter than another."""
    tiles = max(1, (rows + TILE_ROWS - 1) // TILE_ROWS)
    return max(1, (rows + tiles - 1) // tiles)


@compiled
def tile(
    rows: int,
    vectors: int,
    inner: int,
    out: Any,
    out_at: int,
    out_row: int,
    start: Any,
    start_at: int,
    start_row: int,
    left: Any,
    left_at: int,
    left_row: int,
    left_column: int,
    right: Any,
    right_at: int,
    right_row: int,
) -> None:
    """``out[i, j] = start[i, j] + sum over k of left[i, k] right[k, j]``.

    Arrays are contiguous and places in them are counted flat: ``x_at`` is where the tile begins in ``x``,
    ``x_row`` how far its rows lie apart, ``left_column`` how far the columns of the left factor lie apart;
    the others have theirs side by side.

    Args:
        rows: of the tile, ``i`` from 0, at most ``TILE_ROWS``.
        vectors: of each row, at most ``TILE_VECTORS``; ``j`` runs over all their lanes.
        inner: the range of ``k``.
        out, out_at, out_row: the result.
        start, start_at, start_row: what the sum begins with.
        left, left_at, left_row, left_column: the left factor.
        right, right_at, right_row: the right factor.
    """
    _tile(
        rows, vectors, inner, out, out_at, out_row, start, start_at, start_row,
        left, left_at, left_row, left_column, right, right_at, right_row,
    )  # fmt: skip


@intrinsic
def _tile(  # type: ignore[no-untyped-def]
    typing_context, rows, vectors, inner, out, out_at, out_row, start, start_at, start_row,
    left, left_at, left_row, left_column, right, right_at, right_row,
):  # fmt: skip
    """Choose among the loops for every number of rows and vectors, each unrolled into its registers."""
    arrays = {3: out, 6: start, 9: left, 13: right}
    signature = types.void(*(arrays.get(place, types.intp) for place in range(16)))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def address(place: int) -> Any:
            array = context.make_array(signature.args[place])(context, builder, values[place])
            return builder.gep(array.data, [values[place + 1]])

        function = _tile_function(builder.module, context.get_data_type(out.dtype), out.dtype.bitwidth)
        builder.call(
            function,
            [
                *values[:3],
                address(3),
                values[5],
                address(6),
                values[8],
                address(9),
                *values[11:13],
                address(13),
                values[15],
            ],
        )
        return context.get_dummy_value()

    return signature, generate


def _tile_function(module: Any, number: Any, bits: int) -> Any:
    """Return the function that chooses among the loops, one for each shape of tile.

    It is a function of its own that is not inlined, or it would be compiled again wherever it is called.
    """
    name = f"rnnlab_tile_{bits}"
    if name in module.globals:
        return module.globals[name]
    pointer = number.as_pointer()
    kinds = [_INDEX] * 3 + [pointer, _INDEX] * 2 + [pointer, _INDEX, _INDEX] + [pointer, _INDEX]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name=name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    rows, vectors, inner, out, out_row, start, start_row, left, left_row, left_column, right, right_row = (
        function.args
    )
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    lanes = VECTOR_BYTES * 8 // bits
    done = function.append_basic_block("done")
    switch = builder.switch(builder.add(builder.mul(vectors, _INDEX(256)), rows), done)
    for tile_vectors in range(1, TILE_VECTORS + 1):
        for tile_rows in range(1, TILE_ROWS + 1):
            block = function.append_basic_block(f"tile_{tile_rows}_{tile_vectors}")
            switch.add_case(_INDEX(tile_vectors * 256 + tile_rows), block)
            builder.position_at_end(block)
            _Tile(builder, number, lanes, tile_rows, tile_vectors).generate(
                inner, (out, out_row), (start, start_row), (left, left_row, left_column), (right, right_row)
            )
            builder.branch(done)
    builder.position_at_end(done)
    builder.ret_void()
    return function


class _Tile:
    """Writes the loop over ``k`` for one shape of tile."""

    def __init__(self, builder: Any, number: Any, lanes: int, rows: int, vectors: int) -> None:
        self.builder = builder
        self.vector = ir.VectorType(number, lanes)
        self.lanes = lanes
        self.places = [(row, vector) for row in range(rows) for vector in range(vectors)]
        self.rows, self.vectors = rows, vectors
        self.number_bytes = VECTOR_BYTES // lanes
        bits = self.number_bytes * 8
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        self.multiply_add = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.fmuladd.v{lanes}f{bits}"
        )

    def generate(
        self, inner: Any, out: tuple[Any, Any], start: tuple[Any, Any], left: Any, right: Any
    ) -> None:
        """Begin with ``start``, go through ``k``, leave the sums in ``out``."""
        builder = self.builder
        sums = {
            place: builder.load(self._place(*start, place), align=self.number_bytes) for place in self.places
        }
        left_rows = [builder.gep(left[0], [builder.mul(_INDEX(row), left[1])]) for row in range(self.rows)]
        before = builder.block
        head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)

        builder.position_at_end(head)
        k = builder.phi(_INDEX)
        k.add_incoming(_INDEX(0), before)
        running = {}
        for place in self.places:
            running[place] = builder.phi(self.vector)
            running[place].add_incoming(sums[place], before)
        builder.cbranch(builder.icmp_signed("<", k, inner), body, end)

        builder.position_at_end(body)
        right_row = builder.gep(right[0], [builder.mul(k, right[1])])
        vectors = [
            builder.load(self._place(right_row, _INDEX(0), (0, vector)), align=self.number_bytes)
            for vector in range(self.vectors)
        ]
        column = builder.mul(k, left[2])
        for row in range(self.rows):
            factor = self._spread(builder.load(builder.gep(left_rows[row], [column])))
            for vector in range(self.vectors):
                place = (row, vector)
                total = builder.call(self.multiply_add, [factor, vectors[vector], running[place]])
                running[place].add_incoming(total, body)
        k.add_incoming(builder.add(k, _INDEX(1)), body)
        builder.branch(head)

        builder.position_at_end(end)
        for place in self.places:
            builder.store(running[place], self._place(*out, place), align=self.number_bytes)

    def _place(self, pointer: Any, row_step: Any, place: tuple[int, int]) -> Any:
        row, vector = place
        builder = self.builder
        offset = builder.add(builder.mul(_INDEX(row), row_step), _INDEX(vector * self.lanes))
        return builder.bitcast(builder.gep(pointer, [offset]), self.vector.as_pointer())

    def _spread(self, number: Any) -> Any:
        builder = self.builder
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = builder.insert_element(undefined, number, ir.IntType(32)(0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return builder.shuffle_vector(first, undefined, everywhere)
