"""The user's own table: a CSV, TSV or JSON Lines file with a column of texts and, mostly, one of labels."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.holdout import check_fractions, split_by_class
from rnnlab.corpora.rows import Row, RowReader
from rnnlab.corpora.text_files import check_disjoint, digest_of, files_named
from rnnlab.errors import ConfigError, DataError, nearest


class Table(Corpus):
    """Documents out of the rows of files, in the rows' order; any number of classes, or none.

    Splits: ``train``, ``validation``, ``test``. Those for which no file is named are cut out of train's
    files, seeded and stratified by class; :attr:`held_out` says which and how much.
    """

    name = "csv"
    splits = ("train", "validation", "test")
    format_version = 1

    def __init__(
        self,
        train: str | Sequence[str],
        validation: str | Sequence[str] | None = None,
        test: str | Sequence[str] | None = None,
        text_column: str = "text",
        label_column: str | None = "label",
        labels: Sequence[str] | None = None,
        format: str | None = None,
        quotes: bool = True,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        r"""Name the files (paths or glob patterns, relative to the working folder, else to the data folder).

        Args:
            train: files to train on.
            validation: files for validation; None cuts ``validation_fraction`` out of train.
            test: files for the test; None cuts ``test_fraction`` out of train.
            text_column: name of the column (in JSON Lines: the key) with the text.
            label_column: name of the column with the label; None reads texts without labels.
            labels: the classes in the order of their ids; None takes those in train, sorted by name.
            format: ``csv``, ``tsv`` or ``jsonl``; None goes by each file's suffix.
            quotes: whether quotation marks can enclose a field of a CSV or TSV.
            validation_fraction: share of train's rows.
            test_fraction: share of train's rows.
            seed: draws the rows that are cut out.

        Raises:
            ConfigError: if a share or the format is out of range, or ``labels`` are not two or more names.
            DataError: if a file is not there, or is named for two splits.
        """
        self._reader = RowReader(format, text_column, label_column, quotes)
        named = {"train": train, "validation": validation, "test": test}
        self._files = {split: files_named(names) for split, names in named.items() if names is not None}
        check_disjoint(self._files)
        fractions = {"validation": validation_fraction, "test": test_fraction}
        self._held_out = {split: share for split, share in fractions.items() if split not in self._files}
        check_fractions({f"{split}_fraction": share for split, share in self._held_out.items()})
        self._given_labels = None if labels is None else tuple(str(label) for label in labels)
        _check_labels(self._given_labels, label_column)
        self._seed = seed

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes; the first look reads train's files.

        Raises:
            DataError: if train has no row or only one class, or a row can't be read.
        """
        return self._surveyed[0]

    @property
    def held_out(self) -> Mapping[str, float]:
        """The splits that were cut out of train, and their share of it."""
        return self._held_out

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the settings."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content={split: digest_of(files) for split, files in self._files.items()},
            formats=[path.suffix.lower() for files in self._files.values() for path in files],
            reading=[
                self._reader.format,
                self._reader.text_column,
                self._reader.label_column,
                self._reader.quotes,
            ],
            labels=self._given_labels,
            held_out=self._held_out,
            seed=self._seed,
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the rows of one split.

        Raises:
            DataError: naming file and line, as :class:`RowReader` does, and for a label train does not have.
        """
        check_split(self, split)
        labels, splits_of_rows = self._surveyed
        ids = {label: index for index, label in enumerate(labels)}
        chosen = self._rows(split if split in self._files else "train")
        if split == "train" or split in self._held_out:
            chosen = (row for row, its in zip(chosen, splits_of_rows, strict=True) if its == split)
        empty = True
        for path, row in chosen:
            empty = False
            yield Document(row.text, None if row.label is None else _id(row, path, ids))
        if empty:
            raise DataError(self._emptiness(split))

    def _rows(self, split: str) -> Iterator[tuple[Path, Row]]:
        for path in self._files[split]:
            for row in self._reader.rows(path):
                yield path, row

    @cached_property
    def _surveyed(self) -> tuple[tuple[str, ...], list[str]]:
        """The classes, and the split of each row of train's files."""
        names = [row.label for _, row in self._rows("train")]
        if not names:
            raise DataError(self._emptiness("train"))
        occurring = sorted({name for name in names if name is not None})
        if len(occurring) == 1:
            raise DataError(
                f"{self._named('train')}: all {len(names):,} rows have the label {occurring[0]!r}; "
                "a classifier needs two classes. Set data.corpus.label_column=null to read texts alone."
            )
        labels = tuple(occurring) if self._given_labels is None else self._given_labels
        return labels, split_by_class(names, self._held_out, self._seed)

    def _named(self, split: str) -> str:
        return ", ".join(map(str, self._files[split]))

    def _emptiness(self, split: str) -> str:
        if split in self._held_out:
            return (
                f"{self._named('train')}: too few rows to cut {split} out of them. Add rows, or "
                f"name a file in data.corpus.{split}."
            )
        return f"{self._named(split)}: no rows, so the {split} split is empty."


def _check_labels(labels: tuple[str, ...] | None, label_column: str | None) -> None:
    if labels is None:
        return
    if label_column is None:
        raise ConfigError("data.corpus.labels are given, but data.corpus.label_column is null.")
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise ConfigError(f"data.corpus.labels is {list(labels)}; it must be two or more names, each once.")


def _id(row: Row, path: Path, ids: Mapping[str, int]) -> int:
    label = row.label
    if label is None or label not in ids:
        raise DataError(
            f"{path}, line {row.line}: {label!r} is not one of the classes, which are those of "
            f"data.corpus.labels or, without it, those in train. {nearest(str(label), ids)}"
        )
    return ids[label]
