import pytest
import torch

from rnnlab.benchmarks.reference_models import PackedClassifier, PlainClassifier, mean_loss
from rnnlab.tasks.sentiment.task import SentimentClassifier

ENCODER = "rnnlab.encoder.recurrent.RecurrentEncoder"


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")])
def test_packed_reference_is_the_same_model_as_rnnlabs(cell: str, labels: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    task = SentimentClassifier(
        model={"_target_": ENCODER, "cell": cell, "hidden_size": 6, "backend": "torch"},
        vocabulary_size=20,
        labels=labels,
        embedding_size=5,
        pooling="last",
        dropout=0.0,
    )
    reference = PackedClassifier(cell, 20, 5, 6, 1 if len(labels) == 2 else len(labels))
    reference.embedding.weight.data = task.embedding.weight.data
    reference.network.load_state_dict(task.encoder.network.state_dict())
    reference.classifier.load_state_dict(task.classifier.state_dict())
    tokens, lengths = torch.randint(0, 20, (4, 9)), torch.tensor([9, 1, 4, 7])
    torch.testing.assert_close(reference(tokens, lengths), task(tokens, lengths))
    classes = torch.tensor([0, 1, 1, 0])
    logits = task(tokens, lengths)
    torch.testing.assert_close(mean_loss(logits, classes), task.losses_of(logits, classes).mean())


def test_plain_reference_reads_the_padding() -> None:
    model = PlainClassifier("gru", 20, 5, 6, 1)
    tokens, lengths = torch.randint(1, 20, (2, 9)), torch.tensor([4, 4])
    longer = torch.nn.functional.pad(tokens, (0, 5))
    assert model(tokens, lengths).shape == (2,)
    assert not torch.equal(model(tokens, lengths), model(longer, lengths))
