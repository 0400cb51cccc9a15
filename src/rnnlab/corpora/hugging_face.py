"""A dataset of Hugging Face's ``datasets``, by its name or from a folder: a column of texts; labels."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnlab.corpora.corpus import fingerprint_of
from rnnlab.corpora.holdout import held_out_of
from rnnlab.corpora.labels import tidied
from rnnlab.corpora.rows import Row, RowReader
from rnnlab.corpora.tables import Table
from rnnlab.errors import ConfigError, DataError, nearest


class HuggingFace(Table):
    """The rows of a dataset as documents, held out, checked and told as a table's are.

    A ``ClassLabel`` column gives the classes in its own order; elsewhere they are those that occur, sorted.
    Code that a dataset brings is never run.

    Args:
        dataset: a name, such as ``imdb``, or a folder that ``save_to_disk`` wrote.
        subset: of a dataset that has several.
        train: the split to train on.
        validation: the split for validation; None holds ``validation_fraction`` out of train.
        test: the split for the test; None holds ``test_fraction`` out of train.
        text_column: the column of the text.
        label_column: that of the label; None reads texts without labels.
        labels: the classes in the order of their ids, where the dataset does not name them.
        label_separator: a sign that occurs in no label, where the column holds lists of labels, or texts
            with that sign between them; None where each row has one.
        validation_fraction: share of train's rows.
        test_fraction: share of train's rows.
        seed: draws the rows that are held out.

    Raises:
        ConfigError: if ``datasets`` is not installed, or a setting is out of range.
    """

    name = "hf"

    def __init__(
        self,
        dataset: str,
        subset: str | None = None,
        train: str = "train",
        validation: str | None = None,
        test: str | None = None,
        text_column: str = "text",
        label_column: str | None = "label",
        labels: Sequence[str] | None = None,
        label_separator: str | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        self._dataset, self._subset = dataset, subset
        self._own_labels = None if labels is None else tuple(tidied(str(label)) for label in labels)
        self._reader = RowReader(
            "jsonl", text_column, label_column, None, self._own_labels or (), separator=label_separator
        )
        named = {"train": train, "validation": validation, "test": test}
        self._splits = {split: name for split, name in named.items() if name is not None}
        self._files = {split: (Path(f"{dataset}:{name}"),) for split, name in self._splits.items()}
        self._held_out = held_out_of(self._splits, validation_fraction, test_fraction)
        self._seed = seed

    @property
    def _given_labels(self) -> tuple[str, ...] | None:  # type: ignore[override]
        return self._own_labels or self._class_names

    @cached_property
    def _class_names(self) -> tuple[str, ...] | None:
        """What a ``ClassLabel`` column calls its classes."""
        column = self._reader.label_column
        feature = None if column is None else self._data["train"].features.get(column)
        names = getattr(getattr(feature, "feature", feature), "names", None)
        return None if names is None else tuple(tidied(str(name)) for name in names)

    @cached_property
    def _data(self) -> Mapping[str, Any]:
        """The dataset's splits by ours."""
        try:
            import datasets
        except ImportError as error:
            raise ConfigError(
                "data=hf needs datasets: pip install 'rnnlab[hub]' (or datasets alone)."
            ) from error
        try:
            if Path(self._dataset).is_dir():
                found: Any = datasets.load_from_disk(self._dataset)
            else:
                found = datasets.load_dataset(self._dataset, self._subset)
        except Exception as error:  # whatever a library says of a network, a name or a file
            told = " ".join(str(error).split())[:300]
            raise DataError(f"data.corpus.dataset={self._dataset} can't be read: {told}") from error
        splits = found if isinstance(found, Mapping) else {"train": found}
        for split, name in self._splits.items():
            if name not in splits:
                raise ConfigError(
                    f"data.corpus.{split}={name}: {self._dataset} has no such split. "
                    f"{nearest(name, list(splits))}"
                )
        return {split: splits[name] for split, name in self._splits.items()}

    def _digest(self, version: int) -> str:
        content = hashlib.sha256()
        for split in self._splits:
            for _, row in self._rows(split):
                for part in (split, row.text, str(row.label)):
                    content.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
        reader = self._reader
        return fingerprint_of(
            name=self.name,
            version=version,
            content=content.hexdigest(),
            reading=[reader.text_column, reader.label_column, reader.separator],
            labels=self._own_labels,
            held_out=self._held_out,
            seed=self._seed,
        )

    def earlier_fingerprints(self) -> Sequence[str]:
        """Return none: there is one version."""
        return ()

    def _rows(self, split: str) -> Iterator[tuple[Path, Row]]:
        (path,) = self._files[split]
        data, reader = self._data[split], self._reader
        for column in (reader.text_column, reader.label_column):
            if column is not None and column not in data.column_names:
                raise DataError(f"{path}: no column {column!r}. {nearest(column, data.column_names)}")
        for line, record in enumerate(data, start=1):
            text = record[reader.text_column]
            if not isinstance(text, str):
                raise DataError(f"{path}, row {line}: {reader.text_column} is {str(text)[:40]}, not a text.")
            label = None
            if reader.label_column is not None:
                value = self._called(record[reader.label_column])
                label = reader._label(reader._label_text(value, path, line), path, line)
            yield path, Row(text, label, record, line)

    def _called(self, value: Any) -> Any:
        """Return a label, or several, by their names; -1 says that there is none."""
        if isinstance(value, list):
            return [self._called(one) for one in value]
        if self._class_names is None or not isinstance(value, int):
            return value
        return self._class_names[value] if 0 <= value < len(self._class_names) else None

    def _named(self, split: str) -> str:
        return str(self._files[split][0])
