"""What is measured of a classifier that tells any number of classes, and where its threshold lies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.floating[Any]]
"""Probabilities ``(documents, classes)``."""
Truth = npt.NDArray[np.bool_]
"""Which classes each document is of ``(documents, classes)``."""

HALF = 0.5


def best_threshold(shares: Shares, truth: Truth) -> float:
    """Return the threshold with the highest micro-averaged F1, in the middle between two probabilities.

    A class is told where its probability is above it. Of thresholds that are as good the highest is taken.
    ``0.5`` where no document is of any class, or a probability is no number.
    """
    values, right = np.asarray(shares, np.float64).ravel(), truth.ravel()
    if not right.any() or not np.isfinite(values).all():
        return HALF
    order = np.argsort(-values, kind="stable")
    values, right = values[order], right[order]
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(right) + 1) + right.sum())
    lower = np.append(values[1:], 0.0)
    parts = lower < values  # equal probabilities are told together or not at all
    best = int(np.argmax(np.where(parts, f1, -1.0)))
    return float((values[best] + lower[best]) / 2)


def label_figures(
    shares: Shares, truth: Truth, threshold: float, labels: Sequence[str] = ()
) -> dict[str, float]:
    """Return F1 over all decisions (``f1_micro``), its mean over classes (``f1_macro``), and ``exact_match``.

    ``exact_match`` is the share of documents of which every class is told right. A class that no document is
    of has no F1, and counts in no mean.

    Args:
        shares: probabilities ``(documents, classes)``.
        truth: ``(documents, classes)``.
        threshold: above which a class is told.
        labels: their names, for ``f1/<class>``; none of it where there are none.
    """
    told = shares > threshold
    hits, claims, there = ((part).sum(axis=0, dtype=np.float64) for part in (told & truth, told, truth))
    by_class = np.where(there > 0, 2 * hits / np.maximum(claims + there, 1), np.nan)
    known = by_class[there > 0]
    return {
        "f1_micro": float(2 * hits.sum() / (claims + there).sum()) if len(known) else float("nan"),
        "f1_macro": float(known.mean()) if len(known) else float("nan"),
        "exact_match": float((told == truth).all(axis=1).mean()) if len(truth) else float("nan"),
        **{f"f1/{label}": float(value) for label, value in zip(labels, by_class, strict=False)},
    }
