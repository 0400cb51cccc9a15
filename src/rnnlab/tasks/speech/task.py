"""Speech to text by connectionist temporal classification: an encoder that tells letters where it hears them.

At each step a linear layer gives each unit, and a blank, a probability. A path of one symbol a step stands for
the text that is left when equal neighbours are merged and then the blanks removed; a text's probability is the
sum of those of its paths (Graves et al. 2006)::

    step   1 2 3 4 5 6 7 8
    path   - h h - i i - -      hi
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.encoder.dropout import LockedDropout
from rnnlab.encoder.encoder import build_encoder
from rnnlab.tasks.running_mean import RunningMean
from rnnlab.tasks.speech import OBJECTIVE
from rnnlab.tasks.speech.data import SpeechBatch
from rnnlab.tasks.speech.decoding import Spelling, greedy
from rnnlab.tasks.speech.error_counts import edits
from rnnlab.tasks.task import Task

if TYPE_CHECKING:
    from rnnlab.tasks.answers import TrainedModel

RATES = ("wer", "cer", "ser")
"""Errors by words, by characters, and recordings with any error."""


class SpeechRecognizer(Task):
    """What is said in a recording.

    ``inputs (batch, time, input_size) -> encoder (batch, time, output_size) -> linear -> log probabilities
    (batch, time, symbols + 1)``, the blank last.

    Args:
        model: the encoder's configuration.
        input_size: numbers of a step.
        symbols: the units that are told, in the order of their ids.
        separator: what stands between two of them in a text.
        dropout: share of the encoder's output components dropped, the same at every step of a recording.
        input_dropout: likewise of what it reads.
        optimizer: the optimizer's configuration; None for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or None.

    Raises:
        ConfigError: if a share is out of range.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        input_size: int,
        symbols: Sequence[str],
        separator: str = "",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.spelling = Spelling(tuple(symbols), separator)
        self.input_dropout = LockedDropout(input_dropout)
        self.encoder = build_encoder(model, input_size=input_size)
        self.dropout = LockedDropout(dropout)
        self.readout = nn.Linear(self.encoder.output_size, len(symbols) + 1)
        for stage in ("train", "validation", "test"):
            names = ("loss",) if stage == "train" else ("loss", *RATES)
            self.add_module(f"{stage}_scores", nn.ModuleDict({name: RunningMean() for name in names}))
        self.scores("train")["loss"].persistent(True)  # a run that goes on in mid-epoch reports all of it

    def validation_metrics(self) -> list[str]:
        """Return the names of all that a validation logs."""
        return [f"validation/{name}" for name in self.scores("validation")]

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the log probability of each symbol at each step, ``(batch, time, symbols + 1)``.

        Args:
            inputs: ``(batch, time, input_size)``, right-padded.
            lengths: steps of each recording ``(batch,)``; None where all fill the time axis.
        """
        outputs, _ = self.encoder(self.input_dropout(inputs), lengths)
        return self.read(outputs)

    def read(self, outputs: Tensor) -> Tensor:
        """Return the log probabilities ``(batch, time, symbols + 1)`` from the encoder's outputs."""
        return F.log_softmax(self.readout(self.dropout(outputs)).float(), dim=2)

    def losses_of(self, log_probabilities: Tensor, batch: SpeechBatch) -> Tensor:
        """Return each recording's loss ``(batch,)`` in nats; infinite where it is too short for its text."""
        return F.ctc_loss(
            log_probabilities.transpose(0, 1),
            batch.targets.clamp(min=0),
            batch.lengths,
            batch.target_lengths,
            blank=self.spelling.blank,
            reduction="none",
        )

    def encoder_inputs(self, batch: SpeechBatch) -> tuple[Tensor, Tensor]:
        """Return what the encoder reads: vectors ``(batch, time, input_size)`` and lengths ``(batch,)``."""
        return batch.inputs, batch.lengths

    def loss_of_outputs(self, outputs: Tensor, batch: SpeechBatch) -> Tensor:
        """Return the sum of the recordings' losses from the encoder's outputs; nothing is counted."""
        return self.losses_of(self.read(outputs), batch).sum()

    def training_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """Return the loss by unit of the recordings that count."""
        losses = self.losses_of(self(batch.inputs, batch.lengths), batch) * batch.valid
        units = (batch.target_lengths.to(batch.valid.device) * batch.valid).sum()
        self.scores("train")["loss"].update(losses.detach().sum(), units)
        return losses.sum() / units.clamp(min=1)

    def validation_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """Count the batch into the validation scores; return its log probabilities."""
        return self.count(batch, "validation")

    def test_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """Count the batch into the test scores; return its log probabilities."""
        return self.count(batch, "test")

    def count(self, batch: SpeechBatch, stage: str) -> Tensor:
        """Add the batch to the scores of ``stage``; an infinite loss, told beforehand, counts as no loss."""
        found = self(batch.inputs, batch.lengths)
        losses = self.losses_of(found, batch)
        counts = batch.valid & losses.isfinite()
        units = batch.target_lengths.to(losses.device)
        scores = self.scores(stage)
        scores["loss"].update(losses[counts].sum(), units[counts].sum())
        meant = [self.spelling.text(ids[ids >= 0].tolist()) for ids in batch.targets]
        for told, text, valid in zip(self.told(found, batch.lengths), meant, batch.valid.tolist(), strict=True):
            if valid:
                words, letters = edits(text.split(), told.split()), edits(text, told)
                self.add(scores["wer"], words.errors, words.meant)
                self.add(scores["cer"], letters.errors, letters.meant)
                self.add(scores["ser"], int(words.errors > 0), 1)
        return found

    def told(self, log_probabilities: Tensor, lengths: Tensor) -> list[str]:
        """Return what each recording of a batch says.

        Args:
            log_probabilities: ``(batch, time, symbols + 1)``.
            lengths: ``(batch,)``.
        """
        rows = log_probabilities.float().cpu().numpy()
        return [
            self.spelling.text(greedy(row[:length], self.spelling.blank))
            for row, length in zip(rows, lengths.tolist(), strict=True)
        ]

    def add(self, mean: RunningMean, total: int, weight: int) -> None:
        """Add whole numbers to a running mean."""
        mean.update(*(torch.tensor(number, device=self.device) for number in (total, weight)))

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted pass counted."""
        self.forget("validation")

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted pass counted."""
        self.forget("test")

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training loss."""
        self.report("train")

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores."""
        self.report("validation")

    def on_test_epoch_end(self) -> None:
        """Log the test scores."""
        self.report("test")

    def scores(self, stage: str) -> dict[str, RunningMean]:
        """Return the running means of ``stage`` by name."""
        return dict(cast(nn.ModuleDict, getattr(self, f"{stage}_scores")).items())  # type: ignore[arg-type]

    def forget(self, stage: str) -> None:
        """Empty the scores of ``stage``."""
        for mean in self.scores(stage).values():
            mean.reset()

    def report(self, stage: str) -> None:
        """Log the scores of ``stage`` over all its recordings."""
        self.log_dict({f"{stage}/{name}": mean.value_and_reset() for name, mean in self.scores(stage).items()})
