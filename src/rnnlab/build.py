"""Objects from plain configuration: ``{"_target_": "package.module.Class", **arguments}``.

Stricter than Hydra's ``instantiate``: the target must be a class of the kind that the caller expects, never a
function, and nothing nested is built. What a configuration that came from a file may name is looked at before
(:mod:`rnnlab.named_classes`).

Whether plain values are of the types that a class asks for, so that a typing mistake is told at once.
"""

import importlib
import inspect
import types
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from rnnlab.errors import ConfigError, nearest
from rnnlab.renamed import RENAMED

PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
LISTS = (list, tuple, Sequence)
UNIONS = (Union, types.UnionType)


def type_hints_of(cls: type) -> dict[str, Any]:
    """Return the types of a class's arguments, and of those that it hands on; without what can't be told."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base) and base is not object:
            try:
                found |= get_type_hints(vars(base)["__init__"])
            except (NameError, TypeError, AttributeError):  # names that are known to type checkers alone
                found |= dict.fromkeys(vars(base)["__init__"].__annotations__, Any)
    return found


def fits(value: object, hint: Any) -> bool:
    """Return whether a plain value is of a type; True where that can't be told.

    >>> fits(3, float), fits(True, int), fits("3", int | None), fits([1, 2], tuple[int, int])
    (True, False, False, True)
    """
    if get_origin(hint) in UNIONS:
        return any(fits(value, part) for part in get_args(hint))
    if hint in (int, float):
        allowed = (int, float) if hint is float else (int,)
        return isinstance(value, allowed) and not isinstance(value, bool)
    if hint in PLAIN:
        return isinstance(value, hint)
    origin = get_origin(hint) or hint
    if origin in LISTS:
        inner = [one for one in get_args(hint) if one is not Ellipsis]
        return isinstance(value, list | tuple) and (not inner or all(fits(one, inner[0]) for one in value))
    if origin in (dict, Mapping):
        return isinstance(value, Mapping)
    # A class of the library's own beside plain types, as Tensor beside float: no plain value is one.
    return not (isinstance(hint, type) and hint.__module__.startswith("torch"))


def said(hint: Any) -> str:
    """Return the plain types of a hint as a person says them.

    >>> said(int | None), said(float | int | None)
    ('a whole number or null', 'a number or null')
    """
    parts = get_args(hint) if get_origin(hint) in UNIONS else (hint,)
    # In an order of our own: Python takes unions of the same types in any order for one another.
    named = [name for kind, name in PLAIN.items() if kind in parts and not (kind is int and float in parts)]
    if any((get_origin(part) or part) in LISTS for part in parts):
        named.append("a list")
    return " or ".join(named) or "something else"


Built = TypeVar("Built")
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def locate_class(target: str, kind: type[Built], where: str, key: str = "_target_") -> type[Built]:
    """Return the class with the dotted name ``target``.

    Args:
        target: such as ``"rnnlab.encoder.recurrent.RecurrentEncoder"``; a name of former versions will do.
        kind: what the class must be, or derive from; a protocol whose methods it must have; or some of these.
        where: the configuration's section, for the error.
        key: what names the class there.

    Raises:
        ConfigError: if there is no such class, it is of another kind, or its module ends the process.
    """
    if not isinstance(target, str):
        raise ConfigError(f"{where}.{key}={target}: expected the dotted name of a class.")
    module_name, _, class_name = RENAMED.get(target, target).rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:  # TypeError: a name that begins with a dot
        raise ConfigError(f"{where}.{key}={target}: can't import {module_name!r} ({error}).") from error
    except SystemExit as leave:
        raise ConfigError(
            f"{where}.{key}={target}: importing {module_name!r} calls sys.exit({leave.code}). What a module "
            "does as a program belongs under if __name__ == '__main__'."
        ) from leave
    found = getattr(module, class_name, None)
    if found is None:
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise ConfigError(f"{where}.{key}: {module_name} has no {class_name}. {nearest(class_name, classes)}")
    kinds: tuple[type, ...] = kind if isinstance(kind, tuple) else (kind,)
    if not (issubclass(type(found), type) and any(is_of(found, one) for one in kinds)):
        names = " or ".join(one.__name__ for one in kinds)
        raise ConfigError(f"{where}.{key}={target} is not a class derived from {names}.")
    return cast(type[Built], found)


def is_of(found: type, kind: type) -> bool:
    """Return whether a class derives from another, or has all the methods of a protocol.

    >>> from rnnlab.text.tokenizers import Tokenizer, Whitespace
    >>> is_of(bool, int), is_of(Whitespace, Tokenizer), is_of(dict, Tokenizer)
    (True, True, False)
    """
    if not getattr(kind, "_is_protocol", False):
        return issubclass(found, kind)
    written = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
    methods = [name for name, value in written.items() if isinstance(value, FunctionType | classmethod)]
    return kind in found.__mro__ or all(callable(getattr(found, name, None)) for name in methods)


def build(config: Mapping[str, Any], kind: type[Built], where: str, **facts: Any) -> Built:
    """Build the object that ``config`` describes.

    Args:
        config: ``_target_`` (a class) and its keyword arguments as plain data.
        kind: as :func:`locate_class` takes it.
        where: the configuration key, for errors.
        facts: arguments that only the caller knows (the vocabulary's size, the number of classes).

    Raises:
        ConfigError: if the target is missing or of another kind, or an argument is unknown or lacking.
    """
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    if "_target_" not in config:
        raise ConfigError(f"{where} has no _target_, the class to build.")
    cls = locate_class(config["_target_"], kind, where)
    check_arguments(cls, arguments, facts, where)
    return cls(**arguments, **facts)


def check_arguments(cls: type, arguments: Mapping[str, Any], facts: Mapping[str, Any], where: str) -> None:
    """Check that ``cls`` takes the keyword arguments, of their types, and that none is lacking.

    Raises:
        ConfigError: naming every key that ``cls`` does not take, with the nearest that it does, and every
            value of a wrong type.
    """
    open_names, takes_any = taken_by(cls)
    open_names -= set(facts)
    unknown = [key for key in arguments if key not in open_names]
    if unknown and not takes_any:
        lines = [
            f"{where}.{key}: {cls.__name__} has no such option. {nearest(key, open_names)}" for key in unknown
        ]
        raise ConfigError("\n".join(lines))
    hints = type_hints_of(cls)
    wrong = [key for key in arguments if key in hints and not fits(arguments[key], hints[key])]
    if wrong:
        lines = [f"{where}.{key}={arguments[key]}: expected {said(hints[key])}." for key in wrong]
        raise ConfigError("\n".join(lines))
    given = set(arguments) | set(facts)
    own = inspect.signature(cls).parameters.values()
    lacking = [p.name for p in own if p.kind in NAMED and p.default is p.empty and p.name not in given]
    if lacking:
        raise ConfigError(f"{where}: {cls.__name__} needs {', '.join(lacking)}.")


def taken_by(cls: type) -> tuple[set[str], bool]:
    """Return the names of the keyword arguments that a class takes, and whether it takes any others, too.

    A class that takes any hands them on: the names that its bases take are then among them.
    """
    parameters = list(inspect.signature(cls).parameters.values())
    names = {p.name for p in parameters if p.kind in NAMED}
    bases = [base for base in cls.__mro__[:-1] if "__init__" in vars(base)]
    for base in bases[1:]:
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in NAMED}
    return names, any(p.kind is p.VAR_KEYWORD for p in parameters)
