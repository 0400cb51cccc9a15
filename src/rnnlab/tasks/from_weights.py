"""``init_from`` of a network trained elsewhere: a Keras model, or a ``state_dict`` of PyTorch modules.

Its sizes are adopted, so that nothing but the file need be named.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rnnlab.data.task_data import TaskData
from rnnlab.encoder.foreign_weights import read_foreign
from rnnlab.errors import ConfigError
from rnnlab.files.bounded import text_of
from rnnlab.tasks.sentiment.init_from import take_module
from rnnlab.tasks.starting import Source, Starting
from rnnlab.tasks.task import Task
from rnnlab.terminal import shown

log = logging.getLogger(__name__)

WORDS_LARGEST = 256 << 20  # bytes of a list of words


class FromWeights(Starting):
    """Embedding, encoder and readout are those of a network trained elsewhere."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def check_source(self, source: Source) -> None:
        """See :class:`Starting`; reading has checked it."""

    def read(self, file: Path) -> Source:
        """See :class:`Starting`; the network is kept for what follows."""
        self.network = read_foreign(file)
        return Source(file, {}, {}, {})

    def adopted(self, config: Mapping[str, Any], source: Source, said: Collection[str]) -> dict[str, Any]:
        """See :class:`Starting`; sizes and pooling are the network's where nothing is said."""
        given = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", **self.network.model}
        model = {**config["model"], **{key: v for key, v in given.items() if f"model.{key}" not in said}}
        task = dict(config["task"])
        wanted: dict[str, Any] = {"embedding_size": self.network.recurrent["weight_ih_l0"].shape[1]}
        if self.network.pooling is not None:
            wanted["pooling"] = self.network.pooling
        if self.network.readout is not None:
            wanted["tie_weights"] = False
            width = self.network.model["hidden_size"] * (1 + self.network.model["bidirectional"])
            if self.network.pooling is None and self.network.readout[0].shape[1] == width:
                wanted["pooling"] = "last"  # as is usual: of weights alone nothing tells
        task |= {key: v for key, v in wanted.items() if key in task and f"task.{key}" not in said}
        return {**config, "model": model, "task": task}

    def check_agreement(self, config: Mapping[str, Any], source: Source) -> None:
        """See :class:`Starting`; shapes are compared where they are taken."""
        if config["task"].get("vectors"):
            raise ConfigError("init_from and task.vectors both fill the embedding: choose one.")

    def read_as(self, data: TaskData, source: Source, config: Mapping[str, Any]) -> None:
        """See :class:`Starting`; the text is read as the configuration says."""

    def take(self, task: Task, source: Source, data: Any) -> None:
        """See :class:`Starting`."""
        if not hasattr(task, "encoder"):
            raise ConfigError("init_from: this task has no encoder, and nothing that it could take.")
        parts = {f"encoder.network.{name}": part for name, part in self.network.recurrent.items()}
        take_module(task.get_submodule("encoder"), parts, "encoder.")
        told = ["the encoder"]
        if self.network.embedding is not None and hasattr(data, "encoded"):
            told.append(self.take_embedding(task, data.encoded.vocabulary.tokens))
        readout = next((name for name in ("classifier", "decoder") if hasattr(task, name)), "")
        weight = getattr(getattr(task, readout, None), "weight", None)
        if self.network.readout is not None and weight is not None:
            if weight.shape == self.network.readout[0].shape:
                with torch.no_grad():
                    weight.copy_(self.network.readout[0])
                    task.get_parameter(f"{readout}.bias").copy_(self.network.readout[1])
                told.append("the readout")
            else:
                log.warning(
                    "The readout of %s makes %d numbers of %d features, this one %d of %d: it is not taken.",
                    *(shown(self.path), *self.network.readout[0].shape, *weight.shape),
                )
        log.info("From %s: %s.", shown(self.path), ", ".join(told))

    def take_embedding(self, task: Task, tokens: Sequence[str]) -> str:
        """Fill the embedding: by words where a list lies beside the file, else row by row; say which.

        Raises:
            ConfigError: if neither is possible.
        """
        ours = task.get_parameter("embedding.weight")
        theirs = self.network.embedding
        assert theirs is not None
        if theirs.shape[1:] != ours.shape[1:]:
            raise ConfigError(
                f"init_from: the embedding of {self.path} has vectors of {theirs.shape[1]} components, and "
                f"task.embedding_size={ours.shape[1]}."
            )
        beside = self.path.with_suffix(".txt")
        with torch.no_grad():
            if beside.is_file():
                words = text_of(beside, WORDS_LARGEST).splitlines()
                rows = {word: row for row, word in enumerate(words[: len(theirs)])}
                known = [(place, rows[token]) for place, token in enumerate(tokens) if token in rows]
                ours.copy_(theirs.mean(dim=0).expand_as(ours))
                for place, row in known:
                    ours[place] = theirs[row]
                return f"the vectors of {len(known):,} of {len(tokens):,} words (by {shown(beside)})"
            if len(theirs) != len(ours):
                raise ConfigError(
                    f"init_from: the embedding of {self.path} has {len(theirs):,} rows, the vocabulary "
                    f"{len(ours):,} words. Put the words of the rows, one a line, into {beside}; rows then "
                    "find their words."
                )
            ours.copy_(theirs)
        return "the embedding, row by row, as there are as many words"
