"""CTC by hand: its loss over all paths, beam search beside exhaustive search, alignment, advisers."""

from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.corpora.touch_tones import TouchTones
from rnnlab.errors import ConfigError
from rnnlab.signals.kept_sound import kept_sound
from rnnlab.signals.log_mel import LogMel
from rnnlab.tasks.speech.advisers import Trigrams, WordBonus, WordList
from rnnlab.tasks.speech.baselines import Templates, is_isolated, nearest_template
from rnnlab.tasks.speech.decoder import Decoder, Decoding
from rnnlab.tasks.speech.decoding import Spelling, aligned, beam_search, greedy, pieces
from rnnlab.tasks.speech.error_counts import bootstrap_interval, edits

LETTERS = ("<unk>", "<eos>", "a", "b", " ")
SPELLING = Spelling(LETTERS)


def random_log_probabilities(steps: int, symbols: int, seed: int = 1) -> np.ndarray:
    logits = torch.randn(steps, symbols + 1, generator=torch.Generator().manual_seed(seed)).double()
    return F.log_softmax(2 * logits, dim=1).numpy()


def text_probabilities(log_probabilities: np.ndarray) -> dict[tuple[int, ...], float]:
    """The lattice the slow way: every path, one after another."""
    steps, symbols = log_probabilities.shape
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(symbols), repeat=steps):
        ids = tuple(number for number, _ in groupby(path) if number != symbols - 1)
        found[ids] = found.get(ids, 0.0) + float(np.exp(log_probabilities[range(steps), path].sum()))
    return found


def test_the_loss_is_that_of_all_paths_of_a_text() -> None:
    log_probabilities = random_log_probabilities(5, 3)
    for ids, probability in text_probabilities(log_probabilities).items():
        if ids:
            loss = F.ctc_loss(
                torch.from_numpy(log_probabilities)[:, None],
                torch.tensor([ids]),
                torch.tensor([5]),
                torch.tensor([len(ids)]),
                blank=3,
                reduction="sum",
            )
            assert loss.item() == pytest.approx(-np.log(probability), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_of_all_texts_is_exhaustive_search(seed: int) -> None:
    log_probabilities = random_log_probabilities(5, 3, seed)
    found = beam_search(log_probabilities, 3, beam=None, least=-np.inf)
    expected = text_probabilities(log_probabilities)
    assert {heard.ids for heard in found} == set(expected)
    for heard in found:
        assert np.exp(heard.sound) == pytest.approx(expected[heard.ids], rel=1e-9)
    assert found[0].ids == max(expected, key=expected.__getitem__)


def test_a_narrow_beam_is_no_worse_than_the_best_path() -> None:
    log_probabilities = random_log_probabilities(6, 3)
    expected = text_probabilities(log_probabilities)
    best = beam_search(log_probabilities, 3, beam=4)[0].ids
    assert expected[best] >= expected[tuple(greedy(log_probabilities, 3))]


def test_advice_weighs_as_much_as_it_says() -> None:
    log_probabilities = random_log_probabilities(4, len(LETTERS))
    words = WordList(["ab", "a"], SPELLING)
    bonus = WordBonus(1.5, SPELLING)
    found = {
        heard.ids: heard
        for heard in beam_search(
            log_probabilities, len(LETTERS), beam=None, advisers=[words, bonus], least=-np.inf
        )
    }
    texts = {SPELLING.text(ids) for ids in found}
    assert texts == {"", "a", "ab", "a a", "a ab", "ab a"}
    assert found[(2, 3)].score == pytest.approx(found[(2, 3)].sound + 1.5)
    assert found[(2, 4, 2)].score == pytest.approx(found[(2, 4, 2)].sound + 3.0)


def test_trigrams_tell_the_probability_of_the_whole_text() -> None:
    trigrams = Trigrams(["a b", "a b", "b"], 1.0, SPELLING)
    text = (2, 4, 3)
    total = sum(float(trigrams.advice([text[:n]])[0, text[n]]) for n in range(3))
    total += float(trigrams.endings([text])[0])
    model, ids = trigrams.model, trigrams.ids
    expected = model.losses(np.array([ids["a"], ids["b"], 1])).sum()
    assert total == pytest.approx(-expected)


def test_the_best_path_of_a_text_is_found() -> None:
    log_probabilities = random_log_probabilities(6, 3)
    ids = (0, 0, 2)
    places = aligned(log_probabilities, ids, 3)
    paths = [
        path
        for path in product(range(4), repeat=6)
        if tuple(number for number, _ in groupby(path) if number != 3) == ids
    ]
    best = max(paths, key=lambda path: log_probabilities[range(6), path].sum())
    runs = [(number, len(list(run))) for number, run in groupby(best)]
    starts = np.cumsum([0, *(length for _, length in runs)])
    expected = [
        (int(start), int(start + length - 1))
        for start, (number, length) in zip(starts, runs, strict=False)
        if number != 3
    ]
    assert [(place.first, place.last) for place in places] == expected


@pytest.mark.parametrize("symbols", [("a", "b", " "), ("one", "two", "three")])
def test_a_long_recording_is_told_in_parts_as_the_whole(symbols: tuple[str, ...]) -> None:
    spelling = Spelling(symbols, "" if " " in symbols else " ")
    drawn = np.random.default_rng(0)
    path = np.repeat(drawn.choice(4, 3000, p=[0.2, 0.2, 0.2, 0.4]), drawn.integers(1, 4, 3000))
    log_probabilities = random_log_probabilities(len(path), 3)
    log_probabilities[range(len(path)), path] += 20
    parts = list(pieces(log_probabilities, spelling, 500))
    assert all(len(part) < 510 for _, part in parts)
    assert len(parts) > 10
    assert [start for start, _ in parts] == [0, *np.cumsum([len(part) for _, part in parts])[:-1]]
    told = " ".join(spelling.text(greedy(part, 3)) for _, part in parts)
    assert " ".join(told.split()) == spelling.text(greedy(log_probabilities, 3))


def test_steps_that_are_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        aligned(random_log_probabilities(2, 3), (0, 0), 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "gready"}, "Did you mean greedy"),
        ({"lm": "trigrams"}, "method=beam"),
        ({"beam": 0}, "beam=0"),
    ],
)
def test_decoding_that_makes_no_sense_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Decoding(**settings)  # type: ignore[arg-type]


