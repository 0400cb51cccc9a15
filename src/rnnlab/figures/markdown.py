"""Plain text as Markdown, which TensorBoard's Text tab reads."""

import re
from collections.abc import Sequence

from rnnlab.visible import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!])")
_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("|"): "&#124;", ord("~"): "&#126;"}


def escaped(text: str) -> str:
    """Return Markdown that shows ``text`` letter by letter, its line breaks too.

    >>> escaped("a *bold* <unk>")
    'a \\\\*bold\\\\* &lt;unk&gt;'
    """
    return _SPECIAL.sub(r"\\\1", visible(text, lines=True)).translate(_ENTITIES).replace("\n", "  \n")


def code(text: str) -> str:
    """Return Markdown that shows lines as they are, in a fixed width."""
    return "\n".join(f"    {line}" for line in visible(text, lines=True).splitlines())


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table of plain cells.

    >>> print(table(("part", "size"), [("a|b", "3")]))
    | part | size |
    | --- | --- |
    | a&#124;b | 3 |
    """
    lines = [header, ("---",) * len(header), *(tuple(map(escaped, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
