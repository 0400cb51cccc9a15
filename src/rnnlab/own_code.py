"""A digest of a class of the user's own, and of what it uses of the user's other code.

It tells whether what is kept (an encoded corpus, a checkpoint, a finished run) was made by the same code. It
is read from the source text, and nothing is imported for it. Comments and layout don't count. Files that the
code reads are not seen, nor what it finds by ``importlib`` or ``getattr`` under a made-up name.
"""

import ast
import hashlib
import inspect
import marshal
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from rnnlab.build import locate_class
from rnnlab.named_classes import classes_in

LIBRARIES = ("rnnlab", "torch", "lightning")
"""Packages whose classes are no code of the user's, wherever they are installed."""
INSTALLED = ("site-packages", "dist-packages")

_digests: dict[type, str] = {}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def own_code(config: Any) -> dict[str, str]:
    """Return a digest for every class of the user's own that a configuration, or a part of it, names."""
    found = {}
    for _, target in classes_in(config):
        if top(target) not in LIBRARIES:
            found[target] = code_of(locate_class(target, object, "configuration"))
    return {target: digest for target, digest in found.items() if digest}


def code_of(cls: type) -> str:
    """Return the digest of a class; empty for one of rnnlab, torch, Lightning or the standard library.

    Of a class it is found once: what is loaded stays the same, though its file be edited meanwhile.
    """
    if cls not in _digests:
        _digests[cls] = digest_of_code(cls)
    return _digests[cls]


def digest_of_code(cls: type) -> str:
    """Return the digest of a class as its files are now."""
    module = cls.__module__
    if top(module) in (*LIBRARIES, *sys.stdlib_module_names):
        return ""
    texts = module_texts(module, cls.__qualname__.partition(".")[0]) if file_of(module) else class_texts(cls)
    return hashlib.sha256("\n".join(texts).encode("utf-8", "backslashreplace")).hexdigest()


def module_texts(module: str, name: str) -> Iterator[str]:
    """Yield the source of what a top-level class needs: of its own module, and of all that this imports."""
    texts, waiting = {}, {module}
    while waiting:
        current = waiting.pop()
        file = file_of(current)
        if file is None or current in texts or not is_own(current, file, top(module)):
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # a module that is imported later, if at all
            texts[current] = file.read_bytes().hex()
            continue
        body = needed(tree, name) if current == module else tree.body
        texts[current] = "\n".join(map(ast.unparse, body))
        waiting |= {found for node in body for found in imported(node, current, file)}
    texts["__main__"] = texts.pop(module)  # the class's own module, however it is called
    for current in sorted(texts):
        yield texts[current]


def class_texts(cls: type) -> Iterator[str]:
    """Yield the source of the methods of a class that was typed into a notebook, and of its bases there."""
    for base in cls.__mro__:
        if base.__module__ == cls.__module__:
            yield base.__qualname__
            for name, value in sorted(vars(base).items()):
                function = inspect.unwrap(getattr(value, "__func__", value))
                if inspect.isfunction(function):
                    yield function_text(function)
                elif not name.startswith("__"):
                    yield f"{name} {value!r}" if isinstance(value, str | int | float) else name


def function_text(function: Any) -> str:
    """Return a function's source, or what it was compiled to where that is not kept."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return marshal.dumps(function.__code__).hex()


def needed(tree: ast.Module, name: str) -> list[ast.stmt]:
    """Return the statements of a module without the classes and functions that ``name`` does not need.

    >>> body = needed(ast.parse("def a(): b()\\ndef b(): 1\\ndef c(): 2\\nd = 3"), "a")
    >>> [ast.unparse(node).partition(":")[0] for node in body]
    ['def a()', 'def b()', 'd = 3']
    """
    defined = {node.name: node for node in tree.body if isinstance(node, Definition)}
    if name not in defined:
        return tree.body
    reached = {name}
    waiting: list[ast.AST] = [node for node in tree.body if node not in defined.values()]
    waiting.append(defined[name])
    while waiting:
        used = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
        news = (used & set(defined)) - reached
        reached |= news
        waiting += [defined[new] for new in news]
    return [node for node in tree.body if not isinstance(node, Definition) or node.name in reached]


def imported(node: ast.AST, module: str, file: Path) -> Iterator[str]:
    """Yield the names of what may be modules that a statement imports."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            with suppress(ImportError):  # dots that lead out of the package
                base = resolve_name("." * found.level + (found.module or ""), package)
                yield from (base, *(f"{base}.{alias.name}" for alias in found.names))


def file_of(module: str) -> Path | None:
    """Return the source file of a module, which need not be imported; None where it has none."""
    place = getattr(sys.modules.get(module), "__file__", None) or origin_of(module)
    return Path(place) if place and place.endswith(".py") and Path(place).is_file() else None


def origin_of(module: str) -> str | None:
    """Return where Python would find a module that is not imported."""
    place, spec = None, None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), place)
        place = spec.submodule_search_locations if spec else None
        if spec is None or (place is None and count < len(parts)):
            return None
    return spec.origin if spec else None


def is_own(module: str, file: Path, package: str) -> bool:
    """Return whether a module is the user's: of the package that was named, or not installed."""
    if top(module) in LIBRARIES:
        return False
    if any(part in INSTALLED for part in file.parts):
        return top(module) == package
    return not file.is_relative_to(sysconfig.get_path("stdlib"))


def top(name: str) -> str:
    """Return the package of a dotted name."""
    return name.partition(".")[0]


def edited(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names whose digests were kept and are others now, or are missing on one side."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
