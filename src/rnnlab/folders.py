"""Where data lies and where computed things go, and how a person types a command.

The data folder may be read-only: what rnnlab fetches or computes goes to the cache folder.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from rnnlab.errors import ConfigError

PACKAGED = Path(__file__).resolve().with_name("conf")
"""Where a wheel has the configuration files, which lie in ``conf`` of a checkout."""


def data_folder() -> Path:
    """Return ``$RNNLAB_DATA_DIR``, else ``data`` in the checkout, else ``data`` in the working folder."""
    named = os.environ.get("RNNLAB_DATA_DIR")
    if named:
        return Path(named).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    root = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return root / "data"


def cache_folder() -> Path:
    """Return ``$RNNLAB_CACHE_DIR``, else ``rnnlab`` in the user's cache folder. It need not exist yet."""
    named = os.environ.get("RNNLAB_CACHE_DIR")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().resolve() / "rnnlab"


def at_hand(name: str | Path) -> Path | None:
    """Return where a file lies: in the data folder, else in the cache folder; None where it is in neither."""
    places = (folder / name for folder in (data_folder(), cache_folder()))
    return next((place for place in places if place.is_file()), None)


def conf_folder() -> Path:
    """Return the folder of configuration files: ``conf`` of the checkout, or the package's own in a wheel.

    Raises:
        ConfigError: if there is none.
    """
    folder = PACKAGED if PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "conf"
    if not (folder / "train.yaml").is_file():
        raise ConfigError(
            f"rnnlab's configuration files are neither in {PACKAGED} nor beside the sources: install it anew."
        )
    return folder


def command(name: str, *words: str) -> str:
    r"""Return a command as a person types it, such as ``train``: by its script where they work in a checkout.

    Words are quoted for the shell, and for Hydra where that reads them. In a notebook the command is what a
    cell runs, from the notebook's own folder.

    >>> command("train")
    'python scripts/train.py'
    >>> print(command("predict", "run=logs/my run", "text=It's fine."))
    python scripts/predict.py 'run=logs/my run' "text=It's fine."
    >>> print(command("train", "resume=logs/gru seed=1", "trainer.max_epochs=8"))
    python scripts/train.py "resume='logs/gru seed=1'" trainer.max_epochs=8
    """
    by_name = PACKAGED.is_dir() or Path(sys.argv[0]).parent.name == "commands"
    script = f"scripts/{name}.py"
    if in_notebook():
        script = os.path.relpath(Path(__file__).resolve().parents[2] / script)
    program = ["rnnlab", name] if by_name else ["python", script]
    given = map(for_hydra, words) if name in READ_BY_HYDRA else words
    return f"{'!' if in_notebook() else ''}{typed([*program, *given])}"


def typed(words: Iterable[str]) -> str:
    r"""Return words as a shell takes them, in double quotes where a person would put those.

    >>> print(typed(["a", "b c", "it's", "it's $5"]))
    a 'b c' "it's" 'it'"'"'s $5'
    """
    return " ".join(map(in_shell, words))


def in_shell(word: str) -> str:
    """Return a word as a shell takes it."""
    in_double = "'" in word and not set(word) & set('"$`\\!\n')
    return f'"{word}"' if in_double else shlex.quote(word)


READ_BY_HYDRA = ("train", "benchmark")


def in_notebook() -> bool:
    """Return whether this process is a notebook's kernel."""
    return "ipykernel.kernelapp" in sys.modules


def for_hydra(word: str) -> str:
    """Return a word with its value in quotes where Hydra would read signs in it as its own."""
    key, equals, value = word.partition("=")
    if not equals or re.fullmatch(r"[\w ./:%+@?*|-]*|\[[\w,.]*\]", value, re.ASCII):
        return word
    quoted = value.replace("'", "\\'")
    return f"{key}='{quoted}'"


def with_runs_quoted(words: Iterable[str]) -> list[str]:
    """Return a command's words with runs in quotes that Hydra would not read: a sweep's are ``gru seed=1``.

    >>> with_runs_quoted(["resume=logs/gru seed=1", "init_from=logs/a,logs/b", "seed=1"])
    ["resume='logs/gru seed=1'", 'init_from=logs/a,logs/b', 'seed=1']
    """
    run = re.compile(r"(resume|init_from)=[^=,'\"\[{]*=[^,'\"\[{]*")
    return [for_hydra(word) if run.fullmatch(word) else word for word in words]


def as_typed(text: str) -> str:
    """Return a text in which each command stands as :func:`command` has it.

    >>> as_typed("python scripts/train.py model=gru")
    'python scripts/train.py model=gru'
    """
    return re.sub(r"python scripts/(\w+)\.py", lambda found: command(found[1]), text)
