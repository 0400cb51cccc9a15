"""The user's own recordings: a table of paths and transcripts; and the files that a path means."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from random import Random

from rnnlab.corpora.corpus import check_split, fingerprint_of
from rnnlab.corpora.holdout import held_out_of
from rnnlab.corpora.records import SUFFIXES as TABLES
from rnnlab.corpora.records import records_of_file
from rnnlab.corpora.sound import SUFFIXES, Sound, sound_of
from rnnlab.corpora.spoken import SpokenCorpus, Utterance, listed, spoken_words
from rnnlab.corpora.text_files import decoded_lines, digest_once, files_named
from rnnlab.errors import ConfigError, DataError

Row = tuple[Utterance, Path]


class Recordings(SpokenCorpus):
    """Recordings that tables list: WAV and NIST Sphere, and with soundfile FLAC, OGG and others.

    Paths are looked for beside the table, then in the working folder. Splits that have no table are held out
    of train: by speaker where the table tells speakers, so that none is in two splits.
    """

    name = "recordings"
    format_version = 1

    def __init__(
        self,
        train: str | Sequence[str],
        validation: str | Sequence[str] | None = None,
        test: str | Sequence[str] | None = None,
        path_column: str = "path",
        transcript_column: str = "transcript",
        speaker_column: str | None = "speaker",
        format: str | None = None,
        lowercase: bool = False,
        alphabet: str | None = None,
        sample_rate: int = 16_000,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Say where the tables are; nothing is read yet.

        Args:
            train: CSV, TSV or JSON Lines files.
            validation: likewise; None holds it out of train.
            test: likewise.
            path_column: the column of the recordings' paths.
            transcript_column: the column of what is said.
            speaker_column: the column of the speakers; one that the table lacks is passed over.
            format: csv, tsv or jsonl; None goes by the files' endings.
            lowercase: whether transcripts are put in lower case.
            alphabet: the characters that a transcript may have; None for any.
            sample_rate: samples a second that others are resampled to.
            validation_fraction: share of train that is held out.
            test_fraction: likewise.
            seed: of the hold-out.

        Raises:
            ConfigError: if a share or the rate is out of range.
        """
        asked = {"validation": validation, "test": test}
        given = {split: files for split, files in asked.items() if files is not None}
        self._shares = held_out_of(given, validation_fraction, test_fraction)
        if not 1000 <= sample_rate <= 400_000:
            raise ConfigError(f"data.corpus.sample_rate={sample_rate}: expected 1,000 to 400,000.")
        self.sample_rate = sample_rate
        self._tables = {"train": train, **given}
        self._columns = (path_column, transcript_column, speaker_column)
        self._format, self._lowercase, self._alphabet = format, lowercase, alphabet
        self._seed = seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """The shares of train that are held out."""
        return self._shares

    @property
    def fingerprint(self) -> str:
        """Digest of every recording, of the transcripts and of the settings.

        The first time this reads all files, afterwards it is remembered for as long as they stay as they are.
        """
        said = {split: [astuple(utterance) for utterance, _ in found] for split, found in self._rows.items()}
        files = [file for found in self._rows.values() for _, file in found]
        content = digest_once(files, files_named(self._tables["train"])[0])
        return fingerprint_of(
            name=self.name, version=self.format_version, said=said, content=content, rate=self.sample_rate
        )

    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return what is said in a split, in the tables' order."""
        check_split(self, split)
        return [utterance for utterance, _ in self._rows[split]]

    def sounds(self, split: str) -> Iterator[Sound]:
        """Yield the recordings of a split."""
        check_split(self, split)
        for _, file in self._rows[split]:
            yield sound_of(file.read_bytes(), str(file))

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        found = {
            split: [row for file in files_named(files) for row in self._read(file)]
            for split, files in self._tables.items()
        }
        missing = [str(file) for rows in found.values() for _, file in rows if not file.is_file()]
        if missing:
            raise DataError(
                f"{len(missing):,} recordings are missing: {listed(missing)}. Paths are looked for beside "
                "the table that lists them, then in the working folder."
            )
        split_of = drawn([said for said, _ in found["train"]], self._shares, self._seed)
        for split in self._shares:
            found[split] = [row for row, its in zip(found["train"], split_of, strict=True) if its == split]
        found["train"] = [row for row, its in zip(found["train"], split_of, strict=True) if its == "train"]
        for split in self.splits:
            if not found[split]:
                raise DataError(f"data.corpus.{split}: the {split} split has no recordings.")
        return found

    def _read(self, table: Path) -> Iterator[Row]:
        records = records_of_file(table, self._format)
        path, transcript, speaker = self._columns
        records.check(path, "data.corpus.path_column")
        records.check(transcript, "data.corpus.transcript_column")
        columns = [path, transcript, *([speaker] if speaker in records.columns else [])]
        for number, values in records.read([column for column in columns if column is not None]):
            where = records.place(number)
            file, said, *who = ("" if value is None else str(value) for value in values)
            words = spoken_words(said.lower() if self._lowercase else said, where)
            outside = sorted(set(words) - set(self._alphabet or words) - {" "})
            if outside:
                raise DataError(
                    f"{where}: the transcript has {', '.join(map(repr, outside[:10]))}, which "
                    "data.corpus.alphabet lacks. Write the words without, or set data.corpus.lowercase=true."
                )
            yield Utterance(file, words, who[0].strip() if who else ""), beside(table, file, where)


