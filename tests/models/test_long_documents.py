"""Truncated backpropagation over documents: the same outputs, gradients from the last tokens only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnlab.encoder.pooling import POOLINGS
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.sentiment.long_documents import in_batch_order, read_documents
from rnnlab.tasks.sentiment.task import SentimentClassifier

LENGTHS = torch.tensor([3, 11, 1, 7, 5])
GRU = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 4, "layers": 2}


class RunningSum(nn.Module):
    """An encoder whose state has the batch in its first axis."""

    is_bidirectional = False

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size
        self.scale = nn.Parameter(torch.full((input_size,), 0.7))

    def initial_state(self, batch: int) -> Tensor:
        return self.scale.new_zeros(batch, self.output_size)

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        lengths = torch.full((len(inputs),), inputs.shape[1]) if lengths is None else lengths
        state = self.initial_state(len(inputs)) if state is None else state
        outputs = []
        for step in range(inputs.shape[1]):
            inside = (step < lengths).unsqueeze(1)
            state = torch.where(inside, state * self.scale + inputs[:, step], state)
            outputs.append(state * inside)
        return torch.stack(outputs, dim=1), state


def encoders() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "gru": RecurrentEncoder(3, "gru", 4, layers=2).double(),
        "lstm": RecurrentEncoder(3, "lstm", 4, backend="torch").double(),
        "awd": RegularisedEncoder(
            3, "lstm", 5, layers=2, output_size=4, dropout=0, weight_dropout=0
        ).double(),
        "custom": RunningSum(3).double(),
    }


ENCODERS = encoders()


def batch() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(5, 11, 3, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("bptt", [1, 4, 10, 11, 50])
@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_is_pooled_is_what_reading_at_once_gives(name: str, bptt: int, pooling: str) -> None:
    encoder = ENCODERS[name]
    torch.manual_seed(2)
    pool = POOLINGS[pooling](encoder.output_size, False).double()
    outputs, _ = encoder(batch(), LENGTHS)
    parts = read_documents(encoder, batch(), LENGTHS, bptt)
    pooled = in_batch_order([pool(part.outputs, part.lengths, part.state) for part in parts], parts)
    torch.testing.assert_close(pooled, pool(outputs, LENGTHS), rtol=1e-12, atol=1e-12)


def one_by_one(encoder: nn.Module, vectors: Tensor, bptt: int) -> Tensor:
    """Read each document alone, cut off from its beginning; return a mean over all tokens."""
    means = []
    for document, length in zip(vectors, LENGTHS.tolist(), strict=True):
        border = max(0, length - bptt)
        parts, state = [], None
        if border:
            with torch.no_grad():
                outputs, state = encoder(document[None, :border])
            parts.append(outputs)
        outputs, _ = encoder(document[None, border:length], None, state)
        means.append(torch.cat([*parts, outputs], dim=1)[0].mean(dim=0))
    return torch.stack(means)


@pytest.mark.parametrize("bptt", [1, 4, 10])
@pytest.mark.parametrize("name", ENCODERS)
def test_gradients_are_those_of_each_document_cut_off_by_hand(name: str, bptt: int) -> None:
    encoder = ENCODERS[name]
    found: list[list[Tensor]] = []
    slope = torch.linspace(-1, 1, 5 * encoder.output_size, dtype=torch.float64).view(5, -1)
    for by_hand in (True, False):
        vectors = batch()
        if by_hand:
            pooled = one_by_one(encoder, vectors, bptt)
        else:
            parts = read_documents(encoder, vectors, LENGTHS, bptt)
            mean = POOLINGS["mean"](encoder.output_size, False)
            pooled = in_batch_order([mean(part.outputs, part.lengths) for part in parts], parts)
        loss = (pooled * slope).sum()
        found.append(list(torch.autograd.grad(loss, [vectors, *encoder.parameters()])))
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)
    for gradient, length in zip(found[1][0], LENGTHS.tolist(), strict=True):
        border = max(0, length - bptt)
        assert not gradient[:border].any()
        assert gradient[border:length].any(dim=1).all()


@contextmanager
def counted_bytes(kept: list[int]) -> Iterator[None]:
    """Add up what autograd keeps for the backward pass, each tensor's storage once."""
    seen: set[int] = set()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            kept.append(storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield


def kept_for(bptt: int | None) -> int:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(16, "lstm", 32, layers=2, backend="torch")
    kept: list[int] = []
    with counted_bytes(kept):
        read_documents(encoder, torch.randn(4, 1000, 16), torch.tensor([1000, 990, 980, 970]), bptt)
    return sum(kept)


def test_a_thousand_tokens_keep_what_a_hundred_need() -> None:
    assert kept_for(100) < 0.2 * kept_for(None)


def classifier(**options: Any) -> SentimentClassifier:
    torch.manual_seed(0)
    plain = {"embedding_size": 3, "dropout": 0.0}
    return SentimentClassifier(model=GRU, vocabulary_size=20, labels=("bad", "good"), **{**plain, **options})


def test_an_answer_reads_the_whole_and_explains_the_whole() -> None:
    tokens = torch.randint(20, (5, 11), generator=torch.Generator().manual_seed(0))
    whole, cut = classifier(pooling="last").eval(), classifier(pooling="last", bptt=2).eval()
    assert torch.equal(whole(tokens, LENGTHS), cut(tokens, LENGTHS))
    vectors = cut.embedding(tokens).detach().requires_grad_()
    cut.logits_of_vectors(vectors, LENGTHS).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad[1, 0].any()
    cut.train()
    vectors.grad = None
    cut.logits_of_vectors(vectors, LENGTHS).sum().backward()
    assert not vectors.grad[1, :9].any()


def test_reading_backwards_is_reading_the_document_turned_round() -> None:
    tokens = torch.randint(20, (5, 11), generator=torch.Generator().manual_seed(0))
    turned = torch.zeros_like(tokens)
    for row, length in enumerate(LENGTHS.tolist()):
        turned[row, :length] = tokens[row, :length].flip(0)
    forwards, backwards = classifier().eval(), classifier(backward=True).eval()
    assert torch.equal(backwards(tokens, LENGTHS), forwards(turned, LENGTHS))
    assert not torch.allclose(backwards(tokens, LENGTHS), forwards(tokens, LENGTHS))
    by_vectors = backwards.logits_of_vectors(backwards.embedding(tokens), LENGTHS)
    assert torch.equal(by_vectors, backwards(tokens, LENGTHS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bptt": 0}, r"task\.bptt=0: expected at least 1"),
        ({"bptt": 5, "model": {**GRU, "bidirectional": True}}, r"a bidirectional encoder can't"),
    ],
)
def test_what_can_t_be_cut_is_told(options: dict[str, Any], message: str) -> None:
    given = {"model": GRU, "vocabulary_size": 20, "labels": ("bad", "good"), **options}
    with pytest.raises(ConfigError, match=message):
        SentimentClassifier(**given)
