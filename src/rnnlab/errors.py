"""Errors that a person can mend.

Each message says what was wrong, where, and what to do. The command line prints it without a traceback
and exits with status 2; anything else is a defect of rnnlab and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class RnnlabError(Exception):
    """Base of every error that the user of rnnlab can mend."""


class ConfigError(RnnlabError):
    """A configuration that can't be composed, or that asks for what does not fit together."""


class DataError(RnnlabError):
    """Data that is missing, damaged or not what the configuration says."""


class RunError(RnnlabError):
    """A run folder or a checkpoint that can't be used."""


class Diverged(RnnlabError):  # noqa: N818  as it is called
    """A training whose loss or weights are no numbers any more."""


class ProcessDied(RnnlabError):  # noqa: N818  as it is called
    """One of a run's processes has died, and the others can't go on without it."""


class DamagedFileError(RunError):
    """A file that rnnlab wrote, or should have written, and that holds something else now."""


SHORTENED = 3
"""Letters from which on the beginning of a name tells it."""
NAMED = 3
"""Choices at most."""


def nearest(word: str, choices: Iterable[str], listed: Iterable[str] | None = None) -> str:
    """Return a sentence that names the choices closest to ``word``, or lists all where none is close.

    Where there are none at all, it says that.

    Args:
        word: what was asked for.
        choices: what there is.
        listed: what is listed where none is close, if not all.

    >>> nearest("hiden_size", ["hidden_size", "layers"])
    'Did you mean hidden_size?'
    >>> nearest("acc", ["accuracy", "loss"])
    'Did you mean accuracy?'
    >>> nearest("zzz", ["gru", "lstm"])
    'Choose from: gru, lstm.'
    >>> nearest("zzz", [])
    'There are none.'
    """
    known = sorted(set(choices))
    close = difflib.get_close_matches(word, known, n=NAMED, cutoff=0.6)
    if not close and len(word) >= SHORTENED:
        close = [choice for choice in known if choice.startswith(word)][:NAMED]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    shown = known if listed is None else sorted(set(listed))
    return f"Choose from: {', '.join(shown)}." if shown else "There are none."
