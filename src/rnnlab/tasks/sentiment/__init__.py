"""Sentiment classification: a document's class from its words."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/accuracy", "max")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""
