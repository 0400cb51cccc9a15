"""Multi-label classification: the classes that a document is of, any number of them, from its words."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/f1_micro", "max")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""
