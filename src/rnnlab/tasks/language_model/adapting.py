"""What a scoring adapts by: a cache of hidden states, and steps on the weights.

The neural cache is by Grave et al. 2017: tokens that came of late, weighed by how like their hidden states
are to the present one. Dynamic evaluation is by Krause et al. 2018: a step on the weights after each window,
scaled by the root mean square of the training text's gradients, that pulls the weights back to the trained
ones. Both learn from a token only once that is scored.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from rnnlab import interruption
from rnnlab.cells.cell import State
from rnnlab.data.streams import StreamBatch, StreamLoader
from rnnlab.encoder.encoder import as_state, mapped
from rnnlab.tasks.language_model.task import LanguageModel

Pair = tuple[float, float]
GRADIENTS = 200
"""Windows of the training text whose gradients are looked at, evenly over it."""


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


class Dynamic:
    """Steps on the weights of a network, back towards the trained ones (Krause et al. 2018, equation 7).

    A gradient is divided by the root mean square of those of training plus the mean of these over all
    weights, so that a rate means the same for every network; the pull back is in their proportion.

    Args:
        network: whose weights are changed.
        rate: of a step.
        decay: the share of the way back to the trained weights that one of mean gradient goes in a step.
        sizes: root mean squares of training's gradients, by parameter.
    """

    def __init__(self, network: nn.Module, rate: float, decay: float, sizes: Mapping[str, Tensor]) -> None:
        self.rate, self.weights = rate, [weight for _, weight in trained_weights(network)]
        self.trained = [weight.detach().clone() for weight in self.weights]
        mean = sum(float(size.sum()) for size in sizes.values()) / sum(
            size.numel() for size in sizes.values()
        )
        mean = mean or 1.0
        self.scales = [sizes[name] + mean for name, _ in trained_weights(network)]
        self.pulls = [(decay / mean * sizes[name]).clamp(max=1.0) for name, _ in trained_weights(network)]

    def step(self, loss: Tensor) -> None:
        """Change the weights by the gradient of a loss.

        Args:
            loss: the mean of a window that has been scored.
        """
        gradients = gradients_of(loss, self.weights)
        with torch.no_grad():
            for weight, trained, scale, pull, gradient in zip(
                self.weights, self.trained, self.scales, self.pulls, gradients, strict=True
            ):
                weight.add_(pull * (trained - weight) - self.rate * gradient / scale)


def trained_weights(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that have gradients, each once, with their names."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


def gradients_of(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients, zeros where the loss does not depend on a weight."""
    with torch.backends.cudnn.flags(enabled=False):  # which has none for a network in evaluation mode
        found = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if part is None else part
        for part, weight in zip(found, weights, strict=True)
    ]


def gradient_sizes(network: LanguageModel, loader: StreamLoader) -> dict[str, Tensor]:
    """Return the root mean square of the gradients of training windows, by parameter.

    The windows are those of a scoring, evenly over the text, each read from the zero state.
    """
    names, weights = zip(*trained_weights(network), strict=True)
    squares = [torch.zeros_like(weight) for weight in weights]
    plan = loader.plan(0)
    chosen = plan[:: max(1, len(plan) // GRADIENTS)]
    for planned in chosen:
        interruption.check()
        losses, _, _ = scored(network, loader.batch(planned).to(network.device), None)
        for square, gradient in zip(squares, gradients_of(losses.mean(), weights), strict=True):
            square += gradient.square() / len(chosen)
    return {name: square.sqrt() for name, square in zip(names, squares, strict=True)}


def scored(network: LanguageModel, batch: StreamBatch, state: State | None) -> tuple[Tensor, Tensor, State]:
    """Return a window's losses ``(columns, steps)``, its hidden states, and the state after it."""
    with torch.backends.cudnn.flags(enabled=not torch.is_grad_enabled()):
        hidden, after = network(batch.inputs, state)
    losses = network.decoder.losses(hidden.flatten(0, 1), batch.targets.flatten())
    return losses.view_as(batch.targets), hidden.detach(), mapped(as_state(after), Tensor.detach)
