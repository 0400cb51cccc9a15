"""Swept keys as Optuna's distributions, in Hydra's grammar of overrides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from rnnlab.errors import ConfigError
from rnnlab.sweeps.overrides import values_of


@dataclass(frozen=True)
class Dimension:
    """A swept key of a search.

    Attributes:
        key: as typed.
        distribution: where its values come from.
        choices: of a key that chooses among listed values: each value as plain data by its text, in which
            Hydra reads it and Optuna stores it; empty for a range of numbers.
    """

    key: str
    distribution: BaseDistribution
    choices: Mapping[str, Any]

    def examples(self) -> list[Any]:
        """Return every listed value, or one of a range."""
        if isinstance(self.distribution, CategoricalDistribution):
            return list(self.choices)
        assert isinstance(self.distribution, IntDistribution | FloatDistribution)
        return [self.distribution.low]

    def plain(self, value: Any) -> Any:
        """Return what Optuna chose as plain data."""
        return self.choices[value] if self.choices else value

    def word(self, value: Any) -> str:
        """Return the override that sets what Optuna chose."""
        return f"{self.key}={value}"


def dimension(override: Override) -> Dimension:
    """Return a swept key as a distribution.

    ``a,b`` and ``choice(a,b)`` list values; ``interval(0.1,0.9)`` is continuous, ``int(interval(16,256))``
    has whole numbers, both ends included; ``range(1,9,2)`` goes in steps, its end excluded, as Python's;
    ``tag(log,...)`` makes an interval or a range logarithmic.

    Raises:
        ConfigError: if there is nothing to choose from, or a bound or tag makes no sense.
    """
    key, value = override.get_key_element(), override.value()
    try:
        if isinstance(value, IntervalSweep):
            return Dimension(key, interval(value, told_log(override)), {})
        if isinstance(value, RangeSweep):
            return Dimension(key, stepped(override, value, told_log(override)), {})
        values = values_of(override)
        choices = {text: plain for plain, text in values}
        if len(choices) < len(values):
            raise ValueError("has the same value twice")
        return Dimension(key, CategoricalDistribution(tuple(choices)), choices)
    except ValueError as error:
        raise ConfigError(f"{override.input_line}: {error}") from error


def told_log(override: Override) -> bool:
    """Return whether a range is tagged as logarithmic.

    Raises:
        ConfigError: if it has any other tag.
    """
    value = override.value()
    tags = set(value.tags) if isinstance(value, IntervalSweep | RangeSweep) else set()
    if tags - {"log"}:
        raise ConfigError(f"{override.input_line}: the only tag is log, as in tag(log,interval(1e-4,1e-1)).")
    return bool(tags)


def interval(value: IntervalSweep, log: bool) -> BaseDistribution:
    """Return an interval's distribution: of whole numbers, if both ends are."""
    start, end = value.start, value.end
    assert start is not None
    assert end is not None
    if isinstance(start, int) and isinstance(end, int):
        return IntDistribution(start, end, log=log)
    return FloatDistribution(float(start), float(end), log=log)


def stepped(override: Override, value: RangeSweep, log: bool) -> BaseDistribution:
    """Return a range's distribution; it ends at the last value that the range has."""
    values = sorted(plain for plain, _ in values_of(override))
    first, last, step = values[0], values[-1], abs(value.step)
    if isinstance(first, int):
        return IntDistribution(first, last, log=log, step=1 if log else int(step))
    if log:
        return FloatDistribution(first, last, log=True)
    return FloatDistribution(first, last, step=float(step))
