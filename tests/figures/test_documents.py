"""Figures of a classifier's answers, against scikit-learn and against cases that can be done by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from rnnlab.figures.documents import (
    ScoredDocuments,
    accuracies_by_length,
    accuracy_by_length_figure,
    confusion_figure,
    counts_of,
    edges_of,
)
from rnnlab.figures.drawing import rendered
from rnnlab.figures.ranking import (
    Curve,
    averaged,
    calibration,
    precision_recall,
    precision_recall_figure,
    reliability_figure,
    roc,
    roc_figure,
    thinned,
)


def answers(classes: int, count: int = 500, seed: int = 1) -> ScoredDocuments:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    scores = random.normal(size=(count, classes))
    scores[np.arange(count), labels] += 1
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return ScoredDocuments(
        documents=np.arange(count),
        probabilities=shares.astype(np.float32),
        labels=labels,
        lengths=random.integers(1, 400, count),
        classes=tuple(f"class {number}" for number in range(classes)),
    )


def drawn_texts(figure: Figure) -> str:
    rendered(figure)
    found = [text.get_text() for text in figure.findobj(match=lambda one: hasattr(one, "get_text"))]  # type: ignore[attr-defined]
    return "\n".join(found)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60))
def test_areas_are_scikit_learns(documents: list[tuple[int, bool]]) -> None:
    scores, positive = (
        np.array([score / 8 for score, _ in documents]),
        np.array([is_it for _, is_it in documents]),
    )
    if not positive.any():
        assert np.isnan(precision_recall(scores, positive).area)
        return
    assert precision_recall(scores, positive).area == pytest.approx(average_precision_score(positive, scores))
    if positive.all():
        assert np.isnan(roc(scores, positive).area)
    else:
        assert roc(scores, positive).area == pytest.approx(roc_auc_score(positive, scores))


def test_a_thinned_curve_keeps_its_ends_and_its_shape() -> None:
    found = answers(2, count=20_000)
    curve = roc(found.probabilities[:, 1], found.labels == 1)
    few = thinned(curve)
    assert len(few.across) <= 402
    assert (few.across[0], few.up[0], few.across[-1], few.up[-1]) == (0, 0, 1, 1)
    area = (np.diff(few.across) * (few.up[1:] + few.up[:-1]) / 2).sum()
    assert area == pytest.approx(curve.area, abs=0.002)
    assert few.area == curve.area


def test_a_mean_of_curves_leaves_out_classes_that_do_not_occur() -> None:
    straight = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.5)
    nothing = Curve(np.zeros(0), np.zeros(0), float("nan"))
    mean = averaged([straight, nothing], rising=True)
    assert mean.area == 0.5
    assert np.allclose(mean.up, mean.across)
    assert np.isnan(averaged([nothing], rising=True).area)


@pytest.mark.parametrize("classes", [2, 3, 14])
@pytest.mark.smoke
def test_confusion_counts_are_scikit_learns(classes: int) -> None:
    found = answers(classes)
    assert counts_of(found).tolist() == confusion_matrix(found.labels, found.predicted).tolist()
    texts = drawn_texts(confusion_figure(found, "test"))
    assert f"of 500 right ({found.right.mean():.1%})" in texts
    assert (f"{counts_of(found)[0, 0]:,}" in texts) or classes > 12


def test_the_calibration_error_by_hand() -> None:
    """Guo et al. 2017: ten answers at 0.95 of which eight are right, ten at 0.55 of which six are."""
    confidences = [0.95] * 10 + [0.55] * 10
    right = [True] * 8 + [False] * 2 + [True] * 6 + [False] * 4
    found = calibration(confidences, right)
    assert found.error == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    assert found.accuracies.tolist() == pytest.approx([0.6, 0.8])
    assert found.shares.tolist() == [0.5, 0.5]


def test_perfect_calibration_has_no_error() -> None:
    random = np.random.default_rng(3)
    confidences = random.uniform(0.5, 1, 200_000)
    assert calibration(confidences, random.random(200_000) < confidences).error < 0.005


def test_a_bin_holds_its_upper_border() -> None:
    found = calibration([1.0, 1.0, 14 / 15], [True, True, False])
    assert found.confidences.tolist() == pytest.approx([14 / 15, 1.0])


def test_accuracy_by_length_by_hand() -> None:
    lengths = np.repeat([10, 20, 30, 40], 25)
    right = np.concatenate([np.ones(25), np.zeros(25), np.ones(50)]).astype(np.int64)
    found = ScoredDocuments(
        documents=np.arange(100),
        probabilities=np.tile(np.float32([0.1, 0.9]), (100, 1)),
        labels=right,
        lengths=lengths,
        classes=("no", "yes"),
    )
    measured = accuracies_by_length(found, edges_of(lengths))
    assert measured.lengths.tolist() == [10, 20, 30, 40]
    assert measured.accuracies.tolist() == [1, 0, 1, 1]
    # Wilson's interval for 25 of 25: from 25 / (25 + 1.96 ** 2) to 1.
    assert measured.lowest[0] == pytest.approx(25 / (25 + 1.96**2))
    assert measured.highest[0] == pytest.approx(1)


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_answers_that_are_no_numbers_are_left_out_and_reported(classes: int) -> None:
    whole, broken = answers(classes), answers(classes, seed=2)
    broken.probabilities[:7] = np.nan
    scored = {"validation": whole, "test": broken}
    for draw in (roc_figure, precision_recall_figure, reliability_figure, accuracy_by_length_figure):
        assert "left out, their probability is not a number: 7" in drawn_texts(draw(scored))
    assert "of 493 right" in drawn_texts(confusion_figure(broken, "test"))


def test_figures_of_nothing_but_nan_are_drawn_empty() -> None:
    found = answers(2)
    found.probabilities[:] = np.nan
    for draw in (roc_figure, precision_recall_figure, reliability_figure, accuracy_by_length_figure):
        assert "not a number: 500" in drawn_texts(draw({"test": found}))
    assert "0 of 0 right" in drawn_texts(confusion_figure(found, "test"))


def test_a_split_of_one_class_has_no_roc_curve() -> None:
    found = answers(2)
    found.labels[:] = 1
    assert "test: only one class occurs" in drawn_texts(roc_figure({"test": found}))


def test_answers_are_saved_and_read(tmp_path: Path) -> None:
    found = answers(3)
    found.save(tmp_path / "documents_test.npz")
    again = ScoredDocuments.load(tmp_path / "documents_test.npz")
    assert again.classes == found.classes
    assert np.array_equal(again.probabilities, found.probabilities)
    assert np.array_equal(again.lengths, found.lengths)
    first = (tmp_path / "documents_test.npz").read_bytes()
    found.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == first


@pytest.mark.parametrize("classes", [2, 5, 6])
@pytest.mark.parametrize("draw", [roc_figure, precision_recall_figure, reliability_figure])
def test_a_legend_of_many_lines_covers_none(draw: Callable[..., Figure], classes: int) -> None:
    scored = {name: answers(classes, seed=seed) for seed, name in enumerate(["validation", "test"])}
    if draw is reliability_figure and classes > 2:
        scored |= {f"run {number}": answers(classes, seed=number) for number in range(8)}
    figure = draw(scored)
    rendered(figure)
    (panel,) = [panel for panel in figure.axes if panel.get_legend()]
    legend = panel.get_legend()
    assert legend is not None
    names, covered = legend.get_window_extent(), panel.bbox
    lines = len(legend.get_texts())
    assert covered.overlaps(names) == (lines <= 3)
    assert (figure.bbox.x0, figure.bbox.y0) <= (names.x0, names.y0)
    assert (names.x1, names.y1) <= (figure.bbox.x1 + 1, figure.bbox.y1 + 1)
    assert covered.width > 0.5 * 5 * figure.dpi  # the axes stay as wide as they were
