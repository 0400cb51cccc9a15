"""What may come next, as probabilities: the very ones that a token is drawn from."""

import pytest
import torch

from rnnlab.errors import DataError
from rnnlab.tasks.language_model.generation import Sampling
from rnnlab.text.vocabulary import UNK_ID
from tests.language.test_generation import SCORES, WORDS, generator, random


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.5, top_k=3),
        *(pytest.param(some, marks=pytest.mark.thorough) for some in (Sampling(), Sampling(top_k=3))),
    ],
)
def test_first_tokens_are_drawn_from_them(sampling: Sampling) -> None:
    model, draw = generator(), random()
    shares = model.next_probabilities("the rose", sampling)
    drawn = torch.tensor([next(model.ids(["the", "rose"], sampling, draw, 1)) for _ in range(3000)])
    torch.testing.assert_close(
        drawn.bincount(minlength=len(shares)) / 3000, shares.float(), atol=0.04, rtol=0
    )
    assert float(shares.sum()) == pytest.approx(1)
    assert shares[UNK_ID] == 0


def test_greedy_gives_all_to_the_most_probable() -> None:
    shares = Sampling(temperature=0).filtered(SCORES)
    assert shares.tolist() == [0, 1, 0, 0, 0]


def test_a_model_that_reads_backwards_is_asked_for_what_stands_before() -> None:
    forward, backward = generator(), generator(reads_backward=True)
    torch.testing.assert_close(
        backward.next_probabilities("rose the"), forward.next_probabilities("the rose"), rtol=0, atol=0
    )


def test_a_prompt_of_unknown_words_is_refused() -> None:
    with pytest.raises(DataError, match="knows no word"):
        generator().next_probabilities("qwertz")
    assert len(generator().next_probabilities()) == len(WORDS) + 2
