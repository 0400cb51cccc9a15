"""The gradient of word vectors equals PyTorch's, bit for bit."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.encoder import embedding
from rnnlab.encoder.backends import LARGE_LOOKUP
from rnnlab.kernels.lookup import looked_up


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def words_like_text(count: int, vocabulary: int) -> Tensor:
    """Return word ids of which a few are frequent."""
    chances = 1 / torch.arange(1, vocabulary + 1, dtype=torch.float64)
    return torch.multinomial(chances, count, replacement=True, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("numbers", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 32, 45])
def test_pytorchs_gradient(size: int, numbers: torch.dtype, count: int) -> None:
    tokens = words_like_text(4100, 500).view(41, -1)
    table = torch.randn(500, size, dtype=numbers, requires_grad=True)
    torch.set_num_threads(count)
    ours, theirs = looked_up(tokens, table), F.embedding(tokens, table)
    assert torch.equal(ours, theirs)
    slope = torch.randn_like(ours)
    assert torch.equal(*(torch.autograd.grad(found, table, slope)[0] for found in (ours, theirs)))


def test_a_slope_that_is_not_contiguous_and_narrow_ids() -> None:
    tokens = words_like_text(60, 9).view(6, 10).to(torch.int32)
    table = torch.randn(9, 4, requires_grad=True)
    slope = torch.randn(4, 10, 6).permute(2, 1, 0)
    ours, theirs = (torch.autograd.grad(f(tokens, table), table, slope)[0] for f in (looked_up, F.embedding))
    assert torch.equal(ours, theirs)


def test_words_that_do_not_exist() -> None:
    with pytest.raises(IndexError):
        looked_up(torch.tensor([[0, 9]]), torch.randn(9, 4, requires_grad=True))


def test_second_derivatives() -> None:
    tokens = words_like_text(12, 5).view(3, 4)
    table = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda weight: looked_up(tokens, weight).tanh(), (table,))


def test_the_embedding_takes_it_where_a_batch_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def noted(tokens: Tensor, weight: Tensor) -> Tensor:
        taken.append(tokens.shape)
        return looked_up(tokens, weight)

    monkeypatch.setattr("rnnlab.kernels.lookup.looked_up", noted)
    words = embedding.WordEmbedding(50, 10)
    large, small = (words_like_text(count, 50).view(10, -1) for count in (LARGE_LOOKUP // 10, 100))
    words(small)
    words(large).sum().backward()
    with torch.no_grad():
        words(large)
    assert taken == [large.shape]
    assert words.weight.grad is not None
    assert torch.equal(words.weight.grad[:, 0], torch.bincount(large.flatten(), minlength=50).float())
