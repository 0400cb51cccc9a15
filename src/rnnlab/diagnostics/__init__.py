"""What happens inside a recurrent network: how far gradients reach, which gates are stuck.

``trace`` says what an encoder shows of itself, ``stepwise`` walks rnnlab's own cells in plain autograd,
``gradient_flow``, ``saturation`` and ``spectral_radius`` measure, ``probe`` measures a task on a batch,
``reach`` measures an encoder by itself, ``record`` keeps what was measured, ``callback`` does it after each
epoch of a training.
"""
