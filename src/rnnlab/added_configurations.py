"""What ``--config-dir`` adds to ``conf/``: files of others, as a search's ``best.yaml``, which Hydra reads.

Hydra makes objects of what its own section names, sets variables of the environment and writes where that
section says, all before rnnlab sees a configuration; and a resolver, ``${name:...}``, is a call. So the files
are looked at first. Those of ``conf/`` are the user's own.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from rnnlab.errors import RunError
from rnnlab.files.bounded import text_of
from rnnlab.files.plain_file import LARGEST_YAML, check_extent
from rnnlab.named_classes import (
    PLACES,
    classes_in,
    is_listed,
    is_under,
    mappings,
    printable,
    trusted_packages,
)

CALL = re.compile(r"\$\{.*:", re.DOTALL)
ELSEWHERE = re.compile(r"hydra|\.\.|//|~|\\")
"""What is in an entry of a list of defaults that leads to Hydra's own section, or out of the folder."""


def check_added(words: Sequence[str]) -> None:
    """Check the files of the folder that a command adds.

    A class must be listed, be a word of the command, or belong to a package that ``trust=`` names. Hydra's
    own section, resolvers but rnnlab's, and files elsewhere need ``trust=hydra``.

    Raises:
        RunError: naming the first file that says more.
    """
    check_help_that_is_text()
    folder = get_args_parser().parse_known_args(list(words))[0].config_dir
    values = {word.partition("=")[2] for word in words}
    trust = [package for word in words if word.startswith("trust=") for package in trusted_packages(word[6:])]
    for file in configurations(Path(folder)) if folder else ():
        content, text = read(file)
        for _, name in classes_in(content):
            known = name == "???" or any(is_listed(place, name) for place in PLACES)
            if not (known or (isinstance(name, str) and name in values) or is_under(name, trust)):
                package = printable(name).split(".")[0]
                raise refused(file, f"it names {printable(name)}, which would be imported", package)
        inside = file.relative_to(folder).as_posix()
        for instruction in [] if "hydra" in trust else instructions_in(inside, content, text):
            raise refused(
                file, f"it says how Hydra works, not what a run is ({printable(instruction)})", "hydra"
            )


def check_help_that_is_text() -> None:
    """Let argparse check the help of arguments only where it is text.

    From Python 3.14 on it does so as an argument is added, and Hydra 1.3 has one whose help is made later.
    """
    check = getattr(argparse.ArgumentParser, "_check_help", None)
    if check is None or check.__module__ == __name__:
        return

    def checked(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, str):
            check(parser, action)

    argparse.ArgumentParser._check_help = checked  # type: ignore[attr-defined]


def configurations(folder: Path) -> Iterator[Path]:
    """Yield the files that Hydra may read in a folder, those behind links included."""
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(root) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        yield from (Path(root, name) for name in sorted(files) if name.endswith((".yaml", ".yml")))


def read(file: Path) -> tuple[Any, str]:
    """Return a configuration as Hydra would see it, unresolved, and its text.

    Raises:
        RunError: if it is none.
    """
    try:
        text = text_of(file, LARGEST_YAML)
        check_extent(text)
        return OmegaConf.to_container(OmegaConf.load(file), resolve=False), text
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise RunError(
            f"{file} is no configuration: {printable(str(error).partition(chr(10))[0])}"
        ) from error


def instructions_in(inside: str, content: Any, text: str) -> Iterator[str]:
    """Yield what a file says of how Hydra works.

    Args:
        inside: the file's path in its folder of groups.
        content: of the file.
        text: the same as it is written.
    """
    packages = [line for line in text.splitlines() if "@package" in line]
    yield from (said for said in (inside, *packages) if "hydra" in said)
    for _, part in mappings(content):
        yield from (str(key) for key in part if str(key).startswith("hydra"))
        yield from calls_in(list(part.values()))
    defaults = content.get("defaults", []) if isinstance(content, dict) else []
    yield from (str(entry) for entry in defaults if ELSEWHERE.search(str(entry)))


def calls_in(values: Sequence[Any]) -> Iterator[str]:
    """Yield the texts that call a resolver, but rnnlab's own.

    >>> list(calls_in(["${model.layers}", "${oc.env:HOME}", "${rnnlab.can_fuse:${trainer.precision}}", 3]))
    ['${oc.env:HOME}']
    """
    for value in values:
        if isinstance(value, list):
            yield from calls_in(value)
        elif isinstance(value, str) and CALL.search(value.replace("${rnnlab.", "")):
            yield value


def refused(file: Path, why: str, package: str) -> RunError:
    """Return the error on a file; what Python comes with is never proposed to be trusted."""
    way = "" if package in sys.stdlib_module_names else f"pass trust={package}, or "
    return RunError(
        f"--config-dir: {file} is refused: {why}. If you know the file and trust it, {way}copy it into conf/."
    )
