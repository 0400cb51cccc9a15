"""A table of labelled texts that is only scored: all its rows are the test split."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.rows import RowReader
from rnnlab.corpora.text_files import digest_of, files_named
from rnnlab.errors import DataError


class ScoredTable(Corpus):
    """The rows of a CSV, TSV or JSON Lines file; its classes are those that occur in it, sorted.

    Args:
        file: the path, or a pattern of several.
        text_column: the column (in JSON Lines, the key) of the text.
        label_column: the column of the class.

    Raises:
        DataError: if there is no such file.
    """

    splits = ("test",)

    def __init__(self, file: str, text_column: str = "text", label_column: str = "label") -> None:
        self._files = files_named(file)
        self._reader = RowReader(None, text_column, label_column, quotes=True)

    @property
    def name(self) -> str:
        """The file's name."""
        return self._files[0].name

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes that occur, sorted.

        Raises:
            DataError: if there is no row, or one that can't be read.
        """
        found = {
            row.label for path in self._files for row in self._reader.rows(path) if row.label is not None
        }
        if not found:
            raise DataError(f"{self._files[0]} has no rows.")
        return tuple(sorted(found))

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the columns."""
        columns = [self._reader.text_column, self._reader.label_column]
        return fingerprint_of(
            name="scored_table", columns=columns, content=digest_of(self._files), formats=self._formats()
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the rows in their order."""
        check_split(self, split)
        for path in self._files:
            for row in self._reader.rows(path):
                yield Document(row.text, self.labels.index(str(row.label)))

    def _formats(self) -> list[str]:
        return [Path(path).suffix.lower() for path in self._files]
