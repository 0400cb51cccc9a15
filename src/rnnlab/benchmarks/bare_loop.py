"""The plain PyTorch loop: what a training costs without a Trainer around it."""

import torch
from torch import nn
from torch.optim import Optimizer

from rnnlab.benchmarks.machine import now
from rnnlab.benchmarks.memory import PeakMemory
from rnnlab.benchmarks.reference_models import mean_loss
from rnnlab.benchmarks.reviews import Batches
from rnnlab.benchmarks.turns import Pass, Turn


class BareLoop:
    """Trains and asks a classifier, with nothing in the loop that the arithmetic does not need.

    Args:
        model: ``model(tokens, lengths)`` returns logits.
        optimizer: of the model's parameters.
        clip: the norm to clip the gradient to; None leaves it.
        device: where the model is.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, clip: float | None, device: torch.device
    ) -> None:
        self.model, self.optimizer, self.clip, self.device = model, optimizer, clip, device

    def turn(self, batches: Batches) -> Turn:
        """Walk over the batches twice, training and asking."""
        with PeakMemory(self.device) as peak:
            began = now(self.device)
            loss = self.train(batches)
            trained = now(self.device)
            self.ask(batches)
            asked = now(self.device)
        return Turn(
            training=Pass(trained - began, batches.tokens),
            inference=Pass(asked - trained, batches.tokens),
            loss=loss,
            peak_memory=peak.bytes,
        )

    def train(self, batches: Batches) -> float:
        """Take one step a batch; return the mean loss."""
        self.model.train()
        parameters = list(self.model.parameters())
        total = torch.zeros((), device=self.device)
        for batch in batches:
            tokens, lengths, labels, _ = batch.to(self.device)
            self.optimizer.zero_grad()
            loss = mean_loss(self.model(tokens, lengths), labels)
            torch.autograd.backward(loss)
            if self.clip is not None:
                nn.utils.clip_grad_norm_(parameters, self.clip)
            self.optimizer.step()
            total += loss.detach()
        return float(total) / len(batches)

    @torch.inference_mode()
    def ask(self, batches: Batches) -> None:
        """Compute the logits of every batch."""
        self.model.eval()
        for batch in batches:
            tokens, lengths, _, _ = batch.to(self.device)
            self.model(tokens, lengths)
