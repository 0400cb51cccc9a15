"""Memory problems: an encoder reads a sequence and answers at its last steps."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.corpora.memory_problems import CORRECT_WITHIN
from rnnlab.data.batch import Batch, beside
from rnnlab.encoder.encoder import build_encoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.memory import OBJECTIVE
from rnnlab.tasks.running_mean import MeansTask


class MemoryTask(MeansTask):
    """What a network remembers of the beginning of a sequence at its end.

    ``inputs (batch, time, input_size) -> encoder (batch, time, output_size) -> the last steps of each
    sequence (batch, answers, output_size) -> answers (batch, answers, classes)``. There is no embedding: the
    encoder reads the problem's vectors as they are. Classes are learnt by cross-entropy, numbers by the mean
    square error; a number counts as correct within 0.04 (Hochreiter and Schmidhuber 1997, section 5.4).

    Args:
        model: the encoder's configuration.
        input_size: components of a step's vector.
        answers: how many of the last steps are answers.
        classes: classes of an answer; ``None`` where it is a number.
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.

    Raises:
        ConfigError: if the encoder reads backwards.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        input_size: int,
        answers: int,
        classes: int | None,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.answers = answers
        self.classes = classes
        self.encoder = build_encoder(model, input_size=input_size)
        if self.encoder.is_bidirectional:
            raise ConfigError(
                "task=memory asks how far a network can carry what it read; a bidirectional encoder reads it "
                "from the other end, too. Set model.bidirectional=false."
            )
        self.readout = nn.Linear(self.encoder.output_size, classes or 1)
        self.keep_means(dict.fromkeys(("train", "validation", "test"), ("loss", "accuracy")))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the answers: logits ``(batch, answers, classes)``, or numbers ``(batch, answers)``.

        Args:
            inputs: ``(batch, time, input_size)``, right-padded.
            lengths: steps of each sequence ``(batch,)``, each at least ``answers``.
        """
        outputs, _ = self.encoder(inputs, lengths)  # (batch, time, output_size)
        return self.read(outputs, lengths)

    def read(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the answers from the encoder's outputs ``(batch, time, output_size)``."""
        steps = beside(lengths, outputs).unsqueeze(1) - self.answers
        places = steps + torch.arange(self.answers, device=outputs.device)  # (batch, answers)
        everyone = torch.arange(len(outputs), device=outputs.device).unsqueeze(1)
        answers: Tensor = self.readout(outputs[everyone, places])
        return answers.squeeze(2) if self.classes is None else answers

    def losses_of(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Return each sequence's mean loss over its answers, ``(batch,)``: nats, or squares."""
        if self.classes is None:
            return (answers - wanted).pow(2).mean(dim=1)
        return F.cross_entropy(answers.transpose(1, 2), wanted, reduction="none").mean(dim=1)

    def hits(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Return the share of each sequence's answers that are correct, ``(batch,)``."""
        if self.classes is None:
            return ((answers - wanted).abs() < CORRECT_WITHIN).float().mean(dim=1)
        return (answers.argmax(dim=2) == wanted).float().mean(dim=1)

    def encoder_inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the encoder reads: vectors ``(batch, time, input_size)`` and lengths ``(batch,)``."""
        return batch.inputs, batch.lengths

    def loss_of_outputs(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the sum of the sequences' losses from the encoder's outputs; nothing is counted."""
        return self.losses_of(self.read(outputs, batch.lengths), batch.targets).sum()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the mean loss of the sequences that count."""
        return self.step_mean(*self.count(batch, "train"))

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Count the batch into the validation scores."""
        self.count(batch, "validation")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Count the batch into the test scores."""
        self.count(batch, "test")

    def count(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor]:
        """Add the batch to the scores of ``stage``; return the sum of its losses and their number."""
        answers = self(batch.inputs, batch.lengths)
        valid = batch.valid.to(answers.dtype)
        losses = self.losses_of(answers, batch.targets) * valid
        with torch.no_grad():
            total = valid.sum()
            hits = self.hits(answers, batch.targets) * valid
            self.scores(stage)["loss"].update(losses.detach().sum(), total)
            self.scores(stage)["accuracy"].update(hits.sum(), total)
        return losses.sum(), total
