"""Files as they come back from a bad disk, an editor or a stranger: what may become of a whole one."""

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**7, 10**12, 10**30, math.nan, math.inf, -0.5, 1e300),
    *("", "a", "../../outside", "/dev/zero", "a\x1b[2J\u202eb", "[/red]", "x" * 5000, "\ud800", "1e3"),
    *([], {}, [[]], {"a": 1}, ["a", 1], [1] * 2000, {"": {"": {}}}),
)
"""Values that stand where others are expected."""


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value in nested dictionaries and lists, the content itself first."""
    yield path
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content[:20])
        for key, value in pairs:
            yield from places(value, (*path, key))


@st.composite
def rewritten(draw: st.DrawFn, content: Any) -> Any:
    """Return plain data with one to three values replaced, removed, or put where none was."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(content))))
        value = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not path:
            content = value
            continue
        parent = content
        for key in path[:-1]:
            parent = parent[key]
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "replace":
            parent[path[-1]] = value
        elif how == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["", "a", "../b", "name", "_target_"]))] = value
    return content


@st.composite
def scratched(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return bytes cut short, altered, doubled, or with others in between."""
    place = draw(st.integers(0, max(0, len(whole) - 1)))
    length = draw(st.integers(1, 64))
    odd = draw(st.sampled_from([b"", b"\0", b"\xff" * 8, b"[" * 3000, b"&a [*a]", b"9" * 5000, b"\n\t- !!x"]))
    how = draw(st.sampled_from(["cut", "flip", "insert", "replace", "repeat", "empty"]))
    changed = {
        "cut": whole[:place],
        "flip": whole[:place] + bytes([whole[place] ^ (1 << length % 8)]) + whole[place + 1 :],
        "insert": whole[:place] + odd + whole[place:],
        "replace": whole[:place] + odd + whole[place + length :],
        "repeat": whole[:place] + whole[place : place + length] * 50 + whole[place:],
        "empty": b"",
    }
    return changed[how]


def put_odd_file(path: Path, kind: str) -> None:
    """Put what is no plain file, or a very large one, in a file's place."""
    path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "nothing":
        path.symlink_to("nowhere")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)


ODD_FILES = ("folder", "nothing", "device", "hole")


@st.composite
def mutated(draw: st.DrawFn, whole: bytes, content: Any, dump: Callable[[Any], bytes]) -> bytes | str:
    """Return the new bytes of a file, or the kind of an odd one that stands in its place.

    Args:
        draw: of hypothesis.
        whole: the file's bytes.
        content: what they mean, as nested dictionaries and lists.
        dump: makes bytes of changed content.
    """
    how = draw(st.sampled_from(["rewrite", "rewrite", "rewrite", "scratch", "odd"]))
    if how == "odd":
        return draw(st.sampled_from(ODD_FILES))
    return draw(scratched(whole)) if how == "scratch" else dump(draw(rewritten(content)))


def place(path: Path, change: bytes | str) -> None:
    """Put a mutation in a file's place."""
    if isinstance(change, str):
        put_odd_file(path, change)
    else:
        path.write_bytes(change)


def as_json(content: Any) -> bytes:
    """Return plain data as JSON."""
    return json.dumps(content).encode()
