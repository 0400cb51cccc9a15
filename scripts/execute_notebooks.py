"""Execute notebooks and keep their outputs: ``python scripts/execute_notebooks.py [notebook ...]``."""

import sys
import time
from pathlib import Path

from rnnlab.command_line import exit_by
from rnnlab.errors import ConfigError

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
HELP = """Execute notebooks from top to bottom and keep their outputs in their files.

    python scripts/execute_notebooks.py                all of them, a quarter hour
    python scripts/execute_notebooks.py notebooks/01_sentiment.ipynb

Runs go into notebooks/logs. Needs pip install -e '.[notebooks]'."""


def execute(words: list[str]) -> None:
    """Execute the notebooks that the words name, or all."""
    if {"--help", "-h"} & set(words):
        print(HELP)
        return
    files = [Path(word) for word in words] or sorted(NOTEBOOKS.glob("*.ipynb"))
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ConfigError(f"There is no notebook {', '.join(missing)}.")
    from rnnlab.notebooks import execute_in_place

    for file in files:
        begin = time.perf_counter()
        execute_in_place(file)
        print(f"{file.name}: {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    exit_by(lambda: execute(sys.argv[1:]))
