"""A language model as TorchScript that takes and returns the state it carries."""

import torch
from torch import Tensor, nn

from rnnlab.encoder.recurrent import Direction
from rnnlab.graphs.network_parts import embedding_of, module_of, stacked
from rnnlab.tasks.language_model.decoders import AdaptiveDecoder, Decoder, FullDecoder
from rnnlab.tasks.language_model.task import LanguageModel


class Layer(nn.Module):
    """A layer whose module has one state; it is a list of one tensor ``(batch, units)``."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.network = module_of(direction)

    def forward(self, inputs: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return outputs ``(time, batch, units)`` and the state after the last step."""
        outputs, after = self.network(inputs, state[0].unsqueeze(0))
        return outputs, [after.squeeze(0)]


class MemoryLayer(nn.Module):
    """A layer whose module has two; they are a list of two tensors ``(batch, units)``."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.network = module_of(direction)

    def forward(self, inputs: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return outputs ``(time, batch, units)`` and the state after the last step."""
        outputs, (hidden, memory) = self.network(inputs, (state[0].unsqueeze(0), state[1].unsqueeze(0)))
        return outputs, [hidden.squeeze(0), memory.squeeze(0)]


class Scores(nn.Module):
    """A softmax over some ids: a linear map to the words' space, then each id's own vector."""

    def __init__(self, project: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.project = project
        self.words = nn.Linear(weight.shape[1], weight.shape[0])
        self.words.weight = nn.Parameter(weight.detach(), requires_grad=False)
        self.words.bias = nn.Parameter(bias.detach(), requires_grad=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return log-probabilities ``(..., ids)`` after ``hidden (..., size)``."""
        return torch.log_softmax(self.words(self.project(hidden)), dim=-1)


class AdaptiveScores(nn.Module):
    """The adaptive softmax: the shortlist's own, and each cluster's times its symbol's."""

    def __init__(self, decoder: AdaptiveDecoder) -> None:
        super().__init__()
        weight = torch.cat([decoder.weight[: decoder.shortlist], decoder.cluster_weight])
        self.shortlist = decoder.shortlist
        self.head = Scores(decoder.project, weight, decoder.bias)
        own = list(decoder.cluster_weights) or [decoder.weight[low:high] for low, high in decoder.clusters]
        parts = zip(decoder.cluster_projects, own, decoder.cluster_biases, strict=True)
        self.clusters = nn.ModuleList(Scores(*part) for part in parts)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return log-probabilities ``(..., vocabulary)`` after ``hidden (..., size)``."""
        head = self.head(hidden)
        parts = [head[..., : self.shortlist]]
        at = self.shortlist
        for cluster in self.clusters:
            parts.append(cluster(hidden) + head[..., at : at + 1])
            at += 1
        return torch.cat(parts, dim=-1)


class PlainLanguageModel(nn.Module):
    """A trained language model of PyTorch's own modules alone, in evaluation mode.

    Args:
        task: the trained network.

    Raises:
        ConfigError: if the encoder is not one of rnnlab's.
    """

    units: list[int]
    counts: list[int]

    def __init__(self, task: LanguageModel) -> None:
        super().__init__()
        stack = [directions[0] for directions in stacked(task.encoder, "torchscript")]
        self.embedding = embedding_of(task.embedding.weight)
        self.layers = nn.ModuleList(
            MemoryLayer(layer) if len(layer.cell.states) > 1 else Layer(layer) for layer in stack
        )
        self.units = [layer.hidden_size for layer in stack for _ in layer.cell.states]
        self.counts = [len(layer.cell.states) for layer in stack]
        self.decoder = scores_of(task.decoder)

    def forward(self, tokens: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return log-probabilities of the token after each ``(batch, time, vocabulary)``, and the state.

        Args:
            tokens: ids ``(batch, time)`` int64.
            state: what came out for the tokens before them, at first :meth:`initial_state`.
        """
        outputs = self.embedding(tokens.t())  # (time, batch, size)
        after: list[Tensor] = []
        at = 0
        for number, layer in enumerate(self.layers):
            count = self.counts[number]
            outputs, new = layer(outputs, state[at : at + count])
            after += new
            at += count
        return self.decoder(outputs).transpose(0, 1), after

    @torch.jit.export
    def initial_state(self, batch: int) -> list[Tensor]:
        """Return the state before ``batch`` texts begin: zeros ``(batch, units)``, two a layer for LSTMs."""
        return [torch.zeros(batch, units) for units in self.units]


def scores_of(decoder: Decoder) -> nn.Module:
    """Return a decoder's softmax as a module that scripts."""
    if isinstance(decoder, FullDecoder):
        return Scores(decoder.project, decoder.weight, decoder.bias)
    if isinstance(decoder, AdaptiveDecoder):
        return AdaptiveScores(decoder)
    raise TypeError(f"{type(decoder).__name__} is no decoder of rnnlab's")
