"""A task from scratch, for ``task=custom``: classes in their order are numbers, such as stars."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from rnnlab.data.batch import Batch
from rnnlab.encoder.embedding import WordEmbedding
from rnnlab.encoder.encoder import build_encoder
from rnnlab.encoder.pooling import build_pooling
from rnnlab.tasks.task import Task


class Rating(Task):
    """The class's number, by squared error: two off is worse than one off."""

    monitor: ClassVar[str] = "validation/loss"
    mode: ClassVar[Literal["min", "max"]] = "min"

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        vocabulary_size: int,
        labels: Sequence[str],
        embedding_size: int = 8,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.embedding = WordEmbedding(vocabulary_size, embedding_size)
        self.encoder = build_encoder(model, input_size=embedding_size)
        self.pooling = build_pooling("mean_max", self.encoder)
        self.rating = nn.Linear(self.pooling.output_size, 1)
        nn.init.constant_(self.rating.bias, (len(labels) - 1) / 2)

    def score(self, batch: Batch, stage: str) -> Tensor:
        outputs, state = self.encoder(self.embedding(batch.inputs), batch.lengths)
        ratings = self.rating(self.pooling(outputs, batch.lengths, state)).squeeze(1)
        off = (ratings - batch.targets)[batch.valid]
        scores = {f"{stage}/loss": off.square().mean(), f"{stage}/off_by": off.abs().mean()}
        self.log_dict(scores, on_step=False, on_epoch=True, batch_size=len(off))
        loss: Tensor = scores[f"{stage}/loss"]
        return loss

    def training_step(self, batch: Batch, index: int) -> Tensor:
        return self.score(batch, "train")

    def validation_step(self, batch: Batch, index: int) -> Tensor:
        return self.score(batch, "validation")

    def test_step(self, batch: Batch, index: int) -> Tensor:
        return self.score(batch, "test")
