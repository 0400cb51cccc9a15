"""Text of whatever origin as a person may safely see it: nothing in it steers a terminal or hides.

Words, labels, file names and tags come from files of others. A control character moves the cursor or paints
over what was said, a bidirectional one makes ``abc`` read ``cba``, half a surrogate pair ends whatever
encodes it, and none of them may stand in XML.
"""

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # between letters of Persian and of Indian scripts, and within emoji
_SUSPECT = re.compile(r"[^\x20-\x7e]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text in which every character that can't be seen is spelt out.

    Args:
        text: of whatever origin.
        lines: whether line breaks and tabs stay what they are.

    >>> print(visible("a\x1b[31mb\u202ec\td"), visible("näher\nda", lines=True))
    a\x1b[31mb\u202ec\td näher
    da
    """
    return _SUSPECT.sub(lambda found: _shown(found[0], lines), text)


def _shown(sign: str, lines: bool) -> str:
    if lines and sign in "\n\t":
        return sign
    category = unicodedata.category(sign)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and is_hidden(sign)):
        return sign.encode("unicode_escape").decode("ascii")
    return sign


def is_hidden(sign: str) -> bool:
    """Return whether a formatting character changes a text unseen: not the joiners, not numbers' signs."""
    is_a_sign = unicodedata.name(sign, "").startswith(("ARABIC", "SYRIAC", "KAITHI"))
    return sign not in _JOINERS and not (is_a_sign and "LETTER MARK" not in unicodedata.name(sign))


def visible_json(text: str) -> str:
    r"""Return a line of JSON that says the same and holds no character that can't be seen.

    >>> print(visible_json('{"text": "a\u202eb"}'))
    {"text": "a\u202eb"}
    """
    return _SUSPECT.sub(
        lambda found: found[0] if _shown(found[0], True) == found[0] else _units(found[0]), text
    )


def _units(sign: str) -> str:
    units = sign.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def well_formed(text: str) -> str:
    r"""Return a text with U+FFFD for each half of a surrogate pair: no encoding has one.

    >>> well_formed("a\ud800b") == "a\ufffdb"
    True
    """
    if text.isascii():
        return text
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
