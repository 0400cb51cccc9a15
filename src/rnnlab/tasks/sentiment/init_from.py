"""``init_from`` of a classifier: the language model whose embedding and encoder its training starts from.

Pretraining a classifier's recurrent network as a language model is of Dai and Le 2015; Howard and Ruder 2018
made of it a recipe (ULMFiT).
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.named_classes import check_classes
from rnnlab.tasks.language_model import NAME
from rnnlab.tasks.starting import Source, Starting
from rnnlab.terminal import shown
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.vocabulary import Vocabulary

_DECODER = "decoder."


def take_language_model(
    task: nn.Module, weights: Mapping[str, Tensor], theirs: Vocabulary, ours: Vocabulary
) -> int:
    """Start a task from a language model's embedding and encoder, and from its decoder where it has one.

    Returns how many of its words have a vector there, ``<unk>`` and ``<eos>`` among them.

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


def take_vectors(weight: Tensor, weights: Mapping[str, Tensor], theirs: Vocabulary, ours: Vocabulary) -> int:
    """Fill ``weight`` ``(ours, size)`` with the language model's vectors of the same words; return how many.

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
    return len(known)


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
        f"{name}: the run has {sizes(theirs)}, this model {sizes(ours)}"
        for name, (theirs, ours) in pairs.items()
        if theirs != ours
    ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ConfigError(f"init_from: the run's network is another than this one:\n  {listed}")


def sizes(shape: torch.Size | None) -> str:
    """Return a shape as a person reads it.

    >>> sizes(torch.Size([3, 4])), sizes(None)
    ('3 x 4', 'none')
    """
    return "none" if shape is None else " x ".join(map(str, shape))


log = logging.getLogger(__name__)

# What of the model section makes its weights what they are. The rest (dropout, backend, how weights start)
# may be other than it was.
ARCHITECTURE = ("_target_", "cell", "hidden_size", "layers", "output_size", "bidirectional", "nonlinearity")
HEAD = ("head", "cutoffs", "tie_weights")
VOCABULARIES = ("run", "own")


class FromLanguageModel(Starting):
    """The embedding and the encoder are a language model's."""

    def check_source(self, source: Source) -> None:
        """Check that it is a language model.

        Raises:
            RunError: if it is not.
        """
        task = source.config["task"]["name"]
        if task != NAME:
            raise RunError(f"init_from={source.checkpoint} is a run of task={task}; take one of task={NAME}.")

    def adopted(self, config: Mapping[str, Any], source: Source, said: Collection[str]) -> dict[str, Any]:
        """See :class:`Starting`.

        The encoder, the embedding's size, the tokenizer, the direction of reading and the head of the
        language model's loss are the run's. What was said stays, for :meth:`check_agreement` to judge.
        """
        taken = {section: source.config[section] for section in ("model", "tokenizer")}
        check_classes(taken, source.checkpoint, config.get("trust"), chosen=config)
        own = {key: value for key, value in config["model"].items() if f"model.{key}" in said}
        model = {**source.config["model"], **own}
        task = dict(config["task"])
        if "task.embedding_size" not in said:
            task["embedding_size"] = source.config["task"]["embedding_size"]
        if "task.backward" not in said:
            task["backward"] = bool(source.config["batches"].get("backward", False))
        loss = dict(task.get("language_loss") or {})
        loss |= {key: source.config["task"][key] for key in HEAD if f"task.language_loss.{key}" not in said}
        tokenizer = config["tokenizer"] if "tokenizer" in said else source.config["tokenizer"]
        return {**config, "model": model, "task": {**task, "language_loss": loss}, "tokenizer": tokenizer}

    def check_agreement(self, config: Mapping[str, Any], source: Source) -> None:
        """See :class:`Starting`.

        Raises:
            ConfigError: if it can't; each key is shown with both values.
        """
        task = config["task"]
        if task.get("vectors"):
            raise ConfigError("init_from and task.vectors both fill the embedding: choose one.")
        if task["vocabulary"] not in VOCABULARIES:
            hint = nearest(str(task["vocabulary"]), VOCABULARIES)
            raise ConfigError(f"task.vocabulary={task['vocabulary']}: unknown. {hint}")
        pairs = {
            f"model.{key}": (source.config["model"].get(key), config["model"].get(key))
            for key in ARCHITECTURE
        }
        pairs["task.embedding_size"] = (source.config["task"]["embedding_size"], task["embedding_size"])
        pairs["task.backward"] = (
            bool(source.config["batches"].get("backward", False)),
            bool(task["backward"]),
        )
        for key in sorted({*source.config["tokenizer"], *config["tokenizer"]}):
            pairs[f"tokenizer.{key}"] = (source.config["tokenizer"].get(key), config["tokenizer"].get(key))
        wrong = [
            f"{key}: the run has {had}, asked for {asked}"
            for key, (had, asked) in pairs.items()
            if had != asked
        ]
        if wrong:
            listed = "\n  ".join(wrong)
            raise ConfigError(
                f"init_from: this training does not fit the language model in {source.checkpoint}:\n"
                f"  {listed}\nWhat is not said comes from the run."
            )

    def read_as(self, data: Any, source: Source, config: Mapping[str, Any]) -> None:
        """Let text become tokens, and with ``task.vocabulary=run`` ids, as the language model's did."""
        data.tokenizer = tokenizer_of(source.metadata, source.checkpoint)
        if config["task"]["vocabulary"] == "run":
            data.vocabulary_settings["vocabulary"] = Vocabulary.from_dict(source.metadata["vocabulary"])

    def take(self, task: Any, source: Source, data: Any) -> None:
        """Take the weights, and report how many words had a vector."""
        theirs = Vocabulary.from_dict(source.metadata["vocabulary"])
        ours = data.encoded.vocabulary
        matched = take_language_model(task, source.weights, theirs, ours)
        others = len(ours) - matched
        log.info(
            "Embedding and encoder from %s: it knows %s of %s words (%.1f %%)%s.",
            shown(source.checkpoint),
            f"{matched:,}",
            f"{len(ours):,}",
            100 * matched / len(ours),
            f"; the other {others:,} start at the mean of its vectors" if others else "",
        )
