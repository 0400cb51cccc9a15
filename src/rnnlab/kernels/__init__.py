"""Recurrent scans of rnnlab's own, compiled by numba: forward passes and backpropagation through time.

Read ``rnn.py``, ``gru.py`` or ``lstm.py`` for the equations and one step of a cell, ``walk.py`` and
``walk_back.py`` for the way through time, ``product.py`` and ``tile.py`` for the arithmetic, ``rows.py`` for
variable lengths, ``scans.py`` for what PyTorch sees of it, ``choice.py`` for when it is worth it.
``lookup.py`` is the gradient of word vectors.
"""
