"""Names of folders from overrides: readable, safe for file systems, the same on every invocation.

A name is also a value that Hydra reads as it is, as in ``resume=<folder>``: letters, digits and ``. _ + -``
only. Where such letters can't tell everything, a digest of the exact values stands at its end.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 120
"""Characters of a folder's name; file systems take 255 bytes of it."""

Setting = tuple[str, Any]
"""A key as typed, such as ``+model.decay``, and its value as plain data."""

_PLAIN_KEY = re.compile(r"[a-z0-9.]+(_[a-z0-9.]+)*")
# Words that are no numbers. Not both "_" and "-": then "_" and the next key can't be part of the value. No
# capitals: some file systems don't tell them from small letters. No dot at the end: Windows drops it.
_PLAIN_WORD = re.compile(r"[a-z]([a-z0-9._]*|[a-z0-9.-]*)(?<![.-])")
_NO_WORDS = ("true", "false", "null", "none", "inf", "nan")


def job_name(swept: Sequence[Setting]) -> str:
    """Return the name of the job with these values of the swept keys.

    >>> job_name([("seed", 1), ("model", "gru"), ("optimizer.lr", 1e-3)])
    'model-gru_optimizer.lr-0.001_seed-1'
    """
    ordered = by_key(swept)
    name = "_".join(f"{letters(key)}-{shown(value)}" for key, value in ordered)
    return limited(name, ordered, exact=all(is_exact(value) for _, value in ordered))


def sweep_name(kind: str, swept: Sequence[str], fixed: Sequence[Setting], space: Any = None) -> str:
    """Return the name of the sweep over these keys.

    Args:
        kind: ``grid``, or another way of choosing jobs, which is then part of the name.
        swept: the swept keys; not their values, so that a sweep which gets another value stays the same.
        fixed: the overrides that all jobs share.
        space: plain data that the name must tell apart besides.

    >>> sweep_name("grid", ["seed", "model"], [("trainer.max_epochs", 2)])
    'model+seed__trainer.max_epochs-2'
    """
    keys, shared = sorted(swept), by_key(fixed)
    parts = ["+".join(letters(key) for key in keys)]
    if kind != "grid":
        parts.insert(0, kind)
    if shared:
        parts.append("+".join(f"{letters(key)}-{shown(value)}" for key, value in shared))
    plain = all(_PLAIN_KEY.fullmatch(key) for key in (*keys, *(key for key, _ in shared)))
    values = all(is_exact(value) and "+" not in shown(value) for _, value in shared)
    return limited("__".join(parts), [kind, keys, shared, space], exact=plain and values and space is None)


def trial_name(number: int, chosen: Sequence[Setting]) -> str:
    """Return the name of a search's trial, which its number tells from all others.

    >>> trial_name(7, [("model", "gru"), ("optimizer.lr", 0.0012345678)])
    '0007_model-gru_optimizer.lr-0.001235'
    """
    values = "_".join(f"{letters(key)}-{shown(value)}" for key, value in by_key(chosen))
    return f"{number:04d}_{values}"[:LONGEST].rstrip("._+-")


def by_key(settings: Sequence[Setting]) -> list[Setting]:
    """Return the settings in the order of their keys."""
    return sorted(settings, key=lambda setting: setting[0])


def shown(value: Any) -> str:
    """Return a value as it appears in names, with four significant digits of a long number.

    >>> shown(True), shown(None), shown(0.0012345678), shown(-1), shown([1, "a b"])
    ('true', 'null', '0.001235', '-1', '1-a-b')
    """
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= 8 else f"{value:.4g}"
    if value is None or isinstance(value, int):
        return json.dumps(value)
    return letters(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def letters(text: str) -> str:
    """Return a text in the letters that names are made of.

    >>> letters("+data@x.y"), letters("a/b.csv")
    ('data-x.y', 'a-b.csv')
    """
    return re.sub(r"[^A-Za-z0-9._+]+", "-", text.lstrip("+~")).strip("-")


def is_exact(value: Any) -> bool:
    """Return whether a name that shows this value tells it from all others.

    >>> is_exact(1), is_exact("1"), is_exact("gru"), is_exact("GRU"), is_exact(0.0012345678)
    (True, False, True, False, False)
    """
    if isinstance(value, str):
        return bool(_PLAIN_WORD.fullmatch(value)) and value not in _NO_WORDS
    if isinstance(value, float):
        return shown(value) == repr(value)
    return value is None or isinstance(value, int)


def limited(name: str, content: Any, *, exact: bool) -> str:
    """Return ``name``, cut and with a digest of ``content`` where it is too long or not ``exact``."""
    if exact and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    return f"{name[: LONGEST - 9].rstrip('._+-')}_{digest}"
