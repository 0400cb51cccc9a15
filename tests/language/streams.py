"""What the tests of language models share: a small text, loaders over it, and a quiet Trainer."""

from typing import Any

import lightning
import numpy as np
from torch import Tensor, nn

from rnnlab.data.streams import StreamLoader, TokenStream
from rnnlab.tasks.language_model.task import LanguageModel

VOCABULARY = 12
GRU = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 8}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.5}


class Memoryless(nn.Module):
    """An encoder whose output depends on its input alone."""

    is_bidirectional = False

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size = self.output_size = input_size
        self.linear = nn.Linear(input_size, input_size)

    def initial_state(self, batch: int) -> Tensor:
        return self.linear.weight.new_zeros(1, batch, 1)

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return self.linear(inputs), self.initial_state(len(inputs))


MEMORYLESS = {"_target_": "tests.language.streams.Memoryless"}


def text(total: int = 300, seed: int = 1) -> np.ndarray:
    """Ids, each mostly the one before plus one."""
    draw = np.random.default_rng(seed)
    return ((np.arange(total) + (draw.random(total) < 0.2) * 3) % VOCABULARY).astype(np.int32)


def loader(batch_size: int = 4, bptt: int = 7, total: int = 300, **options: Any) -> StreamLoader:
    return StreamLoader(TokenStream(text(total), first_input=1, batch_size=batch_size), bptt, **options)


def language_model(**options: Any) -> LanguageModel:
    settings = {"model": GRU, "vocabulary_size": VOCABULARY, "embedding_size": 8, "optimizer": SGD}
    return LanguageModel(**{**settings, **options})


def trainer(**options: Any) -> lightning.Trainer:
    settings = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "max_epochs": 1,
    }
    return lightning.Trainer(**{**settings, **options})


def scores(model: LanguageModel, batches: StreamLoader) -> dict[str, float]:
    (found,) = trainer().validate(model, batches, verbose=False)
    return {name.removeprefix("validation/"): float(value) for name, value in found.items()}
