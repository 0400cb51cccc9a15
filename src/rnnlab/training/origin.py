"""What a run is made from, beside its settings: its data, other runs and files, and the user's own code.

An origin is a digest for each of them: ``data`` (the corpus's fingerprint), ``code of my_cell.Cell`` for each
class of the user's own, and the key of each file that the configuration names. A setting that reads the same
may mean another file or other code by now. Nothing here needs torch.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.build import build
from rnnlab.corpora.corpus import MadeFrom
from rnnlab.corpora.text_files import digest_of
from rnnlab.errors import RnnlabError, RunError
from rnnlab.own_code import edited, own_code
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

Origin = dict[str, str]

CODE = "code of "
FILES = ("init_from", "task.vectors")


def origin_of(
    config: Mapping[str, Any], corpus: Any = None, began: Mapping[str, str] | None = None
) -> Origin:
    """Return what a run of this configuration is, or would be, made from now.

    Args:
        config: resolved.
        corpus: of the data, where it is built already.
        began: the origin of a run that goes on: it reads the files that it started from no more.

    Raises:
        DataError: if the corpus is missing or damaged.
        RunError: if a file that the configuration names is missing.
        ConfigError: if a class can't be imported or built.
    """
    if corpus is None:
        corpus = build(config["data"]["corpus"], object, "data.corpus")
    while isinstance(corpus, MadeFrom):  # which documents are drawn is a matter of the run's settings
        corpus = corpus.corpus
    data = getattr(corpus, "fingerprint", None)
    code = {f"{CODE}{name}": digest for name, digest in own_code(dict(config)).items()}
    files = files_of(config) if began is None else {key: began[key] for key in FILES if key in began}
    return {**({"data": data} if data else {}), **files, **code}


def files_of(config: Mapping[str, Any]) -> Origin:
    """Return the digests of the files that a training starts from: another run, vectors of words.

    Raises:
        RunError: if there is none.
    """
    found: Origin = {}
    if config.get("init_from"):
        place = Path(config["init_from"])
        file = place / "checkpoints" / "best.ckpt" if place.is_dir() else place
        if not file.is_file():
            raise RunError(f"init_from={place}: there is no checkpoint {file}.")
        found["init_from"] = digest_of([file])
    vectors = config["task"].get("vectors")
    if vectors and Path(str(vectors)).expanduser().is_file():  # published ones are checked by their checksum
        found["task.vectors"] = digest_of([Path(str(vectors)).expanduser()])
    return found


def changed_since(before: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    """Return what is not as it was when a run was made, as words; empty if all is, or nothing was kept.

    >>> changed_since({"data": "a", "code of my_cell.Cell": "b"}, {"data": "c", "code of my_cell.Cell": "b"})
    'data'
    """
    return "" if before is None else ", ".join(edited(before, now))


def edited_code(before: Mapping[str, str] | None, config: Any) -> str:
    """Return the classes of a configuration, or a part of it, whose code was edited since a run was made."""
    now = own_code(config)
    kept = {name: (before or {}).get(f"{CODE}{name}") for name in now}
    return "" if before is None else ", ".join(sorted(name for name in now if kept[name] != now[name]))


def tell_if_changed(folder: RunFolder, config: Mapping[str, Any]) -> None:
    """Warn if a finished run would be made from other data or code now."""
    try:
        changed = changed_since(folder.origin(), origin_of(config))
    except RnnlabError as error:
        log.warning("Whether its data and code are still the same can't be told: %s", error)
        return
    if changed:
        log.warning(
            "Its figures are not of what is there now; changed since: %s. For those, start a new run.",
            changed,
        )
