"""What happens inside a recurrent network: how far gradients reach, which gates are stuck.

What an encoder shows of itself is said in ``rnnlab.encoder.trace``. ``gradient_flow`` and ``saturation``
measure it, of an encoder by itself, too; ``probe`` measures a task on a batch, ``record`` keeps what was
measured, ``callback`` does it after each epoch of a training.
"""
