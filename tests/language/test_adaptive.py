"""Adaptive scoring: proper distributions, nothing read before it is scored, and what it is good for."""

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnlab import interruption
from rnnlab.data.streams import StreamLoader, TokenStream
from rnnlab.tasks.baselines import mixed_losses
from rnnlab.tasks.language_model.adapting import Cache, Dynamic, gradient_sizes
from rnnlab.tasks.language_model.adaptive import Kept, Losses, Scoring
from rnnlab.tasks.language_model.task import LanguageModel
from tests.language.streams import GRU, VOCABULARY

CHOICES = [(40, 0.5), (5, 2.0)]
TEXT = np.random.default_rng(5).integers(2, VOCABULARY, 240).astype(np.int32)


@pytest.fixture(scope="module")
def network() -> LanguageModel:
    torch.manual_seed(3)
    model = {**GRU, "backend": "torch", "hidden_size": 32}
    sizes = {"vocabulary_size": VOCABULARY, "embedding_size": 8}
    return LanguageModel(model=model, **sizes, input_dropout=0.5, initial_range=1.0).eval()


def loader_of(text: np.ndarray, columns: int = 2, steps: int = 7) -> StreamLoader:
    return StreamLoader(TokenStream(text, first_input=1, batch_size=columns), steps)


def scoring_of(
    network: LanguageModel, text: np.ndarray, dynamic: tuple[float, float] | None = None, columns: int = 2
) -> Scoring:
    own = copy.deepcopy(network)
    loader = loader_of(text, columns)
    steps = None if dynamic is None else Dynamic(own, *dynamic, gradient_sizes(own, loader_of(TEXT, columns)))
    return Scoring(own, loader, Cache(CHOICES), steps)


def read(network: LanguageModel, text: np.ndarray, *how: tuple[float, float] | None) -> Losses:
    return scoring_of(network, text, *how).run("text", Kept(None, ""))


def moved_by(scoring: Scoring) -> float:
    assert scoring.dynamic is not None
    pairs = zip(scoring.dynamic.weights, scoring.dynamic.trained, strict=True)
    return float(sum((weight - trained).detach().abs().sum() for weight, trained in pairs))


def test_the_cache_is_a_distribution_over_what_came_of_late_and_a_mixture_one_over_all() -> None:
    torch.manual_seed(1)
    hidden, targets = torch.randn(2, 12, 4), torch.randint(0, 5, (2, 12))
    shares = []
    for token in range(5):
        cache = Cache([(4, 0.7)])
        cache.losses(hidden[:, :9], targets[:, :9])
        asked = torch.full((2, 1), token)
        shares.append(cache.losses(hidden[:, 9:10], asked)[0, :, 0].neg().exp())
    by_token = torch.stack(shares, dim=1)  # (columns, vocabulary)
    for column in range(2):
        likeness = 0.7 * hidden[column, 5:9] @ hidden[column, 9]
        expected = torch.zeros(5).index_add(0, targets[column, 5:9], likeness.softmax(0))
        assert by_token[column].numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    network = torch.randn(5).log_softmax(0).double().numpy()
    with np.errstate(divide="ignore"):
        mixed = mixed_losses(-network, -np.log(by_token[0].double().numpy()), 0.3)
    assert np.exp(-mixed).sum() == pytest.approx(1)


def test_windows_of_any_length_say_the_same() -> None:
    torch.manual_seed(1)
    hidden, targets = torch.randn(2, 30, 4), torch.randint(0, 5, (2, 30))
    whole, parts = Cache([(9, 0.7)]), Cache([(9, 0.7)])
    at_once = whole.losses(hidden, targets)
    pieces = [parts.losses(hidden[:, a:b], targets[:, a:b]) for a, b in pairwise([0, 1, 8, 30])]
    torch.testing.assert_close(torch.cat(pieces, dim=2), at_once, equal_nan=True)
    assert at_once[0, :, 0].isnan().all()


def test_a_text_that_repeats_itself_is_known_by_heart(network: LanguageModel) -> None:
    piece = np.arange(2, VOCABULARY, dtype=np.int32)
    found = Scoring(network, loader_of(np.tile(piece, 30), 1), Cache([(100, 60.0)]), None)
    losses = found.run("text", Kept(None, ""))
    assert losses.cache[0, -100:].mean() < 0.02 < 1 < losses.network[-100:].mean()


@pytest.mark.parametrize("dynamic", [None, (0.01, 0.01)])
@pytest.mark.parametrize("at", [60, 100])
def test_a_planted_token_changes_nothing_before_it(
    network: LanguageModel, dynamic: tuple[float, float] | None, at: int
) -> None:
    planted = TEXT.copy()
    planted[at] = 2 + (planted[at] - 1) % (VOCABULARY - 2)
    plain, other = (
        scoring_of(network, text, dynamic, 1).run("text", Kept(None, "")) for text in (TEXT, planted)
    )
    assert np.array_equal(plain.network[:at], other.network[:at])
    assert np.array_equal(plain.cache[:, :at], other.cache[:, :at])
    assert not np.array_equal(plain.network[at + 1 :], other.network[at + 1 :])
    assert not np.array_equal(plain.cache[:, at + 1 :], other.cache[:, at + 1 :])


def test_rate_zero_is_the_static_figure_to_the_digit(network: LanguageModel) -> None:
    static, still = read(network, TEXT, None), read(network, TEXT, (0.0, 0.01))
    assert np.array_equal(static.network, still.network)
    assert np.array_equal(static.cache, still.cache)


def test_steps_learn_the_text_and_leave_the_run_alone(network: LanguageModel) -> None:
    before = [weight.clone() for weight in network.parameters()]
    text = np.tile(TEXT[:60], 8)
    static, moved = read(network, text, None), scoring_of(network, text, (0.02, 0.0))
    assert moved.run("text", Kept(None, "")).network[-60:].mean() < static.network[-60:].mean() - 0.05
    pulled = scoring_of(network, text, (0.02, 1e9))  # almost all the way back before each step
    pulled.run("text", Kept(None, ""))
    assert 0 < moved_by(pulled) < moved_by(moved) / 2
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize("dynamic", [None, (0.01, 0.01)])
def test_an_interrupted_pass_goes_on_where_it_was(
    network: LanguageModel,
    dynamic: tuple[float, float] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = read(network, TEXT, dynamic)
    file, checks = tmp_path / "adaptive.pt", iter(range(100))

    def check() -> None:
        if next(checks) == 6:
            raise interruption.Interrupted("stop", 130)

    first = scoring_of(network, TEXT, dynamic)
    with monkeypatch.context() as patch:
        patch.setattr(interruption, "check", check)
        with pytest.raises(interruption.Interrupted):
            first.run("text", Kept(file, "key"))
    later = scoring_of(network, TEXT, dynamic)
    found = later.run("text", Kept(file, "key"))
    assert np.array_equal(found.network, whole.network)
    assert np.array_equal(found.cache, whole.cache)
    assert len(later.found) > 1
    assert scoring_of(network, TEXT, dynamic).run("text", Kept(file, "key")).network.tolist() == (
        whole.network.tolist()
    )
    assert Kept(file, "another").content["passes"] == {}


def test_a_damaged_file_is_told_and_begun_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "adaptive.pt"
    file.write_bytes(b"PK no")
    assert Kept(file, "key").content == {"key": "key", "passes": {}, "place": None}
    assert "begun anew" in capsys.readouterr().out
