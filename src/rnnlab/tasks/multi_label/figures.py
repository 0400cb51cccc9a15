"""What a finished multi-label run shows: how well each class is told, and what chose the threshold."""

from pathlib import Path
from typing import cast

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from rnnlab.figures.drawing import publish
from rnnlab.figures.several_classes import Decided, f1_by_threshold_figure, precision_recall_by_class_figure
from rnnlab.tasks.multi_label.task import MultiLabelClassifier
from rnnlab.tasks.sentiment.figures import SentimentFigures


class MultiLabelFigures(SentimentFigures):
    """Figures of a classifier that tells any number of classes; it takes what the base takes."""

    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """See :class:`rnnlab.tasks.figures.TaskFigures`."""
        folder = run / "figures"
        threshold = float(cast(MultiLabelClassifier, self.task).threshold)
        decided = {split: self.decided(split) for split in self.recorders}
        for split, found in decided.items():
            figure = precision_recall_by_class_figure(found, self.task.labels, threshold, split)
            publish(figure, folder, f"precision_recall_{split}", writer, step)
        publish(f1_by_threshold_figure(decided, threshold), folder, "f1_by_threshold", writer, step)
        if self.words and writer is not None:
            self.show_words(Path(writer.log_dir))

    def decided(self, split: str) -> Decided:
        """Return the probabilities of a split's documents, and what they are of."""
        known = self.recorders[split].scored.known
        return Decided(known.probabilities.astype(np.float64), known.labels.astype(np.bool_))
