"""Attributions add up, mean what they say, and are drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import rnnlab
from rnnlab.encoder.attribution import integrated_gradients, shapley_values
from rnnlab.errors import ConfigError
from rnnlab.figures.explanation import Explanation
from rnnlab.tasks.sentiment.task import SentimentClassifier
from tests.runs.conftest import Finished
from tests.training.conftest import compose, reviews

__all__ = ["compose", "reviews"]

TEXTS = ["fine lovely warm film", "dull", "the acting was very cold and of it grim " * 4]


def test_a_linear_score_is_shared_out_exactly() -> None:
    weights, vectors = torch.tensor([[1.0, 2.0], [-3.0, 0.5]]), torch.tensor([[2.0, 1.0], [1.0, 4.0]])

    def score(points: Tensor) -> Tensor:
        return (points * weights).sum(dim=(1, 2)) + 7

    found = integrated_gradients(score, vectors)
    torch.testing.assert_close(found.shares, torch.tensor([4.0, -1.0]))
    assert found.difference == pytest.approx(3.0)


def test_steps_are_added_until_the_shares_add_up() -> None:
    vectors = torch.tensor([[1.0], [2.0]])

    def score(points: Tensor) -> Tensor:
        return (
            torch.relu(points.sum(dim=(1, 2)) - 2.7) * 100
        )  # all of it happens in the last three steps of 32

    found = integrated_gradients(score, vectors)
    assert found.steps > 32
    assert float(found.shares.sum()) == pytest.approx(found.difference, rel=0.01)


def test_steps_go_where_the_score_jumps() -> None:
    """Two jumps, each within a hundred-thousandth of the way, one up and a smaller one down."""
    vectors = torch.tensor([[1.0], [2.0]])

    def score(points: Tensor) -> Tensor:
        way = points.sum(dim=(1, 2)) / 3
        return 8 * torch.sigmoid((way - 0.412345) * 3e5) - 3 * torch.sigmoid((way - 0.812345) * 3e5)

    found = integrated_gradients(score, vectors)
    assert found.steps < 200
    assert found.adds_up
    assert float(found.shares.sum()) == pytest.approx(5.0, rel=0.01)
    torch.testing.assert_close(found.shares[1], 2 * found.shares[0])


def test_shapley_values_of_few_words_are_exact() -> None:
    """Of a product of words, each effect depends on the order; by symmetry both words have half of it."""
    vectors = torch.tensor([[2.0], [3.0], [1.0]])

    def score(points: Tensor) -> Tensor:
        first, second, third = points[:, :, 0].unbind(dim=1)
        return first * second + 5 * third + 7

    found = shapley_values(score, vectors)
    torch.testing.assert_close(found.shares, torch.tensor([3.0, 3.0, 5.0]))
    assert found.difference == pytest.approx(11.0)
    assert "orders" in found.method
    many = shapley_values(lambda points: points.sum(dim=(1, 2)), torch.ones(700, 1))
    torch.testing.assert_close(many.shares, torch.ones(700))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_shares_add_up_where_the_score_is_chaotic(cell: str, compose: Callable[..., dict[str, Any]]) -> None:
    """Large recurrent weights: after 360 words the last state jumps all along the way."""
    torch.manual_seed(1)
    model = compose(f"model={cell}", "model.backend=torch")["model"]
    task = SentimentClassifier(
        model=model, vocabulary_size=20, labels=("bad", "good"), embedding_size=8, pooling="last"
    ).eval()
    with torch.no_grad():
        for name, weight in task.encoder.named_parameters():
            weight *= 12 if "weight_hh" in name else 1
        task.embedding.weight *= 3
    found = task.word_shares(torch.randint(2, 20, (360,)), 1)
    assert found.adds_up
    assert found.shares.isfinite().all()


@pytest.mark.parametrize("name", ["sentiment", "three_classes"])
def test_shares_add_up_to_the_logit_difference(name: str, request: pytest.FixtureRequest) -> None:
    model = rnnlab.load(request.getfixturevalue(name).folder)
    for text in TEXTS:
        for label in model.labels:
            explanation = model.explain(text, label)
            assert explanation.gap < 0.01
    binary = name == "sentiment"
    if binary:
        good, bad = (model.explain(TEXTS[0], label) for label in model.labels)
        np.testing.assert_allclose(good.values, [-value for value in bad.values], rtol=1e-4)


def test_an_empty_and_a_long_text_are_explained(three_classes: Finished) -> None:
    model = rnnlab.load(three_classes.folder)
    assert model.explain("").words == ("<eos>",)
    words = [f"{word}{i}" for i in range(20) for word in ("film",)]
    assert list(model.explain(" ".join(words)).words) == [*words[:6], *words[-6:]]
    with pytest.raises(ConfigError, match=r"label=nice.*good"):
        model.explain("fine", "nice")


def test_the_page_is_self_contained_and_escapes_what_it_shows(tmp_path: Path) -> None:
    explanation = Explanation("<b>title</b>", "how", ("<script>", "fine"), (-1.0, 0.5), "logit", -0.5)
    explanation.save(str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;title" in page
    assert "http" not in page
    assert "src=" not in page
    assert explanation._repr_html_() in page


def test_the_command_shows_and_saves(
    sentiment: Finished,
    language: Finished,
    tmp_path: Path,
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.html"
    words = ["predict", f"run={sentiment.folder}", "text=fine, lovely", "explain=true", f"output={page}"]
    assert command(*words) == 0
    shown = capsys.readouterr().out
    assert "lovely" in shown
    assert "add up to" in shown
    assert "lovely" in page.read_text(encoding="utf-8")
    assert command(*words) == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert command(*words, "overwrite=true", "label=good") == 0
    other = tmp_path / "lm.html"
    words = [f"run={language.folder}", "text=the rose", "explain=true", f"output={other}"]
    assert command("predict", *words) == 0
    assert "Perplexity" in other.read_text(encoding="utf-8")
