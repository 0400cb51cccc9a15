"""What happens inside a recurrent network: how far gradients reach, which gates are stuck.

What an encoder shows of itself is said in ``rnnlab.encoder.trace``. ``gradient_flow``, ``saturation`` and
``spectral_radius`` measure, ``probe`` measures a task on a batch, ``reach`` measures an encoder by itself,
``record`` keeps what was measured, ``callback`` does it after each epoch of a training.
"""
