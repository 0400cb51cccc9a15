"""The user's own table: a CSV, TSV or JSON Lines file with a column of texts and, mostly, one of labels."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.holdout import held_out_of, known_texts, split_by_class, text_key, texts_of
from rnnlab.corpora.labels import Classes, alike, merged, names_in, tidied
from rnnlab.corpora.rows import Row, RowReader
from rnnlab.corpora.text_files import check_disjoint, digest_of, files_named
from rnnlab.errors import ConfigError, DataError, nearest


class _Survey(NamedTuple):
    classes: Classes
    spellings: Counter[str]  # rows of each label as it is written
    splits: list[str]  # of each row of train's files
    texts: list[bytes]  # the same for copies of a text, of each row


class LabelledRows(Corpus):
    """Documents out of rows, of which each has a class, several of them, or none."""

    _reader: RowReader

    @property
    @abstractmethod
    def _classes(self) -> Classes:
        """The classes that a row can have."""

    @abstractmethod
    def _all_rows(self) -> Iterator[tuple[Path, Row]]:
        """Yield every row with its file."""

    @property
    def label_sets(self) -> tuple[tuple[int, ...], ...]:
        """The sets of classes that occur in any file, where ``label_separator`` is given; none without it.

        Raises:
            DataError: if a row can't be read, or has a label that is none of the classes.
        """
        return tuple(self._numbers_of_sets)

    @cached_property
    def _numbers_of_sets(self) -> dict[tuple[int, ...], int]:
        if self._reader.separator is None:
            return {}
        found = {self._ids_of(row, path) for path, row in self._all_rows()}
        return {numbers: place for place, numbers in enumerate(sorted(found))}

    def _number_of(self, row: Row, path: Path) -> int | None:
        """Return a row's class, or the number of its set of classes; None without a label."""
        if row.label is None:
            return None
        numbers = self._ids_of(row, path)
        return numbers[0] if self._reader.separator is None else self._numbers_of_sets[numbers]

    def _ids_of(self, row: Row, path: Path) -> tuple[int, ...]:
        """Return the ids of a row's classes, rising.

        Raises:
            DataError: naming file, line and the nearest class, if one of them is none.
        """
        numbers = set()
        for name in names_in(row.label, self._reader.separator):
            number = self._classes.id_of(name)
            if number is None:
                raise DataError(
                    f"{path}, line {row.line}: {name!r} is not one of the classes, which are those of "
                    "data.corpus.labels or, without it, those in train. "
                    f"{nearest(name, self._classes.names)}"
                )
            numbers.add(number)
        return tuple(sorted(numbers))


