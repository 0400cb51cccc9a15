"""The user's own time series: CSV, TSV, JSON Lines or Parquet files with a column of times."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from rnnlab.corpora.corpus import check_at_least, fingerprint_of
from rnnlab.corpora.frequency import Frequency
from rnnlab.corpora.records import FORMATS, Records, records_of_file
from rnnlab.corpora.series import (
    Borders,
    Columns,
    Reading,
    Series,
    SeriesCorpus,
    Size,
    borders_of,
    check_sizes,
)
from rnnlab.corpora.series_rows import read_series
from rnnlab.corpora.text_files import digest_of, files_named
from rnnlab.errors import ConfigError, nearest


class SeriesTable(SeriesCorpus):
    """Series out of the rows of files, in the order in which they first appear."""

    name = "series"
    format_version = 1

    def __init__(
        self,
        files: str | Sequence[str],
        time: str = "time",
        id: str | None = None,
        targets: str | Sequence[str] | None = None,
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        static: str | Sequence[str] = (),
        frequency: str | None = None,
        time_format: str | None = None,
        gaps: str = "refuse",
        validation: Size = 0.1,
        test: Size = 0.2,
        fold: int = 0,
        format: str | None = None,
    ) -> None:
        """Name the files (paths or glob patterns, relative to the working folder, else to the data folder).

        Args:
            files: the tables; without ``id`` each is a series, named as its file if there are several.
            time: name of the column of times. Times with an offset become those of UTC, and are
                written so in forecasts.
            id: name of the column that tells series apart.
            targets: columns to forecast; None takes all that are named nowhere else.
            past: columns of covariates that are known up to now.
            future: columns of covariates that are known ahead of time.
            static: columns of covariates that are the same in all rows of a series.
            frequency: how far apart steps are, such as ``h``, ``15min``, ``B`` or ``3M``; None infers it.
            time_format: how times are written, as ``strptime`` has it; None reads ISO 8601, dates such as
                ``20160701`` and whole numbers.
            gaps: what to do about missing steps: ``refuse``, ``mask`` (take them for missing values) or
                ``last`` (repeat the last values).
            validation: size of validation: a share of each series' steps, a number of them, or the time at
                which it begins.
            test: size of the test, at the end of each series.
            fold: moves the borders back by so many tests: the same evaluation from an earlier origin.
            format: ``csv``, ``tsv``, ``jsonl`` or ``parquet``; None goes by each file's suffix.

        Raises:
            ConfigError: if a value is out of range, or a column is named twice.
            DataError: if a file is not there.
        """
        check_sizes(validation=validation, test=test)
        check_at_least(0, fold=fold)
        if format is not None and format not in FORMATS:
            raise ConfigError(f"data.corpus.format={format}. {nearest(format, FORMATS)}")
        self.reading = Reading(
            time, id, time_format, None if frequency is None else Frequency.named(frequency), gaps
        )
        self._files = files_named(files)
        self._named = {
            "targets": None if targets is None else _names(targets),
            "past": _names(past),
            "future": _names(future),
            "static": _names(static),
        }
        _check_named_once(time, id, self._named)
        self._split = (validation, test, fold)
        self._format = format

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the settings."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=digest_of(self._files),
            names=[path.stem for path in self._files] if self.reading.id is None else [],
            formats=[self._format or path.suffix.lower() for path in self._files],
            reading=[self.reading.time, self.reading.id, self.reading.time_format, self.reading.gaps],
            frequency=None if self.reading.frequency is None else str(self.reading.frequency),
            columns=self._named,
            split=self._split,
        )

    @property
    def columns(self) -> Columns:
        """What the values are; a look at the first file's columns."""
        return self._opened[1]

    @property
    def frequency(self) -> Frequency:
        """How far apart steps are; the first look reads the files."""
        return self._read[1]

    @property
    def series(self) -> Sequence[Series]:
        """All series; the first look reads the files."""
        return self._read[0]

    def borders(self, series: Series) -> Borders:
        """Return where the splits of a series end."""
        return borders_of(series, *self._split)

    @cached_property
    def _opened(self) -> tuple[list[Records], Columns]:
        tables = [records_of_file(path, self._format) for path in self._files]
        if self.reading.id is None and len(tables) > 1:
            named = zip(tables, self._files, strict=True)
            tables = [replace(table, series=path.stem) for table, path in named]
        columns = columns_of(tables[0], self.reading, self._named)
        for table in tables[1:]:
            check_columns(table, self.reading, columns)
        return tables, columns

    @cached_property
    def _read(self) -> tuple[list[Series], Frequency]:
        return read_series(*self._opened, self.reading)


def columns_of(table: Records, reading: Reading, named: Mapping[str, tuple[str, ...] | None]) -> Columns:
    """Return the columns of a table, all that are named nowhere as targets where none are named.

    Raises:
        DataError: if one of them is not there, or no column is left for a target.
    """
    others = {reading.time, reading.id, *(column for names in named.values() for column in names or ())}
    rest = tuple(column for column in table.columns if column and column not in others)
    given = {key: names if names is not None else rest for key, names in named.items()}
    columns = Columns(**given)
    check_columns(table, reading, columns)
    if not columns.targets:
        raise ConfigError(f"{table.source} has no column left for data.corpus.targets.")
    return columns


def check_columns(table: Records, reading: Reading, columns: Columns) -> None:
    """Raise a DataError if a table lacks a column."""
    table.check(reading.time, "data.corpus.time")
    if reading.id is not None:
        table.check(reading.id, "data.corpus.id")
    for key in ("targets", "past", "future", "static"):
        for column in getattr(columns, key):
            table.check(column, f"data.corpus.{key}")


def _names(named: str | Sequence[str]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else tuple(map(str, named))


def _check_named_once(time: str, id: str | None, named: Mapping[str, tuple[str, ...] | None]) -> None:
    keys = {"time": (time,), "id": () if id is None else (id,), **named}
    seen: dict[str, str] = {}
    for key, names in keys.items():
        for column in names or ():
            if column in seen:
                raise ConfigError(
                    f"column {column!r} is named in data.corpus.{seen[column]} and in data.corpus.{key}; "
                    "name it once."
                )
            seen[column] = key
