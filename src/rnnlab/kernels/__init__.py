"""Recurrent scans of rnnlab's own, compiled by numba: forward passes and backpropagation through time.

The equations are in ``cells/``. Read ``rnn.py``, ``gru.py`` or ``lstm.py`` here for one step and the way back
over it, ``walk.py`` for the way through time and back, ``product.py`` and ``tile.py`` for the
arithmetic, ``rows.py`` for variable lengths, ``scans.py`` for what PyTorch sees of it. ``lookup.py`` is the
gradient of word vectors, ``elman.py`` BPTT in PyTorch's own operations.
"""