class Table(LabelledRows):
    """Documents out of the rows of files, in the rows' order; any number of classes, or none.

    Splits: ``train``, ``validation``, ``test``. Those for which no file is named are cut out of train's
    files, seeded and stratified by class, copies of a text together; :attr:`held_out` says which and how
    much.
    """

    name = "csv"
    splits = ("train", "validation", "test")
    format_version = 2  # 2: copies of a text stay in one split, spellings of a number are one class

    def __init__(
        self,
        train: str | Sequence[str],
        validation: str | Sequence[str] | None = None,
        test: str | Sequence[str] | None = None,
        text_column: str = "text",
        label_column: str | None = "label",
        labels: Sequence[str] | None = None,
        format: str | None = None,
        quotes: bool | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 0,
        label_separator: str | None = None,
    ) -> None:
        r"""Name the files (paths or glob patterns, relative to the working folder, else to the data folder).

        Args:
            train: files to train on.
            validation: files for validation; None cuts ``validation_fraction`` out of train.
            test: files for the test; None cuts ``test_fraction`` out of train.
            text_column: name of the column (in JSON Lines: the key) with the text.
            label_column: name of the column with the label; None reads texts without labels.
            labels: the classes in the order of their ids; None takes those in train, sorted by name, of
                which spellings of one number, such as 1 and 1.0, are one.
            format: ``csv``, ``tsv`` or ``jsonl``; None goes by each file's suffix.
            quotes: whether quotation marks can enclose a field of a CSV or TSV; None: they can, but a field
                that looks like several rows is refused.
            validation_fraction: share of train's rows.
            test_fraction: share of train's rows.
            seed: draws the rows that are cut out.
            label_separator: what stands between the labels of a row that may have several, or none, such as
                ``|``; in JSON Lines they may be a list. None: each row has one.

        Raises:
            ConfigError: if a share or the format is out of range, or ``labels`` are not two or more names.
            DataError: if a file is not there, or is named for two splits.
        """
        self._given_labels = None if labels is None else tuple(tidied(str(label)) for label in labels)
        _check_labels(self._given_labels, label_column)
        self._reader = RowReader(
            format, text_column, label_column, quotes, self._given_labels or (), separator=label_separator
        )
        named = {"train": train, "validation": validation, "test": test}
        self._files = {split: files_named(names) for split, names in named.items() if names is not None}
        check_disjoint(self._files)
        self._held_out = held_out_of(self._files, validation_fraction, test_fraction)
        self._seed = seed

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes; the first look reads train's files.

        Raises:
            DataError: if train has no row or only one class, or a row can't be read.
        """
        return self._classes.names

    @property
    def _classes(self) -> Classes:
        return self._surveyed.classes

    @property
    def held_out(self) -> Mapping[str, float]:
        """The splits that were cut out of train, and their share of it."""
        return self._held_out

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the settings."""
        return self._digest(self.format_version)

    def earlier_fingerprints(self) -> Sequence[str]:
        """Return version 1's, unless its splits were others: it parted copies."""
        texts = self._surveyed.texts
        parted = self._held_out and len(set(texts)) < len(texts)
        return () if parted else (self._digest(1),)

    def _digest(self, version: int) -> str:
        return fingerprint_of(
            name=self.name,
            version=version,
            content={split: digest_of(files) for split, files in self._files.items()},
            formats=[path.suffix.lower() for files in self._files.values() for path in files],
            reading=[
                self._reader.format,
                self._reader.text_column,
                self._reader.label_column,
                self._reader.quotes is not False,
            ],
            labels=self._given_labels,
            held_out=self._held_out,
            seed=self._seed,
            **({"label_separator": separator} if (separator := self._reader.separator) else {}),
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the rows of one split.

        Raises:
            DataError: naming file and line, as :class:`RowReader` does, and for a label train does not have.
        """
        check_split(self, split)
        survey = self._surveyed
        chosen = self._rows(split if split in self._files else "train")
        if split == "train" or split in self._held_out:
            chosen = (row for row, its in zip(chosen, survey.splits, strict=True) if its == split)
        empty = True
        for path, row in chosen:
            empty = False
            yield Document(row.text, self._number_of(row, path))
        if empty:
            raise DataError(self._emptiness(split))

    def warnings(self) -> list[str]:
        """Return what to know of labels spelt in several ways, and of copies of a text."""
        survey = self._surveyed
        counts = dict.fromkeys(survey.classes.names, 0)
        for name, count in survey.spellings.items():
            number = survey.classes.id_of(name)
            if number is not None:
                counts[survey.classes.names[number]] += count
        return [*merged(survey.spellings, survey.classes), *alike(counts), *self._copies()]

    def _copies(self) -> Iterator[str]:
        survey = self._surveyed
        repeated = len(survey.texts) - len(set(survey.texts))
        if repeated and self._held_out:
            yield (
                f"{repeated:,} of the {len(survey.texts):,} rows of {self._named('train')} have the text of "
                "a row before them. Copies stay in one split where a class has texts enough."
            )
        trained = set(texts_of("train", survey.texts, survey.splits))
        for split in self._held_out:
            texts = texts_of(split, survey.texts, survey.splits)
            yield from known_texts(texts, trained, split, "A class has too few different texts to part them.")
        for split in [split for split in self._files if split != "train"]:
            texts = [text_key(row.text) for _, row in self._rows(split)]
            remedy = f"Take them out of {self._named(split)}, or out of train."
            yield from known_texts(texts, trained, split, remedy)

    def _all_rows(self) -> Iterator[tuple[Path, Row]]:
        return chain.from_iterable(map(self._rows, self._files))

    def _rows(self, split: str) -> Iterator[tuple[Path, Row]]:
        for path in self._files[split]:
            for row in self._reader.rows(path):
                yield path, row

    @cached_property
    def _surveyed(self) -> _Survey:
        """What train's files hold: read once, kept without the texts themselves."""
        pairs = [(row.label, text_key(row.text)) for _, row in self._rows("train")]
        if not pairs:
            raise DataError(self._emptiness("train"))
        separator = self._reader.separator
        named = [names_in(label, separator) for label, _ in pairs]
        spellings = Counter(name for names in named for name in names)
        occurring = Classes.occurring(spellings)
        if len(occurring.names) == 1 or (separator and not occurring.names):
            only = f"the label {occurring.names[0]!r}" if occurring.names else "no label"
            raise DataError(
                f"{self._named('train')}: all {len(pairs):,} rows have {only}; "
                "a classifier needs two classes. Set data.corpus.label_column=null to read texts alone."
            )
        classes = occurring if self._given_labels is None else Classes(self._given_labels)
        rarest = [min(names, key=lambda name: (spellings[name], name), default=None) for names in named]
        strata = [classes.id_of(name) for name in rarest]
        texts = [text for _, text in pairs]
        return _Survey(classes, spellings, split_by_class(strata, self._held_out, self._seed, texts), texts)

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
