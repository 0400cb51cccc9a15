"""How many operations a recurrent layer takes, by which its speed is compared with the machine's.

One token through one layer is a product of the layer's weights, ``gates * hidden`` rows of
``input + hidden`` columns, with a vector: a multiplication and an addition for each weight. So with one gate
for "rnn", three for "gru" and four for "lstm"::

    forward    2 * gates * hidden * (input + hidden)
    training   3 * forward      the products again for the gradients of the weights and of the layer's inputs

Only these products are counted: no gate's nonlinearity, no look-up in the embedding, no classifier and no
optimizer, so a share of the machine's rate that is reckoned with them is on the low side.
"""

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def operations_per_token(cell: str, input_size: int, hidden_size: int, *, training: bool) -> int:
    """Return the operations for one token through one layer in one direction.

    >>> operations_per_token("gru", 32, 32, training=False)
    12288
    """
    forward = 2 * GATES[cell] * hidden_size * (input_size + hidden_size)
    return 3 * forward if training else forward
