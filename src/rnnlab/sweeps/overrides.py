"""What a sweep's command says: which overrides all jobs share, and which keys are swept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Transformer

from rnnlab.errors import ConfigError
from rnnlab.sweeps.naming import Setting

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
