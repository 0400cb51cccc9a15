"""Optimizers and learning-rate schedules: PyTorch's from configuration, and those that it lacks."""
