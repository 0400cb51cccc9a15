"""Strings of dual-tone digits in noise, made from a seed: speech's smallest stand-in, on any machine."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from rnnlab.corpora.corpus import check_at_least, check_split, fingerprint_of
from rnnlab.corpora.sound import Sound
from rnnlab.corpora.spoken import SpokenCorpus, Utterance
from rnnlab.errors import ConfigError

LOW = (941, 697, 697, 697, 770, 770, 770, 852, 852, 852)
HIGH = (1336, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1336, 1477)
"""Hertz of the two tones of each digit (ITU-T Q.23)."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""What each digit is called."""


class TouchTones(SpokenCorpus):
    """Telephone digits, the two tones of each with a length, a loudness and a pause of its own, in noise.

    A "speaker" is a telephone, whose tones are all a little too high or too low; none is in two splits.

    Args:
        train: recordings.
        validation: recordings.
        test: recordings.
        shortest: digits of a recording at least.
        longest: digits of a recording at most.
        noise: decibels of the signal above the noise, on average.
        seed: all that the recordings depend on.

    Raises:
        ConfigError: if a number is too small.
    """

    name = "touch_tones"
    sample_rate = 8000
    format_version = 1
    telephones = 20

    def __init__(
        self,
        train: int = 600,
        validation: int = 100,
        test: int = 100,
        shortest: int = 1,
        longest: int = 7,
        noise: float = 12.0,
        seed: int = 0,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        check_at_least(1, **counts, shortest=shortest)
        if longest < shortest:
            raise ConfigError(f"data.corpus.longest={longest}: expected at least shortest, {shortest}.")
        self._counts, self._digits, self.noise, self.seed = counts, (shortest, longest), noise, seed

    @property
    def fingerprint(self) -> str:
        """Digest of the settings, which decide all."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            counts=self._counts,
            digits=self._digits,
            noise=self.noise,
            seed=self.seed,
        )

    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return the digits of each recording of a split, in words."""
        check_split(self, split)
        return [utterance for utterance, _ in self._strings[split]]

    def sounds(self, split: str) -> Iterator[Sound]:
        """Make the recordings of a split."""
        check_split(self, split)
        place = self.splits.index(split)
        for number, (utterance, digits) in enumerate(self._strings[split]):
            chance = np.random.default_rng([self.seed, place, number, 1])
            pitch = 1 + 0.01 * np.sin(float(utterance.speaker.rpartition(" ")[2]))
            yield Sound(tones(digits, pitch, self.noise, self.sample_rate, chance), self.sample_rate)

    @cached_property
    def _strings(self) -> dict[str, list[tuple[Utterance, list[int]]]]:
        found: dict[str, list[tuple[Utterance, list[int]]]] = {}
        for place, (split, count) in enumerate(self._counts.items()):
            chance, found[split] = np.random.default_rng([self.seed, place]), []
            for number in range(count):
                length = chance.integers(self._digits[0], self._digits[1] + 1)
                digits = chance.integers(0, 10, length).tolist()
                telephone = place * self.telephones + int(chance.integers(self.telephones))
                said = " ".join(DIGITS[digit] for digit in digits)
                utterance = Utterance(f"{split} {number + 1}", said, f"telephone {telephone + 1}")
                found[split].append((utterance, digits))
        return found


def tones(
    digits: Sequence[int], pitch: float, noise: float, rate: int, chance: np.random.Generator
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return samples ``(time,)`` of digits between pauses.

    Args:
        digits: to be dialled.
        pitch: by which all tones are multiplied.
        noise: decibels of the signal above the noise.
        rate: samples a second.
        chance: draws lengths, loudness and noise.
    """
    parts = [np.zeros(int(rate * chance.uniform(0.08, 0.2)))]
    for digit in digits:
        time = np.arange(int(rate * chance.uniform(0.15, 0.3))) / rate
        low, high = (
            np.sin(2 * np.pi * pitch * tone * time + chance.uniform(0, 2 * np.pi))
            for tone in (LOW[digit], HIGH[digit])
        )
        parts += [chance.uniform(0.05, 0.2) * (low + high), np.zeros(int(rate * chance.uniform(0.08, 0.2)))]
    clean = np.concatenate(parts)
    level = 0.125 * 10 ** (-(noise + chance.uniform(-3, 3)) / 20)
    return (clean + level * chance.standard_normal(len(clean))).clip(-1, 1).astype(np.float32)
