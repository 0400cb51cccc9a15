"""Forecasting: an encoder reads the steps up to now and a decoder says the steps that follow."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/loss", "min")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""
