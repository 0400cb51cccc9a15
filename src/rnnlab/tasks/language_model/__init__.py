"""Language modelling: the next token from those before it."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/perplexity", "min")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""

NAME = "language_model"
"""What ``task=`` calls it."""
