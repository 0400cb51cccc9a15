import pytest

from rnnlab.benchmarks.operations import operations_per_token
from rnnlab.models.encoder import CELLS


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_each_weight_is_one_multiplication_and_one_addition(cell: str) -> None:
    layer = CELLS[cell](20, 30)
    weights = layer.weight_ih_l0.numel() + layer.weight_hh_l0.numel()
    assert operations_per_token(cell, 20, 30, training=False) == 2 * weights
    assert operations_per_token(cell, 20, 30, training=True) == 6 * weights
