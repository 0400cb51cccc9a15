"""The ``data`` section for an evaluation elsewhere: a configuration's name, or a file of one's own.

A table of labelled texts, or a text, that is only scored: all of it is the test split.
"""

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import hydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.labels import Classes, names_in, tidied
from rnnlab.corpora.rows import Row, RowReader
from rnnlab.corpora.tables import LabelledRows
from rnnlab.corpora.text_files import decoded_lines, digest_of, files_named
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.plain_arguments import value_of


class ScoredTable(LabelledRows):
    """The rows of a CSV, TSV or JSON Lines file; its classes are those that occur in it, sorted.

    Args:
        file: the path, or a pattern of several.
        text_column: the column (in JSON Lines, the key) of the text.
        label_column: the column of the class.
        quotes: whether quotation marks can enclose a field; None: see
            :class:`rnnlab.corpora.rows.RowReader`.
        labels: names, separated by commas, that are classes even where they read as "nothing here", such as
            ``none``.
        label_separator: what stands between the labels of a row that may have several or none.

    Raises:
        DataError: if there is no such file.
    """

    splits = ("test",)

    def __init__(
        self,
        file: str,
        text_column: str = "text",
        label_column: str = "label",
        quotes: bool | None = None,
        labels: str = "",
        label_separator: str | None = None,
    ) -> None:
        self._files = files_named(file)
        named = tuple(tidied(label) for label in labels.strip("[]").split(","))
        self._reader = RowReader(
            None, text_column, label_column, quotes, named if labels else (), separator=label_separator
        )

    @property
    def name(self) -> str:
        """The file's name."""
        return self._files[0].name

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that occur, sorted; spellings of one number, such as 1 and 1.0, are one.

        Raises:
            DataError: if there is no row, or one that can't be read.
        """
        return self._classes.names

    @cached_property
    def _classes(self) -> Classes:
        found = [row.label for _, row in self._all_rows()]
        if not found:
            raise DataError(f"{self._files[0]} has no rows.")
        return Classes.occurring(name for label in found for name in names_in(label, self._reader.separator))

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the columns."""
        reader = self._reader
        return fingerprint_of(
            name="scored_table",
            version=2,
            reading=[reader.text_column, reader.label_column, reader.quotes is not False],
            content=digest_of(self._files),
            formats=[Path(path).suffix.lower() for path in self._files],
            **({"label_separator": separator} if (separator := reader.separator) else {}),
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the rows in their order.

        Raises:
            DataError: naming file and line, for a row that can't be read.
        """
        check_split(self, split)
        for path, row in self._all_rows():
            yield Document(row.text, self._number_of(row, path))

    def _all_rows(self) -> Iterator[tuple[Path, Row]]:
        return ((path, row) for path in self._files for row in self._reader.rows(path))


class ScoredText(Corpus):
    """The lines of a text file, without classes: what a language model is scored on.

    Args:
        file: the path, or a pattern of several.

    Raises:
        DataError: if there is no such file.
    """

    labels: tuple[str, ...] = ()
    splits = ("test",)

    def __init__(self, file: str) -> None:
        self._files = files_named(file)

    @property
    def name(self) -> str:
        """The file's name."""
        return self._files[0].name

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents."""
        return fingerprint_of(name="scored_text", version=1, content=digest_of(self._files))

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the lines in their order, as :class:`rnnlab.corpora.plain_text.PlainText` does.

        Raises:
            DataError: naming file and line for bytes that are not UTF-8.
        """
        check_split(self, split)
        for path in self._files:
            for _, line in decoded_lines(path):
                yield Document(line.removesuffix("\n").removesuffix("\r"))


OF_THE_MODEL = ("data.look_back", "data.horizon")
"""Keys of data that are the size of a model trained on it."""
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
        ConfigError: if there is no such data, or a key has nothing to belong to, or is the model's.
        HydraException: if a key of a named configuration is unknown.
    """
    if name is None:
        if keys:
            raise ConfigError(f"{keys[0]} needs data=…, the configuration whose key it is.")
        return None
    for key in (word.partition("=")[0] for word in keys):
        if key in OF_THE_MODEL:
            raise ConfigError(f"{key} is the model's, which was trained with it: leave it out.")
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
