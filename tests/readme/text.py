"""What the README and its pages say, taken apart: commands, modules, tables."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / ".readme").glob("*.md"))
README = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "README.md", *PAGES))
"""The README and the pages that it links."""


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language; "" for those of none."""
    opened = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [content for name, content in opened if name == language]


def module(name: str) -> str:
    """Return the module whose first line is its name."""
    (found,) = (block for block in blocks("python") if block.startswith(f"# {name}\n"))
    return found


def commands() -> list[str]:
    """Return every command, each once: of the bash blocks, and of scripts that stand in tables and text."""
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
    typed = [part.strip() for line in lines for part in re.sub(r"\s+# .*$", "", line).split("&&")]
    named = re.findall(r"`(python scripts/[^`]+)`", README)
    return list(dict.fromkeys([*typed, *named]))


def words_of(command: str) -> list[str]:
    """Return the words that a shell makes of a command."""
    return shlex.split(command)


def right_cells(heading: str) -> list[str]:
    """Return the first code span in the second column of each row of the first table after ``heading``."""
    _, _, after = README.partition(heading)
    assert after, f"the README has no {heading!r}"
    rows = []
    for line in after.split("\n| --- |", 1)[1].splitlines()[1:]:
        if not line.startswith("|"):
            break
        spans = re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1])
        rows += spans[:1]
    return rows
