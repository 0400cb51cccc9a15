"""Memory problems: what a network remembers of the beginning of a sequence at its end."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/loss", "min")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""
