"""The ``data`` section for an evaluation elsewhere: a configuration's name, or a file of one's own."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import hydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.errors import ConfigError, nearest
from rnnlab.plain_arguments import value_of
from rnnlab.runs.scored_table import ScoredTable, ScoredText

TEXTS = (".txt", ".text")
"""What the names of texts end in; a table's ending says how it is read."""


def data_section(
    conf: Path, name: str | None, keys: Sequence[str], labels: str | None = None
) -> dict[str, Any] | None:
    """Return the section, or None where no data is named.

    Args:
        conf: the folder of configuration files.
        name: a file of ``conf/data`` without its ending, or the path of a CSV, TSV or JSON Lines file, of
            which all rows are then scored, or of a text.
        keys: words such as ``data.corpus.text_column=review``.
        labels: names that are classes of a table whatever they look like, separated by commas.

    Raises:
        ConfigError: if there is no such data, or a key has nothing to belong to.
        HydraException: if a key of a named configuration is unknown.
    """
    if name is None:
        if keys:
            raise ConfigError(f"{keys[0]} needs data=…, the configuration whose key it is.")
        return None
    choices = sorted(path.stem for path in (conf / "data").glob("*.yaml"))
    if name in choices:
        register_resolvers()
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            composed = hydra.compose("train", overrides=[f"data={name}", *keys])
        section = OmegaConf.to_container(composed.data, resolve=True, throw_on_missing=True)
        return {str(key): value for key, value in section.items()}  # type: ignore[union-attr]
    if Path(name).suffix.lower() in TEXTS:
        return text_section(name, keys)
    if Path(name).suffix:
        return table_section(name, keys, labels)
    raise ConfigError(
        f"data={name}: there is no such data. {nearest(name, choices)} Or name a file: data=mine.csv."
    )


def text_section(file: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the section for a text of which all is scored.

    Raises:
        ConfigError: if there is a key: it would have none.
    """
    if keys:
        raise ConfigError(f"{keys[0].partition('=')[0]}: there are no keys for the text data={file}.")
    return section_of(ScoredText, file)


def section_of(corpus: type, file: str, **options: Any) -> dict[str, Any]:
    """Return the section of a file that is scored."""
    target = f"{corpus.__module__}.{corpus.__name__}"
    return {
        "name": Path(file).name,
        "corpus": {"_target_": target, "file": file, **options},
        "vocabulary": {"max_size": None, "min_frequency": 1},
    }


def table_section(file: str, keys: Sequence[str], labels: str | None = None) -> dict[str, Any]:
    """Return the section for a table of which all rows are scored.

    Raises:
        ConfigError: if a key is none of a table's, or its value of another type.
    """
    settings = inspect.get_annotations(ScoredTable.__init__)
    known = {f"data.corpus.{name}": kind for name, kind in settings.items() if name not in ("file", "return")}
    options: dict[str, Any] = {"labels": labels} if labels else {}
    for word in keys:
        key, _, value = word.partition("=")
        if key not in known:
            raise ConfigError(f"{key}: there is no such key for data={file}. {nearest(key, known)}")
        options[key.rpartition(".")[2]] = value_of(key, value, get_args(known[key]) or (known[key],))
    return section_of(ScoredTable, file, **options)
