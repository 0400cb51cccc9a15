"""Compilation of the scans by numba: when first needed, kept on disk, said, and how long it took."""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import DTypeLike
from torch import Tensor

from rnnlab.folders import cache_folder
from rnnlab.kernels.linking import linked_once

numba: Any = import_module("numba")
types: Any = numba.types
cgutils: Any = import_module("numba.core.cgutils")
intrinsic: Any = import_module("numba.extending").intrinsic
overload: Any = import_module("numba.extending").overload
Compiler: Any = import_module("numba.core.compiler").Compiler
runtime: Any = import_module("numba.core.runtime").rtsys
ir: Any = import_module("llvmlite.ir")
binding: Any = import_module("llvmlite.binding")


_total = 0.0
_depth = 0
_lock = threading.Lock()


@contextmanager
def waiting() -> Iterator[None]:
    """Count the seconds of what is done within; of waits in one another the outermost counts."""
    global _total, _depth
    with _lock:
        is_outermost, _depth = _depth == 0, _depth + 1
    began = time.perf_counter()
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if is_outermost:
                _total += time.perf_counter() - began


def seconds_waited() -> float:
    """Return the seconds since the process began."""
    return _total


logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

# "contract" lets a product and a sum become one instruction, rounded once. Nothing may be reordered and NaN
# and infinity keep their meaning. The numpy error model divides by zero without a check, so loops vectorise.
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}

_PLAIN = ("__init__", "ahead", "device_scan", "elman", "room", "scans")
"""Modules of this package in which nothing is compiled."""

_PATIENCE = 120.0
"""Seconds to wait for another process that compiles the same; then this one does it, too."""


def compiled(function: Function) -> Function:
    """Mark a function as part of the kernels: compiled into whatever entry point calls it."""
    result: Function = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)
    return result


class _ArraysApart(Compiler):  # type: ignore[misc]
    """Tells LLVM that no argument's numbers are another's, of those that are written."""

    def define_pipelines(self) -> Any:
        """Set the mark that numba has for it, and no option."""
        self.state.flags.noalias = True
        return super().define_pipelines()


def compiled_apart(function: Function) -> Function:
    """Like ``compiled``, for a loop over many arrays of which those written to overlap no other.

    LLVM makes vectors of a loop only if at most eight comparisons of addresses show that it may.
    """
    result: Function = numba.njit(
        no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=_ArraysApart, **_OPTIONS
    )(function)
    return result


def compiled_for(name: str) -> Callable[[Function], Function]:
    """Like ``compiled``, for a function made anew for each cell.

    Compiled code is found by the function's name and the types of its arguments. Functions of one name would
    be taken for one another when they are read from disk where several processes put them.
    """

    def mark(function: Function) -> Function:
        function.__qualname__ += f".{name}"
        return compiled(function)

    return mark


def inlined(function: Function) -> Function:
    """Like ``compiled``, for a few lines that are written into their callers: those compile faster."""
    result: Function = numba.njit(inline="always", **_OPTIONS)(function)
    return result


