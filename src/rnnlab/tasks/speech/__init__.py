"""Speech to text: what is said in a recording, letter by letter or word by word."""

from rnnlab.tasks.choosing import Choice

OBJECTIVE = Choice("validation/wer", "min")
"""What chooses. It is said here, where nothing needs torch: sweeps and tables ask, too."""
