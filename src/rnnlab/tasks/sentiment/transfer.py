"""From a language model to a classifier: the embedding and the encoder that both tasks share.

Pretraining a classifier's recurrent network as a language model is of Dai and Le 2015; Howard and Ruder 2018
made of it a recipe (ULMFiT).
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError
from rnnlab.text.vocabulary import Vocabulary

_DECODER = "decoder."


class WordsTaken(NamedTuple):
    """How many of a vocabulary's words have a vector in another model.

    Attributes:
        matched: words that have, ``<unk>`` and ``<eos>`` among them.
        total: words of the vocabulary.
    """

    matched: int
    total: int


def take_language_model(
    task: nn.Module, weights: Mapping[str, Tensor], theirs: Vocabulary, ours: Vocabulary
) -> WordsTaken:
    """Start a task from a language model's embedding and encoder, and from its decoder where it has one.

    Words are matched by their spelling. One that the language model does not know starts at the mean of its
    vectors. The decoder goes by ids, so it is taken only where the vocabularies are the same.

    Args:
        task: with the modules ``embedding`` and ``encoder``, perhaps ``language_loss``; changed in place.
        weights: the language model's state dict.
        theirs: the language model's vocabulary.
        ours: the task's.

    Raises:
        ConfigError: if sizes differ, naming the parameters with both shapes.
    """
    taken = take_vectors(cast(Tensor, task.get_submodule("embedding").weight), weights, theirs, ours)
    take_module(task.get_submodule("encoder"), weights, "encoder.")
    language_loss = getattr(task, "language_loss", None)
    if language_loss is not None and theirs.tokens == ours.tokens:
        take_module(language_loss.decoder, weights, _DECODER)
    return taken


def take_vectors(
    weight: Tensor, weights: Mapping[str, Tensor], theirs: Vocabulary, ours: Vocabulary
) -> WordsTaken:
    """Fill ``weight`` ``(ours, size)`` with the language model's vectors of the same words.

    Raises:
        ConfigError: if the vectors have another size.
    """
    vectors = weights["embedding.weight"]  # (theirs, size)
    check_shapes({"embedding.weight": (vectors.shape[1:], weight.shape[1:])})
    known = [(row, theirs.id_of(token)) for row, token in enumerate(ours.tokens) if token in theirs]
    rows, sources = (torch.tensor(column, dtype=torch.long) for column in zip(*known, strict=True))
    with torch.no_grad():
        weight.copy_(vectors.mean(dim=0).expand_as(weight))
        weight[rows] = vectors[sources].to(weight)
    return WordsTaken(len(known), len(ours))


def take_module(module: nn.Module, weights: Mapping[str, Tensor], prefix: str) -> None:
    """Load into ``module`` the weights whose names begin with ``prefix``.

    Raises:
        ConfigError: if names or shapes differ.
    """
    given = {name.removeprefix(prefix): part for name, part in weights.items() if name.startswith(prefix)}
    wanted = module.state_dict()
    check_shapes(
        {
            f"{prefix}{name}": (
                given[name].shape if name in given else None,
                wanted[name].shape if name in wanted else None,
            )
            for name in sorted({*given, *wanted})
        }
    )
    module.load_state_dict(given)


def check_shapes(pairs: Mapping[str, tuple[torch.Size | None, torch.Size | None]]) -> None:
    """Check that each parameter has one shape in the language model and here; None where it is not.

    Raises:
        ConfigError: listing those that haven't.
    """
    wrong = [
        f"{name}: the run has {shown(theirs)}, this model {shown(ours)}"
        for name, (theirs, ours) in pairs.items()
        if theirs != ours
    ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ConfigError(f"init_from: the run's network is another than this one:\n  {listed}")


def shown(shape: torch.Size | None) -> str:
    """Return a shape as a person reads it.

    >>> shown(torch.Size([3, 4])), shown(None)
    ('3 x 4', 'none')
    """
    return "none" if shape is None else " x ".join(map(str, shape))
