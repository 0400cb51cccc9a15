"""A value of a wrong type is told before anything is built with it."""

from typing import Any

import lightning
import pytest
import torch

from rnnlab.build import check_arguments, fits, type_hints_of
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.sentiment.task import SentimentClassifier


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (RecurrentEncoder, {"bidirectional": "maybe"}, "bidirectional=maybe: expected true or false"),
        (RecurrentEncoder, {"hidden_size": True}, "expected a whole number"),
        (SentimentClassifier, {"dropout": "x"}, "dropout=x: expected a number"),
        (SentimentClassifier, {"pooling": ["last"]}, "expected text"),
        (lightning.Trainer, {"max_epochs": "three"}, "expected a whole number or null"),
        (lightning.Trainer, {"gradient_clip_val": "x"}, "expected a number or null"),
        (torch.optim.Adam, {"lr": "abc"}, "expected a number"),
    ],
)
def test_wrong_types_are_told(cls: type, arguments: dict[str, Any], message: str) -> None:
    hints = type_hints_of(cls)
    facts = {name: None for name in hints if name not in arguments}
    with pytest.raises(ConfigError, match=message):
        check_arguments(cls, arguments, {**facts, "input_size": 1, "params": None}, "section")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        *((1, float), (None, int | None), ("x", "UnknownName"), ([0.9, 0.99], tuple[float, float])),
        *(({"a": 1}, dict[str, int]), ("a", Any), (0.1, float | torch.Tensor)),
    ],
)
def test_right_types_and_unknown_ones_pass(value: Any, hint: Any) -> None:
    assert fits(value, hint)
