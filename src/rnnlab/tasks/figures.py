"""What a finished run shows of its model besides numbers; each task has its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from rnnlab.data.task_data import TaskData
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.task import Task

SPLITS = ("validation", "test")


class TaskFigures(ABC):
    """Watches the final scoring of a run, and then shows what it saw.

    Attributes:
        recorders: for each split that is scored, the callback that watches it.
    """

    recorders: Mapping[str, Callback]

    @abstractmethod
    def publish(self, run: Path, writer: SummaryWriter, step: int) -> None:
        """Write figures, texts and word vectors to TensorBoard, and into the run's ``figures``.

        Args:
            run: the run folder.
            writer: TensorBoard's.
            step: of the training.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """


def task_figures(task: Task, data: TaskData, words: int) -> TaskFigures | None:
    """Return the figures of a task, ``None`` where it has none.

    Args:
        task: with the weights that are scored.
        data: encoded.
        words: how many words the embedding projector is to show.
    """
    # Here, and not above: matplotlib takes a while to import, and most of a training goes without.
    from rnnlab.tasks.language_model.figures import LanguageFigures
    from rnnlab.tasks.sentiment.figures import SentimentFigures

    if isinstance(task, SentimentClassifier):
        return SentimentFigures(task, data, words)
    if isinstance(task, LanguageModel):
        return LanguageFigures(task, data, words)
    return None


def word_vectors(embedding: nn.Module, words: int) -> npt.NDArray[np.float32]:
    """Return the first ``words`` rows of an embedding, those of the most frequent words."""
    weight = embedding.get_parameter("weight")
    found: npt.NDArray[np.float32] = weight[:words].detach().float().cpu().numpy()
    return found
