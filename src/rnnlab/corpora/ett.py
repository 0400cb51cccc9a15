"""Electricity Transformer Temperature: two years of hourly load and oil temperature (Zhou et al. 2021)."""

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from rnnlab.corpora.corpus import fingerprint_of
from rnnlab.corpora.download import published_file
from rnnlab.corpora.frequency import Frequency
from rnnlab.corpora.series import Borders, Columns, Reading, Series, SeriesCorpus
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.folders import at_hand

URL = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"
NAMES = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
"""Six loads and the oil's temperature."""
HOURS = 17_420
MONTHS = 30 * 24
"""The field's month."""
BORDERS = Borders(12 * MONTHS, 16 * MONTHS, 20 * MONTHS)
"""12, 4 and 4 months, as Zhou et al. 2021 and all after them; what is left of the two years is not used."""


class ETTHourly(SeriesCorpus):
    """ETTh1 or ETTh2: 17,420 hours of seven numbers, from July 2016.

    The published CSV, or its gzip, lies in the data folder or the cache folder; else it is downloaded.
    """

    format_version = 1
    frequency = Frequency(1, "h")
    reading = Reading("date")
    md5: ClassVar[dict[str, str]] = {
        "ETTh1": "8381763947c85f4be6ac456c508460d6",
        "ETTh2": "51a229a3fc13579dd939364fefe9c7ab",
    }

    def __init__(self, transformer: str = "ETTh1", targets: Sequence[str] | str | None = None) -> None:
        """Choose what to forecast.

        Args:
            transformer: ``ETTh1`` or ``ETTh2``.
            targets: names of what to forecast; the others are covariates known up to now. None forecasts all.

        Raises:
            ConfigError: if there is no such transformer or column.
        """
        if transformer not in self.md5:
            raise ConfigError(f"data.corpus.transformer={transformer}. {nearest(transformer, self.md5)}")
        wanted = NAMES if targets is None else (targets,) if isinstance(targets, str) else tuple(targets)
        for column in wanted:
            if column not in NAMES:
                raise ConfigError(f"data.corpus.targets: no column {column!r}. {nearest(column, NAMES)}")
        if not wanted or len(set(wanted)) < len(wanted):
            raise ConfigError(f"data.corpus.targets={list(wanted)}: expected names, each once.")
        self.transformer = transformer
        self.name = transformer.lower()
        self._columns = Columns(wanted, tuple(column for column in NAMES if column not in wanted))

    @property
    def fingerprint(self) -> str:
        """Digest of the file's content and of what is forecast."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=hashlib.sha256(self._content).hexdigest(),
            targets=self.columns.targets,
        )

    @property
    def columns(self) -> Columns:
        """Targets, and the other columns as covariates known up to now."""
        return self._columns

    def borders(self, series: Series) -> Borders:
        """Return the field's borders: 8,640, 2,880 and 2,880 hours."""
        return BORDERS

    @cached_property
    def series(self) -> Sequence[Series]:
        """The one series.

        Raises:
            DataError: if the file can't be had, or is not the published one in form.
        """
        rows = list(csv.reader(io.StringIO(self._content.decode("utf-8"), newline="")))
        path = self._path
        if not rows or rows[0] != ["date", *NAMES] or len(rows) != HOURS + 1:
            raise DataError(
                f"{path} is not the published {self.transformer}.csv: expected the columns date, "
                f"{', '.join(NAMES)} and {HOURS:,} rows."
            )
        times, values = np.empty(HOURS, "datetime64[us]"), np.empty((HOURS, len(NAMES)))
        for number, row in enumerate(rows[1:]):
            try:
                times[number], values[number] = row[0], row[1:]
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number + 2} is not of the published file: {error}."
                ) from error
        places, fits = self.frequency.places(times, times[0])
        if not (fits.all() and np.array_equal(places, np.arange(HOURS)) and np.isfinite(values).all()):
            raise DataError(
                f"{path} is not the published {self.transformer}.csv: hours or values are missing."
            )
        order = [NAMES.index(column) for column in self.columns.moving]
        return (Series("", times, values[:, order], np.empty(0), HOURS),)

    @cached_property
    def _content(self) -> bytes:
        path = self._path
        if path.suffix != ".gz":
            return path.read_bytes()
        try:
            with gzip.open(path) as file:
                return file.read(64 << 20)
        except (OSError, EOFError) as error:
            raise DataError(f"{path} is cut short or damaged ({error}). Fetch it again.") from error

    @cached_property
    def _path(self) -> Path:
        name = f"{self.transformer}.csv"
        return at_hand(f"{name}.gz") or published_file(
            name, f"{URL}{name}", md5=self.md5[self.transformer], largest=16 << 20
        )
