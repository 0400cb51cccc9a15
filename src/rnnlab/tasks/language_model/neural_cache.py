"""The neural cache: tokens that came of late, weighed by how like their hidden states are to the present one.

It is by Grave et al. 2017. It learns from a token only once that is scored.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Pair = tuple[float, float]


class Cache:
    """Each column's last hidden states, and the token that followed each.

    Args:
        choices: windows in tokens and flatnesses, for each of which losses are told.
    """

    def __init__(self, choices: Sequence[Pair]) -> None:
        self.choices = choices
        self.longest = int(max(window for window, _ in choices))
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return what the cache alone says of a window's targets, and remember the window.

        Args:
            hidden: states that predict the targets ``(columns, steps, size)``.
            targets: ids ``(columns, steps)``.

        Returns:
            ``(choices, columns, steps)`` in nats: infinite for a token that is not in the cache, NaN where
            nothing is. A place sees those before it alone.
        """
        past = 0 if self.keys is None else self.keys.shape[1]
        keys = hidden if self.keys is None else torch.cat([self.keys, hidden], dim=1)
        values = targets if self.values is None else torch.cat([self.values, targets], dim=1)
        likeness = hidden @ keys.transpose(1, 2)  # (columns, steps, past + steps)
        places = torch.arange(keys.shape[1], device=keys.device)
        ages = places[past:, None] - places
        is_target = values[:, None] == targets[..., None]
        found = []
        for window, flatness in self.choices:
            is_seen = (ages >= 1) & (ages <= window)
            logits = (flatness * likeness).masked_fill(~is_seen, -torch.inf)
            of_target = logits.masked_fill(~is_target, -torch.inf).logsumexp(dim=2)
            found.append(logits.logsumexp(dim=2) - of_target)
        self.keys, self.values = keys[:, -self.longest :], values[:, -self.longest :]
        return torch.stack(found)
