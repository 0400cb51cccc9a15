"""Compilation of an entry point as a whole: what it calls becomes machine code in it, and nowhere else.

numba makes every function ready to be called on its own: it links what the function calls into it, optimizes
the whole, and writes machine code, and all of that once more for each function that calls it, level by level.
Of the fifty functions of a scan only the entry point is ever called. What is kept on disk computes the same;
compilation takes a third less time (measured: both halves of the GRU's scan).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

codegen: Any = import_module("numba.core.codegen")
runtime: Any = import_module("numba.core.runtime").rtsys

_WRAPPER = "_ZN7cpython"
"""How the name begins of what Python calls: an entry point has it."""


@contextmanager
def linked_once() -> Iterator[None]:
    """Compile nothing by itself meanwhile but what Python calls; the process is to do nothing else."""
    context = import_module("numba.core.registry").cpu_target.target_context
    runtime.initialize(context)  # numba's own functions, which are called from outside
    maker = context.codegen()
    set_environment = maker.set_env

    def set_known_environment(name: str, environment: Any) -> None:
        if maker._engine.get_global_value_address(name):  # a part that is no machine code has none
            set_environment(name, environment)

    maker._library_class, maker.set_env = _Part, set_known_environment
    try:
        yield
    finally:
        del maker._library_class, maker.set_env


class _Part(codegen.JITCodeLibrary):  # type: ignore[misc]
    """One function's code, and which others it calls; put together only for an entry point."""

    def finalize(self) -> None:
        """Link all that an entry point calls into it, and compile it; leave anything else as it is."""
        if any(name.startswith(_WRAPPER) for name in self._defined()):
            self._linking_libraries = self._called()
            super().finalize()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return where a function's machine code lies, 0 if it has none."""
        self._ensure_finalized()
        return int(super().get_pointer_to_function(name)) if name in self._defined() else 0

    def _defined(self) -> set[str]:
        return {function.name for function in self._final_module.functions if not function.is_declaration}

    def _called(self) -> list[Any]:
        """Return all that this calls, at however many removes: each before what it calls itself.

        LLVM's linker leaves out a part that nothing has asked for yet.
        """
        found: dict[Any, None] = {}

        def visit(library: Any) -> None:
            for called in library._linking_libraries:
                if called not in found:
                    visit(called)
                    found[called] = None

        visit(self)
        return list(reversed(found))
