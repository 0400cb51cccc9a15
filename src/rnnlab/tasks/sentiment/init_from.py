"""``init_from`` of a classifier: the language model that its training starts from."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from rnnlab.errors import ConfigError, RunError, nearest
from rnnlab.named_classes import check_classes
from rnnlab.tasks.language_model import NAME
from rnnlab.tasks.sentiment.transfer import take_language_model
from rnnlab.tasks.starting import Source, Starting
from rnnlab.terminal import shown
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.vocabulary import Vocabulary

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
        taken = take_language_model(task, source.weights, theirs, data.encoded.vocabulary)
        others = taken.total - taken.matched
        log.info(
            "Embedding and encoder from %s: it knows %s of %s words (%.1f %%)%s.",
            shown(source.checkpoint),
            f"{taken.matched:,}",
            f"{taken.total:,}",
            100 * taken.matched / taken.total,
            f"; the other {others:,} start at the mean of its vectors" if others else "",
        )
