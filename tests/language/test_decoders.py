"""Both heads give exact log-probabilities; the adaptive one equals PyTorch's."""

import itertools

import pytest
import torch
from torch import nn

from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.decoders import AdaptiveDecoder, Decoder, FullDecoder, build_decoder

VOCABULARY, SIZE, POSITIONS = 60, 8, 40


def decoders() -> list[Decoder]:
    torch.manual_seed(1)
    same, other = nn.Parameter(torch.randn(VOCABULARY, SIZE)), nn.Parameter(torch.randn(VOCABULARY, 5))
    return [
        FullDecoder(SIZE, VOCABULARY),
        FullDecoder(SIZE, VOCABULARY, tied=same),
        FullDecoder(SIZE, VOCABULARY, tied=other),
        AdaptiveDecoder(SIZE, VOCABULARY, [7, 30]),
        AdaptiveDecoder(SIZE, VOCABULARY, [10], tied=same),
        AdaptiveDecoder(SIZE, VOCABULARY, [10, 13, 50], tied=other),
    ]


@pytest.fixture(params=range(6))
def decoder(request: pytest.FixtureRequest) -> Decoder:
    chosen = decoders()[request.param].double()
    with torch.no_grad():
        for parameter in chosen.parameters():
            parameter.normal_()
    return chosen


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(POSITIONS, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_probabilities_sum_to_one_and_losses_are_read_off_them(
    decoder: Decoder, hidden: torch.Tensor
) -> None:
    scores = decoder.log_probabilities(hidden)
    assert scores.shape == (POSITIONS, VOCABULARY)
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(POSITIONS, dtype=torch.float64))
    targets = torch.arange(POSITIONS) * 7 % VOCABULARY
    expected = -scores.gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(decoder.losses(hidden, targets), expected)
    losses, best = decoder.losses_and_best(hidden, targets)
    torch.testing.assert_close(losses, expected)
    assert best.tolist() == scores.argmax(dim=1).tolist()


def test_every_parameter_gets_the_gradient_of_the_exact_loss(decoder: Decoder, hidden: torch.Tensor) -> None:
    targets = torch.arange(POSITIONS) * 7 % VOCABULARY
    parameters = list(decoder.parameters())
    found = torch.autograd.grad(decoder.losses(hidden, targets).mean(), parameters)
    slow = -decoder.log_probabilities(hidden).gather(1, targets[:, None]).mean()
    for one, other in zip(found, torch.autograd.grad(slow, parameters), strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().sum() > 0


def test_adaptive_equals_pytorchs() -> None:
    torch.manual_seed(3)
    theirs = nn.AdaptiveLogSoftmaxWithLoss(SIZE, VOCABULARY, [7, 30], div_value=2.0, head_bias=True)
    ours = AdaptiveDecoder(SIZE, VOCABULARY, [7, 30], shrink=2.0)
    assert theirs.head.bias is not None
    with torch.no_grad():
        ours.weight.copy_(theirs.head.weight[:7])
        ours.cluster_weight.copy_(theirs.head.weight[7:])
        ours.bias.copy_(theirs.head.bias)
        for cluster, (project, score) in enumerate(theirs.tail):  # type: ignore[misc]
            ours.cluster_projects[cluster].weight.copy_(project.weight)  # type: ignore[operator,union-attr]
            ours.cluster_weights[cluster].copy_(score.weight)
    hidden, targets = torch.randn(POSITIONS, SIZE), torch.randint(VOCABULARY, (POSITIONS,))
    torch.testing.assert_close(ours.log_probabilities(hidden), theirs.log_prob(hidden))
    torch.testing.assert_close(ours.losses(hidden, targets).mean(), theirs(hidden, targets).loss)


def test_a_cluster_without_targets_has_a_gradient_of_zero() -> None:
    decoder = AdaptiveDecoder(SIZE, VOCABULARY, [7, 30])
    decoder.losses(torch.randn(3, SIZE), torch.tensor([1, 2, 8])).sum().backward()
    untouched = decoder.cluster_weights[1].grad
    assert untouched is not None
    assert not untouched.any()


def test_tied_words_are_scored_by_the_embedding_itself() -> None:
    embedding = nn.Parameter(torch.randn(VOCABULARY, SIZE))
    for head, cutoffs in (("full", None), ("adaptive", [10, 20])):
        decoder = build_decoder(
            head, input_size=SIZE, vocabulary_size=VOCABULARY, tied=embedding, cutoffs=cutoffs
        )
        assert any(parameter is embedding for parameter in decoder.parameters())
        decoder.losses(torch.randn(VOCABULARY, SIZE), torch.arange(VOCABULARY)).sum().backward()
        assert embedding.grad is not None
        assert (embedding.grad.abs().sum(dim=1) > 0).all(), "every word's vector learns from being predicted"
        embedding.grad = None


@pytest.mark.parametrize("cutoffs", [[], [0, 10], [10, 10], [20, 10], [10, VOCABULARY], [10, 99]])
def test_cutoffs_that_do_not_fit_are_refused(cutoffs: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"task\.cutoffs=.*60.*task\.head=full"):
        AdaptiveDecoder(SIZE, VOCABULARY, cutoffs)


def test_unknown_heads_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"task\.head=adaptiv.*Did you mean adaptive"):
        build_decoder("adaptiv", input_size=SIZE, vocabulary_size=VOCABULARY, tied=None, cutoffs=None)


def test_default_cutoffs_fit_any_real_vocabulary() -> None:
    for size, head in itertools.product((30, 1000, 33278), ("full", "adaptive")):
        decoder = build_decoder(head, input_size=4, vocabulary_size=size, tied=None, cutoffs=None)
        assert decoder.log_probabilities(torch.zeros(1, 4)).shape == (1, size)
