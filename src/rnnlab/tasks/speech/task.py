"""Speech to text by connectionist temporal classification: letters are told where they are heard.

At each step a linear layer gives each unit, and a blank, a probability. A path of one symbol a step stands
for the text that is left when equal neighbours are merged and then the blanks removed; a text's probability
is the sum of those of its paths (Graves et al. 2006)::

    step   1 2 3 4 5 6 7 8
    path   - h h - i i - -      hi
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.build import check_arguments
from rnnlab.data.batch import beside
from rnnlab.encoder.dropout import LockedDropout
from rnnlab.encoder.encoder import build_encoder
from rnnlab.tasks.running_mean import MeansTask, RunningMean
from rnnlab.tasks.speech import OBJECTIVE
from rnnlab.tasks.speech.batches import SpeechBatch
from rnnlab.tasks.speech.decoder import Decoder, Decoding
from rnnlab.tasks.speech.decoding import Spelling
from rnnlab.tasks.speech.error_counts import edits
from rnnlab.terminal import shown

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun, TrainedModel
    from rnnlab.tasks.speech.figures import RecordedSpeech, SpeechFigures

RATES = ("wer", "cer", "ser")
"""Errors by words, by characters, and recordings with any error."""


class SpeechRecognizer(MeansTask):
    """What is said in a recording.

    ``inputs (batch, time, input_size) -> encoder (batch, time, output_size) -> linear -> log probabilities
    (batch, time, symbols + 1)``, the blank last.

    Args:
        model: the encoder's configuration.
        input_size: numbers of a step.
        symbols: the units that are told, in the order of their ids.
        separator: what stands between two of them in a text.
        transcripts: of the training recordings, from which trigrams and a list of words can be had.
        dropout: share of the encoder's output components dropped, the same at every step of a recording.
        input_dropout: likewise of what it reads.
        decoding: how texts are told, see :class:`rnnlab.tasks.speech.decoder.Decoding`.
        streaming: whether files are listened to chunk by chunk, as sound that is being spoken.
        optimizer: the optimizer's configuration; None for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or None.

    Raises:
        ConfigError: if a share is out of range, or the decoding can't be done.
    """

    asked_keys = ("decoding", "streaming")
    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        input_size: int,
        symbols: Sequence[str],
        separator: str = "",
        transcripts: Sequence[str] = (),
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        decoding: Mapping[str, Any] | None = None,
        streaming: bool = False,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.spelling = Spelling(("\ufffd", *symbols[1:]), separator)  # what <unk> is shown as
        self.transcripts = tuple(transcripts)
        check_arguments(Decoding, decoding or {}, {}, "task.decoding")
        self.decoding = Decoding(**(decoding or {}))
        self.streaming = streaming
        self.opened: Callable[[str], OpenedRun] | None = None
        self.input_dropout = LockedDropout(input_dropout)
        self.encoder = build_encoder(model, input_size=input_size)
        self.dropout = LockedDropout(dropout)
        self.readout = nn.Linear(self.encoder.output_size, len(symbols) + 1)
        scored = ("loss", *RATES)
        self.keep_means({"train": ("loss",), "validation": scored, "test": scored})

    @classmethod
    def trained_model(cls) -> "type[TrainedModel]":
        """Return a model that listens to files."""
        from rnnlab.tasks.speech.answers import TrainedSpeech

        return TrainedSpeech

    def questions(self, run: Path) -> Sequence[Sequence[str]]:
        """Return a command that lets it listen."""
        return (("predict", f"run={shown(run)}", "input=hello.wav"),)

    def recorder(self, data: Any, split: str) -> "RecordedSpeech":
        """Return what keeps the texts that are told."""
        from rnnlab.tasks.speech.figures import RecordedSpeech

        return RecordedSpeech(data, split)

    def figures(self, data: Any, words: int) -> "SpeechFigures":
        """Return what shows sounds with what was heard in them."""
        from rnnlab.tasks.speech.figures import SpeechFigures  # matplotlib takes a while to import

        return SpeechFigures(self, data)

    def open_others(self, opened: "Callable[[str], OpenedRun]") -> None:
        """Take what opens the language model that decides, too."""
        self.opened = opened

    @cached_property
    def decoder(self) -> Decoder:
        """What makes texts of probabilities."""
        return Decoder(self.decoding, self.spelling, self.transcripts, self.opened)

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
        units = (beside(batch.target_lengths, batch.valid) * batch.valid).sum()
        self.scores("train")["loss"].update(losses.detach().sum(), units)
        return self.step_mean(losses.sum(), units)

    def validation_step(self, batch: SpeechBatch, batch_index: int) -> dict[str, Any]:
        """Count the batch into the validation scores; return what is ``told`` of its recordings."""
        return self.count(batch, "validation")

    def test_step(self, batch: SpeechBatch, batch_index: int) -> dict[str, Any]:
        """Count the batch into the test scores; return what is ``told`` of its recordings."""
        return self.count(batch, "test")

    def count(self, batch: SpeechBatch, stage: str) -> dict[str, Any]:
        """Add the batch to the scores of ``stage``; an infinite loss, told beforehand, counts as no loss."""
        found = self(batch.inputs, batch.lengths)
        losses, scores = self.losses_of(found, batch), self.scores(stage)
        counts, units = batch.valid & losses.isfinite(), beside(batch.target_lengths, losses)
        scores["loss"].update(losses[counts].sum(), units[counts].sum())
        told = self.told(found, batch.lengths)
        meant = [self.spelling.text(ids[ids >= 0].tolist()) for ids in batch.targets]
        for text, wanted, valid in zip(told, meant, batch.valid.tolist(), strict=True):
            if valid:
                words, letters = edits(wanted.split(), text.split()), edits(wanted, text)
                self.add(scores["wer"], words.errors, words.meant)
                self.add(scores["cer"], letters.errors, letters.meant)
                self.add(scores["ser"], int(words.errors > 0), 1)
        return {"told": told}

    def told(self, log_probabilities: Tensor, lengths: Tensor) -> list[str]:
        """Return what each recording of a batch says.

        Args:
            log_probabilities: ``(batch, time, symbols + 1)``.
            lengths: ``(batch,)``.
        """
        rows = log_probabilities.float().cpu().numpy()
        return [self.decoder.text(row[:length]) for row, length in zip(rows, lengths.tolist(), strict=True)]

    def add(self, mean: RunningMean, total: int, weight: int) -> None:
        """Add whole numbers to a running mean."""
        mean.update(*(torch.tensor(number, device=self.device) for number in (total, weight)))
