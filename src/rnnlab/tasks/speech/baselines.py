"""What a recognizer has to beat: always the same transcript, and the template that a recording fits best."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.fft import dct

from rnnlab.corpora.spoken import SpokenCorpus
from rnnlab.data.bucketing import spread_over
from rnnlab.signals.kept_sound import KeptSound
from rnnlab.signals.log_mel import Floats
from rnnlab.tasks.speech.error_counts import edits

COEFFICIENTS = 13
"""Of the cepstrum, the first being the loudness."""
COMPARISONS = 2_000_000
"""Pairs of recordings and templates at most; beyond, fewer templates are taken, evenly spread."""

TOGETHER = 256
"""Templates of similar length that a recording is compared with at once."""

Figures = dict[str, dict[str, float]]


def rates(meant: Sequence[str], told: Sequence[str]) -> dict[str, float]:
    """Return the rates of errors by words, by characters, and of recordings with any."""
    words = [edits(a.split(), b.split()) for a, b in zip(meant, told, strict=True)]
    letters = [edits(a, b) for a, b in zip(meant, told, strict=True)]
    return {
        "wer": sum(part.errors for part in words) / sum(part.meant for part in words),
        "cer": sum(part.errors for part in letters) / sum(part.meant for part in letters),
        "ser": sum(part.errors > 0 for part in words) / len(words),
    }


def transcripts(corpus: SpokenCorpus, split: str) -> list[str]:
    """Return what is said in a split."""
    return [said.transcript for said in corpus.utterances(split)]


def always_most_frequent(corpus: SpokenCorpus) -> Figures:
    """Return the error rates of whoever always tells the most frequent training transcript."""
    always = Counter(transcripts(corpus, "train")).most_common(1)[0][0]
    meant = transcripts(corpus, "test")
    return {"always the most frequent": rates(meant, [always] * len(meant))}


def is_isolated(corpus: SpokenCorpus) -> bool:
    """Return whether each recording says a single word."""
    return all(len(text.split()) == 1 for split in ("train", "test") for text in transcripts(corpus, split))


def nearest_template(corpus: SpokenCorpus, train: KeptSound, test: KeptSound) -> Figures:
    """Return the error rates of the transcript of the training recording that each fits best.

    Args:
        corpus: with the transcripts.
        train: its training recordings.
        test: its test recordings.
    """
    chosen = spread_over(len(train), max(1, COMPARISONS // len(test)))
    chosen = chosen[np.argsort(train.lengths[chosen], kind="stable")]
    groups = [
        Templates([cepstra(train[number]) for number in chosen[start : start + TOGETHER].tolist()])
        for start in range(0, len(chosen), TOGETHER)
    ]
    said, told = transcripts(corpus, "train"), []
    for number in range(len(test)):
        frames = cepstra(test[number])
        nearest = np.concatenate([group.distances(frames) for group in groups]).argmin()
        told.append(said[chosen[nearest]])
    return {f"time warping, nearest of {len(chosen):,}": rates(transcripts(corpus, "test"), told)}


def cepstra(frames: Floats) -> Floats:
    """Return the cepstrum ``(frames, 13)`` of log-mel frames ``(frames, bands)``, its mean taken off."""
    found = dct(frames, axis=1, norm="ortho")[:, :COEFFICIENTS]
    centred: Floats = found - found.mean(axis=0)
    return centred


class Templates:
    """Templates of similar length, to which distances are taken together.

    Args:
        templates: each ``(frames, coefficients)``.
    """

    def __init__(self, templates: Sequence[Floats]) -> None:
        self.lengths = np.array([len(template) for template in templates])
        self.padded = np.zeros((len(templates), self.lengths.max(), templates[0].shape[1]), dtype=np.float32)
        for number, template in enumerate(templates):
            self.padded[number, : len(template)] = template

    def distances(self, frames: Floats) -> Floats:
        """Return how far ``(frames, coefficients)`` are from each along the best path of both.

        A step forward in both counts twice, in one once (Sakoe and Chiba 1978), so that a path's weights sum
        to both lengths, by which the distance is divided.
        """
        squares = (self.padded**2).sum(axis=2)[:, None] + (frames**2).sum(axis=1)[:, None]
        squares -= 2 * frames @ self.padded.transpose(0, 2, 1)
        costs = np.sqrt(np.maximum(squares, 0)).transpose(1, 2, 0)  # (frames, template's frames, templates)
        before = np.full((costs.shape[1] + 1, costs.shape[2]), np.inf, dtype=np.float32)
        before[0] = 0
        for row in costs:
            along = row.cumsum(axis=0)
            best = np.minimum(before[1:] + row, before[:-1] + 2 * row)
            # The rest of a row is reached from its best beginning, step by step.
            before[1:] = along + np.minimum.accumulate(best - along, axis=0)
            before[0] = np.inf
        found: Floats = before[self.lengths, np.arange(costs.shape[2])] / (len(frames) + self.lengths)
        return found
