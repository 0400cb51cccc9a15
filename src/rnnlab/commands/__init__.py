"""What a person types: ``rnnlab train …`` or ``python scripts/train.py …``, the same function behind both.

A module of this package is a command, and its first line says what the command is for. It reads the words of
``sys.argv``. Light on purpose: ``--help`` imports no torch.
"""

import sys
from pathlib import Path

from rnnlab.interruption import end_while_starting

NAMES = ("new", "train", "evaluate", "predict", "generate", "export", "plot", "results", "benchmark")
"""The commands, in the order in which a project needs them."""

if Path(sys.argv[0]).stem in ("rnnlab", *NAMES) and "IPython" not in sys.modules:  # else signals are not ours
    end_while_starting()

from importlib import import_module  # noqa: E402
from importlib.metadata import version  # noqa: E402

from rnnlab.command_line import exit_by  # noqa: E402
from rnnlab.errors import ConfigError, nearest  # noqa: E402


def main() -> None:
    """Be the console command ``rnnlab``: give the words behind a command's name to that command."""
    words = sys.argv[1:]
    if not words or words[0] in ("--help", "-h"):
        print(help_text())
    elif words[0] == "--version":
        print(version("rnnlab"))
    elif words[0] in NAMES:
        # The command's own file: Lightning starts the further processes of a training by this name.
        sys.argv = [str(Path(__file__).with_name(f"{words[0]}.py")), *words[1:]]
        import_module(f"{__name__}.{words[0]}").main()
    else:
        exit_by(lambda: refuse(words[0]))


def refuse(word: str) -> None:
    """Say that a word is no command.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(f"rnnlab {word}: there is no such command. {nearest(word, NAMES)}")


def help_text() -> str:
    """Return a line for each command."""
    lines = ["rnnlab: train, compare and understand recurrent networks.", "", "Commands:"]
    for name in NAMES:
        about = (import_module(f"{__name__}.{name}").__doc__ or "").partition("\n")[0]
        lines.append(f"  rnnlab {name:<10} {about}")
    return "\n".join([*lines, "", "Each tells its keys and examples: rnnlab train --help"])
