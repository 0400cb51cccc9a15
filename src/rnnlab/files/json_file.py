"""JSON out of files: bounded, plain, of the shape that is expected."""

import json
import re
from pathlib import Path
from typing import Any

from rnnlab.files.bounded import damaged, text_of
from rnnlab.files.shapes import NotPlainError, Shape, check_plain, check_shape
from rnnlab.visible import well_formed

LARGEST = 16 << 20
"""Bytes of a file of figures or notes."""
_HALF_A_LETTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path, shape: Shape, *, largest: int = LARGEST, mend: str = "") -> Any:
    """Return what a JSON file holds.

    Args:
        path: the file.
        shape: of its content, as :data:`rnnlab.files.shapes.Shape` says.
        largest: bytes that it can have.
        mend: a sentence on what to do if it is damaged.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is no JSON, too large, too deep, or of another shape.
    """
    try:
        content = parsed_json(text_of(path, largest, mend))
        check_shape(content, shape)
    except NotPlainError as error:
        raise damaged(path, error, mend) from error
    return content


def parsed_json(text: str) -> Any:
    r"""Return the value that a JSON text spells; half a surrogate pair is read as U+FFFD.

    >>> parsed_json('{"text": "\\ud800 and \\ud83d\\ude00"}')
    {'text': '� and 😀'}

    Raises:
        NotPlainError: if it is none, nested too deep, or holds a number of hundreds of digits.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise NotPlainError("its lists and mappings are nested too deep") from error
    except ValueError as error:  # JSONDecodeError is one, and what Python says of numbers that are too long
        raise NotPlainError(f"it is no JSON ({error})") from error
    check_plain(value)
    return mended(value) if _HALF_A_LETTER.search(text) else value


def mended(value: Any) -> Any:
    """Return plain data with all texts well formed."""
    if isinstance(value, dict):
        return {well_formed(key): mended(part) for key, part in value.items()}
    if isinstance(value, list):
        return [mended(part) for part in value]
    return well_formed(value) if isinstance(value, str) else value
