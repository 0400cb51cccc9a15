"""Whether plain values are of the types that a class asks for, so that a typing mistake is told at once."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

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
