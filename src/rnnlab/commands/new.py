"""Begin a project of your own: a recipe, a cell, a corpus, a task and a test that passes."""

import re
import sys
from pathlib import Path

from rnnlab.atomic import write_text
from rnnlab.command_line import exit_by
from rnnlab.errors import ConfigError
from rnnlab.starting_project import files

HELP = """Write a project to begin with into a new folder.

Examples:
  rnnlab new rivers
  cd rivers && pytest
  export PYTHONPATH=. && rnnlab train --config-dir conf experiment=mine 'trust=[my_cell,my_corpus,my_task]'

What it holds: conf/experiment/mine.yaml (the recipe), my_cell.py, my_corpus.py, my_task.py, texts/ (invented
sentences of two classes), test_mine.py, README.md. Change one after the other into what you want to know."""


def new(words: list[str]) -> None:
    """Write the project into the folder that the words name.

    Raises:
        ConfigError: if they name none, or one that holds something.
    """
    if {"--help", "-h"} & set(words):
        print(HELP)
        return
    if len(words) != 1 or re.match(r"-|.*=", words[0]):
        raise ConfigError("Name the folder of the project: rnnlab new rivers")
    folder = Path(words[0])
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already. A project begins in a folder of its own.")
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, text)
    print(f"A project is in {folder}; {folder / 'README.md'} tells what to type.")


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: new(sys.argv[1:]))
