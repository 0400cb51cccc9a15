"""Threads: the scans run on PyTorch's own OpenMP threads.

A second pool of threads would fight with PyTorch's for the cores: its threads go on spinning for some
milliseconds after each operation (measured on two cores: a scan of 1.3 ms takes 2.5 ms after a matrix
product if it brings its own threads). So the scan asks the very OpenMP library that PyTorch is linked to
for a team of ``torch.get_num_threads()``. Where that has no ``GOMP_parallel`` (Windows), one thread works.

While they work, x86 processors take numbers below the smallest normal one (1.2e-38 in float32) for zero, as
TensorFlow has them do. A gradient that vanishes over hundreds of steps passes through such numbers, and
Intel's processors take some 150 cycles for each operation on one: of a GRU of 32 units on IMDB, whose
gradients don't reach far at first, the first epoch took 14.2 seconds on one core and the later ones 3.4.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from rnnlab.kernels.compiler import cgutils, inlined, intrinsic, ir, types

_WORD = ir.IntType(64)
_INT = ir.IntType(32)
_POINTER = ir.IntType(8).as_pointer()
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
_FLUSHING = 0x8040
"""The bits of x86's MXCSR that take numbers below the normal ones for zero, as operands and as results."""


@cache
def openmp() -> int:
    """Return the address of ``GOMP_parallel`` in the OpenMP library that PyTorch uses, 0 if it has none."""
    for library in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            entry = ctypes.CDLL(str(library)).GOMP_parallel  # found in what the library is linked to
        except (OSError, AttributeError):
            continue
        return ctypes.cast(entry, ctypes.c_void_p).value or 0
    return 0


def team_of(work: Any) -> Any:
    """Return a compiled function ``run(team, threads, arguments)`` that has ``work`` done by several threads.

    Each of ``threads`` calls ``work(*arguments)``, in which it shares out the work by ``claim``; ``run``
    returns when all have. It raises MemoryError if one of them could not get the memory it asked for.

    Args:
        work: a compiled function.
    """
    run_member = _team_call(work)

    @inlined
    def run(team: int, threads: int, arguments: Any) -> None:
        if run_member(team, threads, arguments) > 0:
            raise MemoryError

    return run


@intrinsic
def claim(typing_context, counter, amount):  # type: ignore[no-untyped-def]
    """Return ``counter[0]`` and add ``amount`` to it, in one step that no other thread can come between."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.atomic_rmw("add", data, values[1], "monotonic")

    return types.intp(counter, types.intp), generate


def _team_call(work: Any) -> Any:
    """Return the call that has ``work`` done, by this thread or a team; it returns how many failed."""

    @intrinsic
    def call(typing_context, team, threads, arguments):  # type: ignore[no-untyped-def]
        called = typing_context.resolve_value_type(work).get_call_type(
            typing_context, tuple(arguments.types), {}
        )

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            shared = cgutils.alloca_once_value(
                builder, cgutils.make_anonymous_struct(builder, [values[2], _WORD(0)])
            )
            member = _member(context, builder, shared, work.overloads[called.args], called)
            given = builder.bitcast(shared, _POINTER)
            is_team = builder.icmp_unsigned("!=", values[0], _WORD(0))
            several = builder.and_(is_team, builder.icmp_signed(">", values[1], _WORD(1)))
            with builder.if_else(several) as (by_team, by_one):
                with by_team:
                    parallel_type = ir.FunctionType(ir.VoidType(), [member.type, _POINTER, _INT, _INT])
                    parallel = builder.inttoptr(values[0], parallel_type.as_pointer())
                    builder.call(parallel, [member, given, builder.trunc(values[1], _INT), _INT(0)])
                with by_one:
                    builder.call(member, [given])
            return builder.load(cgutils.gep_inbounds(builder, shared, 0, 1))

        return types.intp(types.intp, types.intp, arguments), generate

    return call


def _member(context: Any, builder: Any, shared: Any, overload: Any, called: Any) -> Any:
    """Write the function that each thread runs: unpack the shared arguments, call, count a failure."""
    kind = ir.FunctionType(ir.VoidType(), [_POINTER])
    member = ir.Function(
        builder.module, kind, name=builder.module.get_unique_name(f"{overload.fndesc.mangled_name}.member")
    )
    member.linkage = "internal"
    inside = ir.IRBuilder(member.append_basic_block("entry"))
    given = inside.bitcast(member.args[0], shared.type)
    unpacked = cgutils.unpack_tuple(inside, inside.load(cgutils.gep_inbounds(inside, given, 0, 0)))
    context.add_linking_libs([overload.library])
    with _flushing(inside):
        status, _ = context.call_internal_no_propagate(inside, overload.fndesc, called, unpacked)
    failures = cgutils.gep_inbounds(inside, given, 0, 1)
    inside.atomic_rmw("add", failures, inside.zext(status.is_error, _WORD), "monotonic")
    inside.ret_void()
    return member


@contextmanager
def _flushing(builder: Any) -> Iterator[None]:
    """Have what is written within take numbers below the normal ones for zero, on x86."""
    if not _IS_X86:
        yield
        return
    kind = ir.FunctionType(ir.VoidType(), [_POINTER])
    store, load = (
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}mxcsr")
        for name in ("st", "ld")
    )
    before, during = (builder.alloca(_INT) for _ in range(2))
    builder.call(store, [builder.bitcast(before, _POINTER)])
    builder.store(builder.or_(builder.load(before), _INT(_FLUSHING)), during)
    builder.call(load, [builder.bitcast(during, _POINTER)])
    yield
    builder.call(load, [builder.bitcast(before, _POINTER)])