def beside(table: Path, file: str, where: str) -> Path:
    """Return the path of a recording that a table lists.

    Raises:
        DataError: if the table names none.
    """
    if not file.strip() or "\0" in file:
        raise DataError(f"{where}: no path of a recording.")
    there = table.parent / Path(file).expanduser()
    return there if there.is_file() or not Path(file).is_file() else Path(file)


def drawn(utterances: Sequence[Utterance], shares: Mapping[str, float], seed: int) -> list[str]:
    """Return each recording's split: speakers, or recordings without, are drawn until a share is filled."""
    groups = [said.speaker or f"\0{number}" for number, said in enumerate(utterances)]
    sizes = Counter(groups)
    order = sorted(sizes)
    Random(seed).shuffle(order)
    split_of, filled = dict.fromkeys(order, "train"), dict.fromkeys(shares, 0)
    for group in order[:-1]:
        open_splits = [split for split, share in shares.items() if filled[split] < share * len(groups)]
        if open_splits:
            split_of[group] = open_splits[0]
            filled[open_splits[0]] += sizes[group]
    return [split_of[group] for group in groups]


def listed_files(source: Path) -> list[tuple[str, Path]]:
    """Return names and paths of the recordings that a path means.

    Args:
        source: a recording; a folder, all recordings in it and below; a table with a column ``path``; or a
            text file with a path a line.

    Raises:
        DataError: if there is none, or some are missing.
    """
    if source.is_dir():
        found = sorted(
            path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
        )
        if not found:
            raise DataError(f"{source} holds no recordings: no file that ends in {', '.join(SUFFIXES)}.")
        return [(path.relative_to(source).as_posix(), path) for path in found]
    if not source.is_file():
        raise DataError(f"There is no recording, no folder and no list {source}.")
    if source.suffix.lower() in TABLES:
        records = records_of_file(source, None)
        records.check("path", "input: a table needs a column path")
        names = [(str(path or ""), records.place(number)) for number, (path,) in records.read(["path"])]
    elif source.suffix.lower() in (".txt", ".list"):
        lines = decoded_lines(source)
        names = [(line.strip(), f"{source}, line {number}") for number, line in lines if line.strip()]
    else:
        return [(source.name, source)]
    files = [(name, beside(source, name, where)) for name, where in names]
    if missing := [name for name, file in files if not file.is_file()]:
        raise DataError(f"{source} lists {len(missing):,} recordings that are missing: {listed(missing)}.")
    if not files:
        raise DataError(f"{source} lists no recordings.")
    return files
