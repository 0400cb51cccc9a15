"""How long each window of a stream is: fixed, or drawn as AWD-LSTM does."""

import numpy as np

_HALVED = 0.05  # the share of windows around half the length
_SPREAD = 5.0  # standard deviation of a window's length, in steps
_SHORTEST = 5


def fixed_windows(total: int, steps: int) -> list[int]:
    """Return the lengths of consecutive windows over ``total`` steps: all ``steps`` but perhaps the last.

    >>> fixed_windows(8, 3)
    [3, 3, 2]
    """
    return [min(steps, total - start) for start in range(0, total, steps)]


def random_windows(total: int, steps: int, seed: int, epoch: int) -> list[int]:
    """Return window lengths drawn as in AWD-LSTM (Merity et al. 2018, section 5), in an order of this epoch.

    A length is normal around ``steps`` (one time in twenty around half of it) with a standard deviation of
    five steps, and at least five. The lengths themselves come from ``seed`` alone and only their order from
    the epoch, so that every epoch has the same number of windows and covers ``total`` steps exactly.
    """
    draw = np.random.default_rng(seed)
    lengths: list[int] = []
    left = total
    while left > 0:
        around = steps if draw.random() >= _HALVED else steps / 2
        length = min(left, max(min(_SHORTEST, steps), round(draw.normal(around, _SPREAD))))
        lengths.append(length)
        left -= length
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    return [lengths[index] for index in order]
