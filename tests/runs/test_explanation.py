"""Attributions add up, mean what they say, and are drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import rnnlab
from rnnlab.encoder.integrated_gradients import integrated_gradients
from rnnlab.errors import ConfigError
from rnnlab.figures.explanation import Explanation
from rnnlab.figures.explanation_views import body
from tests.runs.conftest import Finished

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
    assert body(explanation) in page
    assert explanation._repr_html_() == body(explanation)


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
