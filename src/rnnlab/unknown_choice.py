"""A choice that there is not, such as ``model=gruu``: the nearest ones that there are."""

import re
from pathlib import PurePath

from rnnlab.corpora.rows import FORMAT_OF_SUFFIX
from rnnlab.errors import nearest
from rnnlab.synonyms import said_here

_HYDRA = re.compile(
    r"(?:In '(?P<file>[^']+)': )?Could not find '(?P<choice>[^']+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>.*)",
    re.DOTALL,
)


def unknown_choice(text: str) -> str | None:
    """Return what a person needs to know of a choice that Hydra did not find.

    Args:
        text: of Hydra's error, without the search path at its end.

    Returns:
        One line; None if the error is another.

    >>> unknown_choice("Could not find 'model/gruu'\\n\\nAvailable options in 'model':\\n\\tgru\\n\\tlstm")
    'model=gruu: there is no such choice. Did you mean gru?'
    """
    found = _HYDRA.search(text)
    if found is None:
        return None
    group = found["group"]
    choice = found["choice"].removeprefix(f"{group}/")
    file = found["file"] or ""
    where = f"{file}.yaml: " if "/" in file else ""  # the main file's own choices are the command's
    hint = own_file(choice) if group == "data" and PurePath(choice).suffix else None
    return f"{where}{group}={choice}: there is no such choice. " + (
        hint or said_here(f"{group}={choice}") or nearest(choice, found["options"].split())
    )


def own_file(name: str) -> str:
    """Return how to train on a file of one's own.

    >>> own_file("mine.csv")
    'A table of your own: data=csv data.corpus.train=mine.csv'
    """
    if PurePath(name).suffix.lower() in FORMAT_OF_SUFFIX:
        return f"A table of your own: data=csv data.corpus.train={name}"
    return f"A text of your own: task=language_model data=text data.corpus.train={name}"
