"""numba and LLVM, without their annotations.

Those describe calls from Python; within compiled code a call has other arguments (no typing context, numbers
that become registers), so a type checker that believes them finds errors where there are none.
"""

from importlib import import_module
from typing import Any

numba: Any = import_module("numba")
types: Any = numba.types
cgutils: Any = import_module("numba.core.cgutils")
intrinsic: Any = import_module("numba.extending").intrinsic
overload: Any = import_module("numba.extending").overload
Compiler: Any = import_module("numba.core.compiler").Compiler
Listener: Any = import_module("numba.core.event").Listener
install_listener: Any = import_module("numba.core.event").install_listener
ir: Any = import_module("llvmlite.ir")
binding: Any = import_module("llvmlite.binding")
