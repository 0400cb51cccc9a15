"""What a recognizer has to beat: always the same transcript, and the template that a recording fits best."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.fft import dct

from rnnlab.corpora.spoken import SpokenCorpus
from rnnlab.signals.kept_sound import KeptSound
from rnnlab.signals.log_mel import Floats
from rnnlab.tasks.speech.error_counts import edits

COEFFICIENTS = 13
"""Of the cepstrum, the first being the loudness."""
COMPARISONS = 2_000_000
"""Pairs of recordings and templates at most; beyond, fewer templates are taken, evenly spread."""

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
    count = min(len(train), max(1, COMPARISONS // len(test)))
    chosen = np.linspace(0, len(train) - 1, count).round().astype(int).tolist()
    templates, said = [cepstra(train[number]) for number in chosen], transcripts(corpus, "train")
    nearest = [int(warped_distances(cepstra(test[n]), templates).argmin()) for n in range(len(test))]
    told = [said[chosen[number]] for number in nearest]
    return {f"time warping, nearest of {count:,}": rates(transcripts(corpus, "test"), told)}


def cepstra(frames: Floats) -> Floats:
    """Return the cepstrum ``(frames, 13)`` of log-mel frames ``(frames, bands)``, its mean taken off."""
    found = dct(frames, axis=1, norm="ortho")[:, :COEFFICIENTS]
    centred: Floats = found - found.mean(axis=0)
    return centred


def warped_distances(frames: Floats, templates: Sequence[Floats]) -> Floats:
    """Return how far a recording is from each template along the best path of both (Sakoe and Chiba 1978).

    A step forward in both counts twice, in one once, so that a path's weights sum to both lengths, by which
    the distance is divided.

    Args:
        frames: ``(frames, coefficients)``.
        templates: likewise, each of its own length.
    """
    lengths = np.array([len(template) for template in templates])
    padded = np.zeros((len(templates), lengths.max(), frames.shape[1]), dtype=np.float32)
    for number, template in enumerate(templates):
        padded[number, : len(template)] = template
    squares = (padded**2).sum(axis=2)[:, None] + (frames**2).sum(axis=1)[:, None]
    squares -= 2 * frames @ padded.transpose(0, 2, 1)
    costs = np.sqrt(np.maximum(squares, 0)).transpose(1, 2, 0)  # (frames, template's frames, templates)
    before = np.full((lengths.max() + 1, len(templates)), np.inf, dtype=np.float32)
    before[0] = 0
    for row in costs:
        best = np.minimum(before[1:] + row, before[:-1] + 2 * row)
        for column in range(1, len(best)):
            np.minimum(best[column], best[column - 1] + row[column], out=best[column])
        before[0], before[1:] = np.inf, best
    found: Floats = before[lengths, np.arange(len(templates))] / (len(frames) + lengths)
    return found
