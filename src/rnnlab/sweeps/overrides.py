"""What a sweep's command says: overrides of all jobs, keys that are swept, names of folders."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Transformer

from rnnlab.errors import ConfigError
from rnnlab.results.differing_keys import short_names

LONGEST = 120
"""Characters of a folder's name; file systems take 255 bytes of it."""

ENDS = "._+-= "
"""What no name that is cut ends in."""

Setting = tuple[str, Any]
"""A key as typed, such as ``+model.decay``, and its value as plain data."""

_PLAIN_KEY = re.compile(r"[a-z0-9.]+(_[a-z0-9.]+)*")
# Words that are no numbers. Not both "_" and "-": then "_" and the next key can't be part of the value. No
# capitals: some file systems don't tell them from small letters. No dot at the end: Windows drops it.
_PLAIN_WORD = re.compile(r"[a-z]([a-z0-9._]*|[a-z0-9.-]*)(?<![.-])")
_NO_WORDS = ("true", "false", "null", "none", "inf", "nan")


def job_name(swept: Sequence[Setting]) -> str:
    """Return the name of the job with these values of the swept keys: what TensorBoard calls the run.

    >>> job_name([("seed", 1), ("model", "gru"), ("optimizer.lr", 1e-3)])
    'gru lr=0.001 seed=1'
    """
    ordered = by_key(swept)
    return limited(in_short(ordered), ordered, exact=all(is_exact(value) for _, value in ordered))


def in_short(settings: Sequence[Setting]) -> str:
    """Return settings by the shortest ends of their keys that differ; of a chosen file its name alone.

    >>> in_short([("model", "gru"), ("model.dropout", 0.1), ("task.dropout", None)])
    'gru model.dropout=0.1 task.dropout=null'
    """
    keys = short_names([letters(key) for key, _ in settings], ())
    return " ".join(
        str(value)
        if "." not in key and isinstance(value, str) and is_exact(value)
        else f"{keys[letters(key)]}={shown(value)}"
        for key, value in settings
    )


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
    '0007 gru lr=0.001235'
    """
    return f"{number:04d} {in_short(by_key(chosen))}"[:LONGEST].rstrip(ENDS)


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
    return f"{name[: LONGEST - 9].rstrip(ENDS)}_{digest}"


EXAMPLE = "such as seed=1,2,3"


@dataclass(frozen=True)
class Overrides:
    """The words of a sweep's command, those on the sweep itself left out.

    Attributes:
        fixed: what all jobs share.
        swept: the keys that have several values, in the order in which they were typed.
    """

    fixed: tuple[Override, ...]
    swept: tuple[Override, ...]

    def fixed_words(self) -> list[str]:
        """Return the words that all jobs share, as Hydra reads them."""
        return [str(override.input_line) for override in self.fixed]

    def fixed_settings(self) -> list[Setting]:
        """Return keys and values that all jobs share."""
        return [(override.get_key_element(), override.value()) for override in self.fixed]

    def swept_keys(self) -> list[str]:
        """Return the swept keys."""
        return [override.get_key_element() for override in self.swept]


def read_overrides(words: Sequence[str], loader: ConfigLoader) -> Overrides:
    """Take a command's words apart.

    Args:
        words: those that are not about Hydra itself.
        loader: knows the configuration's groups, for ``glob(...)``.

    Raises:
        ConfigError: if nothing is swept, a key is given twice, or a word has no place in a sweep.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    of_jobs = [override for override in parsed if not is_about_sweep(override.key_or_group)]
    check_keys([override.key_or_group for override in of_jobs])
    swept = tuple(override for override in of_jobs if override.is_sweep_override())
    if not swept:
        raise ConfigError(
            f"This sweep has no jobs: with -m, give at least one key several values, {EXAMPLE}. "
            "Without -m the command trains one run."
        )
    return Overrides(tuple(override for override in of_jobs if not override.is_sweep_override()), swept)


def is_about_sweep(key: str) -> bool:
    """Return whether a key says how a sweep is run, and so is part of none of its jobs.

    >>> is_about_sweep("sweep"), is_about_sweep("sweep.trials"), is_about_sweep("sweeping")
    (True, True, False)
    """
    return key == "sweep" or key.startswith("sweep.")


def check_keys(keys: Sequence[str]) -> None:
    """Check that a sweep may have these keys.

    Raises:
        ConfigError: if one is given twice, or says where a single run lies.
    """
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ConfigError(f"{', '.join(twice)}: given twice. Give a key all its values at once, {EXAMPLE}.")
    if "resume" in keys:
        raise ConfigError(
            "resume= goes on with one run, without -m. A sweep goes on when its command is given again."
        )


def values_of(override: Override) -> list[tuple[Any, str]]:
    """Return the values of a swept key: as plain data, and as Hydra reads it.

    Raises:
        ConfigError: if it has no values, or can't be counted out, as ``interval(...)``.
    """
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{override.input_line}: an interval has no list of values to go through. Search it with "
            f"sweep=optuna, or list the values: {override.get_key_element()}=range(...) or =value1,value2."
        )
    elements = list(override.sweep_iterator())
    if not elements:
        raise ConfigError(f"This sweep has no jobs: {override.input_line} has no values.")
    return [(plain(element), Transformer.str(element)) for element in elements]


def plain(element: Any) -> Any:
    """Return a parsed element as plain data: what is in quotes becomes its text."""
    if isinstance(element, QuotedString):
        return element.text
    if isinstance(element, list):
        return [plain(item) for item in element]
    if isinstance(element, dict):
        return {str(plain(key)): plain(item) for key, item in element.items()}
    return element