def test_a_list_of_words_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"words=nothing\.txt"):
        Decoder(Decoding(method="beam", words="nothing.txt"), SPELLING, [])


def test_edits_are_those_of_torchmetrics() -> None:
    from torchmetrics.functional.text import char_error_rate, word_error_rate

    chance = np.random.default_rng(1)
    pairs = [
        tuple(" ".join(chance.choice(list("abc"), chance.integers(1, 8))) for _ in "12") for _ in range(50)
    ]
    meant, told = zip(*pairs, strict=True)
    by_words = [edits(a.split(), b.split()) for a, b in pairs]
    by_letters = [edits(a, b) for a, b in pairs]
    for found, rate in ((by_words, word_error_rate), (by_letters, char_error_rate)):
        ours = sum(one.errors for one in found) / sum(one.meant for one in found)
        assert ours == pytest.approx(rate(list(told), list(meant)).item(), abs=1e-6)
    low, high = bootstrap_interval([one.errors for one in by_words], [one.meant for one in by_words])
    assert low < sum(one.errors for one in by_words) / sum(one.meant for one in by_words) < high


def test_time_warping_is_the_cheapest_of_all_ways() -> None:
    chance = np.random.default_rng(1)
    frames = chance.standard_normal((4, 3)).astype(np.float32)
    templates = [chance.standard_normal((n, 3)).astype(np.float32) for n in (1, 3, 6)]

    def cheapest(costs: np.ndarray, i: int, j: int) -> float:
        ways = [cheapest(costs, i - 1, j - 1) + 2 * costs[i, j]] if i and j else []
        ways += [cheapest(costs, i - 1, j) + costs[i, j]] if i else []
        ways += [cheapest(costs, i, j - 1) + costs[i, j]] if j else []
        return min(ways, default=2 * costs[0, 0])

    for found, template in zip(Templates(templates).distances(frames), templates, strict=True):
        costs = np.linalg.norm(frames[:, None] - template, axis=2)
        expected = cheapest(costs, 3, len(template) - 1) / (4 + len(template))
        assert found == pytest.approx(expected, abs=1e-5)


def test_the_nearest_template_tells_a_tone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path))
    corpus = TouchTones(train=60, validation=1, test=10, longest=1, noise=30)
    assert is_isolated(corpus)
    assert not is_isolated(TouchTones(train=60))
    sound = kept_sound(corpus, LogMel(8000, bands=32), {"train": (1.0,), "test": (1.0,)})
    ((name, rates),) = nearest_template(corpus, sound["train"][1.0], sound["test"][1.0]).items()
    assert name == "time warping, nearest of 60"
    assert rates["wer"] == rates["ser"] < 0.3
