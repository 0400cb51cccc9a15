"""The trigram baseline is a probability distribution, and the one that its equations say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rnnlab.tasks.language_model.kneser_ney import KneserNey, discounts

EOS = 1


def text(total: int, vocabulary_size: int, seed: int) -> np.ndarray:
    """Ids of falling frequency, each depending on the one before."""
    draw = np.random.default_rng(seed)
    noise = draw.zipf(1.4, total) % vocabulary_size
    return ((noise + np.roll(noise, 1) // 2) % vocabulary_size).astype(np.int32)


@pytest.mark.parametrize(("total", "vocabulary_size"), [(5, 40), (300, 40), (20_000, 500)])
def test_sums_to_one_after_any_context(total: int, vocabulary_size: int) -> None:
    tokens = text(total, vocabulary_size, seed=1)
    model = KneserNey(tokens, vocabulary_size, before=EOS)
    seen = (int(tokens[-3]), int(tokens[-2]))
    for context in (seen, (EOS, EOS), (seen[0], 39), (39, 38)):
        distribution = model.distribution(*context)
        assert distribution.sum() == pytest.approx(1, abs=1e-12)
        assert (distribution > 0).all()


def test_losses_are_read_off_the_distributions() -> None:
    model = KneserNey(text(2000, 50, seed=1), 50, before=EOS)
    other = text(200, 50, seed=2)
    history = [EOS, EOS, *other.tolist()]
    expected = [
        -np.log(model.distribution(history[place], history[place + 1])[word])
        for place, word in enumerate(other.tolist())
    ]
    np.testing.assert_allclose(model.losses(other), expected, rtol=1e-12)
    assert np.exp(model.losses(other).mean()) == pytest.approx(np.exp(np.mean(expected)))


def test_equals_the_equations_written_out() -> None:
    tokens, size = text(3000, 30, seed=3).tolist(), 30
    model = KneserNey(np.array(tokens), size, before=EOS)
    history = [EOS, EOS, *tokens]
    counts = [Counter(zip(history, history[1:], history[2:], strict=False))]
    for _ in range(2):
        counts.append(Counter(gram[1:] for gram in counts[-1]))

    def probability(order: int, gram: tuple[int, ...]) -> float:
        if not gram:
            return 1 / size
        table = counts[order]
        taken = discounts(np.array(list(table.values())))
        after = {other[-1]: count for other, count in table.items() if other[:-1] == gram[:-1]}
        lower = probability(order + 1, gram[1:])
        if not after:
            return lower
        count, total = after.get(gram[-1], 0), sum(after.values())
        given_away = sum(taken[min(other, 3)] for other in after.values()) / total
        return (count - taken[min(count, 3)]) / total + given_away * lower

    for context in [(EOS, EOS), (tokens[10], tokens[11]), (29, 28)]:
        expected = [probability(0, (*context, word)) for word in range(size)]
        np.testing.assert_allclose(model.distribution(*context), expected, rtol=1e-10)


def test_a_text_too_small_for_the_estimate_gets_one_discount() -> None:
    assert discounts(np.array([1, 1, 2])).tolist() == [0, 0.75, 0.75, 0.75]


def test_penn_treebank_perplexity_is_the_literatures(real_data: Path) -> None:
    def words(split: str) -> list[str]:
        path = real_data / "penn_treebank" / f"ptb.{split}.txt"
        return [word for line in path.read_text().splitlines() for word in (*line.split(), "<eos>")]

    train, test = words("train"), words("test")
    ids = {word: number for number, word in enumerate(dict.fromkeys(train))}
    model = KneserNey(np.array([ids[word] for word in train]), len(ids), before=ids["<eos>"])
    assert len(test) == 82_430
    losses = model.losses(np.array([ids[word] for word in test]))
    assert np.exp(losses.mean()) == pytest.approx(148.4, abs=0.2)
