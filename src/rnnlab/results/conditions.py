"""Conditions such as ``where=hidden_size>=64``: which runs a table shows."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rnnlab.errors import ConfigError
from rnnlab.results.differing_keys import full_name
from rnnlab.results.found_runs import FoundRun, plain

SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
ABOUT_RUNS = ("status", "seconds", "tokens_per_second", "path")


@dataclass(frozen=True)
class Condition:
    """What must hold of a run.

    Attributes:
        key: of the configuration, a metric, or one of ``ABOUT_RUNS``.
        sign: one of ``SIGNS``.
        value: what the key is compared with.
    """

    key: str
    sign: str
    value: Any

    def holds(self, run: FoundRun) -> bool:
        """Return whether it holds; a run that lacks the key meets no condition but ``!=``.

        A list, such as ``tags``, is equal to what it is and to what is in it.
        """
        found = value_of(run, self.key)
        if isinstance(found, list) and self.sign in ("=", "!="):
            is_in = same_kind(self.value) in [same_kind(value) for value in (found, *found)]
            return is_in is (self.sign == "=")
        if self.sign in ("=", "!="):
            return SIGNS[self.sign](same_kind(found), same_kind(self.value))
        return is_number(found) and is_number(self.value) and SIGNS[self.sign](found, self.value)


def conditions(words: Sequence[str], runs: Sequence[FoundRun]) -> list[Condition]:
    """Return what the words say.

    Args:
        words: such as ``cell=lstm``, ``lr<0.01``, ``test/accuracy>0.8`` or ``status!=failed``.
        runs: of which keys and metrics may be named.

    Raises:
        ConfigError: if a word is no condition, or no run has its key.
    """
    known = keys_of(runs)
    found = []
    for word in words:
        parts = re.fullmatch(r"(?P<key>[^<>=!]+)(?P<sign>>=|<=|!=|=|<|>)(?P<value>.*)", word)
        if not parts:
            raise ConfigError(f"where={word}: expected a key, one of {' '.join(SIGNS)}, and a value.")
        value = plain(parts["value"])
        if parts["sign"] not in ("=", "!=") and not is_number(value):
            raise ConfigError(f"where={word}: {parts['value']} is no number.")
        found.append(Condition(full_name(parts["key"], known), parts["sign"], value))
    return found


def keys_of(runs: Sequence[FoundRun]) -> list[str]:
    """Return every key that some run can be asked for."""
    named = [key for run in runs for key in (*run.config, *run.metrics)]
    return list(dict.fromkeys([*ABOUT_RUNS, *named]))


def value_of(run: FoundRun, key: str) -> Any:
    """Return a run's value of a key; None where it has none."""
    if key in ABOUT_RUNS:
        return str(run.path) if key == "path" else getattr(run, key)
    return run.config[key] if key in run.config else run.metrics.get(key)


def is_number(value: Any) -> bool:
    """Return whether a value can be greater than another."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same_kind(value: Any) -> Any:
    """Return what two settings are compared by: numbers by their value, everything else by its spelling."""
    return float(value) if is_number(value) else repr(value)