class Kernel:
    """An entry point, compiled for float32 or float64 when it is first called for.

    Args:
        function: plain Python, in the part of the language that numba compiles.
        signature: from numba's type of the numbers to its types of the arguments.
        name: what it computes, for the announcement: "gru forward".
        elsewhere: the module whose import makes it, for a process of its own that compiles it and finds it
            in ``Kernel.named``; None to compile it in this process.
    """

    named: ClassVar[dict[str, "Kernel"]] = {}
    """Those that a process of their own compiles."""
    _lock = threading.RLock()  # numba's folder is a setting of the whole process

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Callable[[Any], tuple[Any, ...]],
        name: str,
        elsewhere: str | None = None,
    ) -> None:
        self._function = function
        self._signature = signature
        self.name = name
        self._elsewhere = elsewhere
        self._ready: dict[str, Callable[..., Any]] = {}
        self._begun: dict[str, subprocess.Popen[bytes] | None] = {}
        self._announced: set[str] = set()
        if elsewhere is not None:
            Kernel.named[name] = self

    def of(self, dtype: DTypeLike) -> Callable[..., Any]:
        """Return the compiled function for numbers of ``dtype``."""
        numbers = np.dtype(dtype).name
        if numbers not in self._ready:
            with Kernel._lock, waiting():
                if numbers not in self._ready:
                    self._ready[numbers] = self._prepared(numbers)
        return self._ready[numbers]

    def begin(self, dtype: DTypeLike) -> None:
        """Begin to compile for numbers of ``dtype``, if that is to be done, and do not wait for it."""
        numbers = np.dtype(dtype).name
        if numbers in self._ready or numbers in self._begun or self._elsewhere is None:
            return
        folder = _compiled_folder(numbers)
        if folder is None or self._stamp(folder).is_file():
            return
        self._announce(numbers)
        command = [sys.executable, "-m", "rnnlab.kernels.ahead", self._elsewhere, self.name, numbers]
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        try:
            self._begun[numbers] = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:  # no process can be made: this one compiles
            self._begun[numbers] = None
            logger.debug("No process compiles the fused scan %s: %s", self.name, error)

    def compile_here(self, numbers: str) -> None:
        """Compile to disk in this process, which should not use it; what is there already is left."""
        folder = _compiled_folder(numbers)
        if folder is None:
            raise OSError("No folder can be written for compiled code.")
        stamp = self._stamp(folder)
        with _alone(stamp):
            if not stamp.is_file():
                with linked_once():
                    self._compiled(numbers, folder)
                stamp.touch()

    def _prepared(self, numbers: str) -> Callable[..., Any]:
        """Return the function as it is read from disk, once it lies there; else as it is compiled here."""
        folder = _compiled_folder(numbers)
        stamp = None if folder is None else self._stamp(folder)
        started = time.perf_counter()
        self.begin(numbers)
        compiling = self._begun.pop(numbers, None)
        if compiling is not None:
            _, said = compiling.communicate()
            if compiling.returncode:
                logger.debug("Compiling %s elsewhere failed: %s", self.name, said.decode(errors="replace"))
        elif stamp is None or not stamp.is_file():
            self._announce(numbers)
        with _alone(stamp):
            function = self._compiled(numbers, folder)
            if stamp is not None:
                stamp.touch()
        if numbers in self._announced:
            logger.info("Compiled %s in %.1f s.", self.name, time.perf_counter() - started)
        return function

    def _stamp(self, folder: Path) -> Path:
        """Return the file that says that the compiled code is there."""
        return folder / f"{self.name.replace(' ', '-')}.done"

    def _announce(self, numbers: str) -> None:
        if numbers in self._announced:
            return
        self._announced.add(numbers)
        logger.warning(
            "Compiling the kernel: %s, %s (once on this machine: seconds, where it is busy up to minutes).",
            self.name,
            numbers,
        )

    def _compiled(self, numbers: str, folder: Path | None) -> Callable[..., Any]:
        """Compile, or read what lies in ``folder``."""
        former = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(folder or "")
        try:
            function = numba.njit(cache=folder is not None, **_OPTIONS)(self._function)
            signature = self._signature(getattr(numba.types, numbers))
            if not _read(function, signature):
                function.compile(signature)
        finally:
            numba.config.CACHE_DIR = former
        function.disable_compile()
        ready: Callable[..., Any] = function
        return ready


def _read(function: Any, signature: tuple[Any, ...]) -> bool:
    """Read a function's code from its folder; return whether it was there.

    numba's own way first makes ready what code is compiled with, its imports and registries: half a second
    in each process, for nothing where the code is there.
    """
    load = getattr(function._cache, "_load_overload", None)  # there is none where nothing is kept
    if load is None:
        return False
    runtime.initialize(function.targetctx)
    try:
        code = load(signature, function.targetctx)
    except OSError:  # another process writes it this instant: numba's own way waits
        return False
    if code is None:
        return False
    function.targetctx.insert_user_function(code.entry_point, code.fndesc, [code.library])
    function.add_overload(code)
    return True


@contextmanager
def _alone(stamp: Path | None) -> Iterator[None]:
    """Keep other processes from compiling the same meanwhile, as far as the folder allows."""
    if stamp is None or stamp.is_file():
        yield
        return
    lock = FileLock(stamp.with_suffix(".lock"))
    try:
        lock.acquire(timeout=_PATIENCE)
    except (Timeout, OSError, NotImplementedError):  # numba's files are whole in any case
        yield
        return
    try:
        yield
    finally:
        lock.release()


def numbers_of(tensor: Tensor) -> str:
    """Return the name that NumPy has for a tensor's type of numbers."""
    return str(tensor.dtype).removeprefix("torch.")


@cache
def _compiled_folder(numbers: str) -> Path | None:
    """Return a folder that can be written for the compiled code of these modules on this processor.

    Beside the modules, else in rnnlab's cache; None where neither can be written: then the code is compiled
    anew by each process. One folder for each type of numbers, as numba's index of one function can't be
    written by two processes for two types at once.
    """
    here = Path(__file__).resolve().parent
    text = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag} {here}".encode())
    for module in sorted(here.glob("*.py")):
        if module.stem not in _PLAIN:
            text.update(module.read_bytes() + str(module.stat().st_mtime_ns).encode())
    processor = numba.config.CPU_NAME or binding.get_host_cpu_name()
    name = f"scans-{text.hexdigest()[:16]}-{processor}-{numbers}"
    for parent in (here / "__pycache__", cache_folder() / "kernels"):
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    logger.warning(
        "No folder can be written for compiled code (%s): each process compiles the fused scans anew. "
        "RNNLAB_CACHE_DIR names another.",
        cache_folder(),
    )
    return None


def vector_bytes() -> int:
    """Return the width of the processor's vector registers in bytes: 64 (AVX-512), 32 (AVX) or 16."""
    features = binding.get_host_cpu_features()
    named = os.environ.get("NUMBA_CPU_FEATURES")
    if named is not None:  # what numba compiles for, where it is told
        features = {feature[1:]: feature[0] == "+" for feature in named.split(",") if feature}
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16
