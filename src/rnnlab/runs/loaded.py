"""``rnnlab.load``: a run folder or checkpoint as a model that answers."""

from collections.abc import Sequence
from pathlib import Path

from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.runs.load import open_run
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.tasks.language_model.answers import TrainedLanguageModel
from rnnlab.tasks.answers import TrainedModel


def load(path: str | Path, *, device: str = "auto", trust: Sequence[str] = ()) -> TrainedModel:
    """Return the trained model of a run, from its checkpoint alone.

    Neither the training data nor the configuration files nor any flag is needed. A checkpoint is read as
    plain data: nothing in it is executed.

    Args:
        path: a run folder (its best checkpoint is taken) or a checkpoint file.
        device: ``cpu``, ``cuda`` or ``auto``: a GPU where there is one.
        trust: packages besides rnnlab whose classes the checkpoint may name, such as that of an encoder of
            your own.

    Returns:
        A model with ``predict``, ``predict_proba`` and ``explain`` (sentiment), or ``perplexity``,
        ``generate`` and ``explain`` (language model).

    Raises:
        RunError: if it can't be used; see :func:`rnnlab.runs.load.open_run`.
        ConfigError: if there is no such device.
    """
    run = open_run(path, trust)
    if isinstance(run.task, SentimentClassifier):
        return TrainedClassifier(run, device)
    if isinstance(run.task, LanguageModel):
        return TrainedLanguageModel(run, device)
    return TrainedModel(run, device)
