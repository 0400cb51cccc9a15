"""What answering a memory problem without looking reaches."""

import math
from collections.abc import Iterable

import numpy as np

from rnnlab.corpora.memory_problems import CORRECT_WITHIN, MemoryProblem, Sequences


def memory_baselines(problem: MemoryProblem, test: Iterable[Sequences]) -> dict[str, dict[str, float]]:
    """Return accuracy and loss of guessing a class, or of always answering with the answers' mean.

    Args:
        problem: what is asked.
        test: the test split.
    """
    if problem.classes is not None:
        return {"guessing": {"accuracy": 1 / problem.classes, "loss": math.log(problem.classes)}}
    answers = np.concatenate([part.answers.ravel() for part in test]).astype(np.float64)
    errors = answers - answers.mean()
    return {
        "always the mean": {
            "accuracy": float((np.abs(errors) < CORRECT_WITHIN).mean()),
            "loss": float((errors**2).mean()),
        }
    }
