"""The user's own plain text files, a document a line or a document a file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.holdout import held_out_of, known_texts, split_by_class, text_key, texts_of
from rnnlab.corpora.text_files import check_disjoint, decoded_lines, digest_of, files_named
from rnnlab.errors import ConfigError, DataError, nearest

UNITS = ("line", "file")

_RUNS = 100  # pieces into which lines are cut before some are held out


class PlainText(Corpus):
    """Documents without labels out of UTF-8 text files, in the files' order.

    Splits: ``train``, ``validation``, ``test``. Those for which no file is named are cut out of train,
    seeded; :attr:`held_out` says which and how much. Of files whole ones are held out, copies together. Lines
    are first cut into 100 runs of neighbours and whole runs are held out, so that what a language model reads
    stays running text.

    A line loses its end (``\\n`` or ``\\r\\n``) and nothing else; empty lines are empty documents, as they
    part paragraphs.
    """

    name = "text"
    labels: tuple[str, ...] = ()
    splits = ("train", "validation", "test")
    format_version = 1

    def __init__(
        self,
        train: str | Sequence[str],
        validation: str | Sequence[str] | None = None,
        test: str | Sequence[str] | None = None,
        documents: str = "line",
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Name the files (paths or glob patterns, relative to the working folder, else to the data folder).

        Args:
            train: files to train on.
            validation: files for validation; None cuts ``validation_fraction`` out of train.
            test: files for the test; None cuts ``test_fraction`` out of train.
            documents: what is one document, a ``line`` or a ``file``.
            validation_fraction: share of train's lines, or files.
            test_fraction: share of train's lines, or files.
            seed: draws what is cut out.

        Raises:
            ConfigError: if a share is out of range, or ``documents`` is neither word.
            DataError: if a file is not there, or is named for two splits.
        """
        if documents not in UNITS:
            raise ConfigError(f"data.corpus.documents is {documents!r}. {nearest(documents, UNITS)}")
        self._unit = documents
        named = {"train": train, "validation": validation, "test": test}
        self._files = {split: files_named(names) for split, names in named.items() if names is not None}
        check_disjoint(self._files)
        self._held_out = held_out_of(self._files, validation_fraction, test_fraction)
        self._seed = seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """The splits that were cut out of train, and their share of it."""
        return self._held_out

    @property
    def fingerprint(self) -> str:
        """Digest of the files' contents and of the settings."""
        return self._digest(self.format_version if self._unit == "line" else 2)  # 2: copies stay in one split

    def earlier_fingerprints(self) -> Sequence[str]:
        """Return version 1's of files, unless its splits were others: it parted copies."""
        parted = self._held_out and len(set(self._keys)) < len(self._keys)
        return () if self._unit == "line" or parted else (self._digest(1),)

    def _digest(self, version: int) -> str:
        return fingerprint_of(
            name=self.name,
            version=version,
            content={split: digest_of(files) for split, files in self._files.items()},
            unit=self._unit,
            held_out=self._held_out,
            seed=self._seed,
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the lines, or the files, of one split.

        Raises:
            DataError: naming file and line for bytes that are not UTF-8, and if the split is empty.
        """
        check_split(self, split)
        chosen = self._texts(split if split in self._files else "train")
        if split == "train" or split in self._held_out:
            pairs = zip(chosen, self._splits_of_texts(), strict=True)
            chosen = (text for text, its_split in pairs if its_split == split)
        empty = True
        for text in chosen:
            empty = False
            yield Document(text)
        if empty:
            raise DataError(self._emptiness(split))

    def warnings(self) -> list[str]:
        """Return for files of validation and test how many are in train, too; lines may well recur."""
        if self._unit == "line":
            return []
        trained = set(texts_of("train", self._keys, list(self._splits_of_texts())))
        remedy = "Name each file for one split alone."
        return [
            warning
            for split in self._files
            if split != "train"
            for warning in known_texts([*map(text_key, self._texts(split))], trained, split, remedy)
        ]

    @cached_property
    def _keys(self) -> list[bytes]:
        """What is equal for copies of a text, for each of train's files."""
        return list(map(text_key, self._texts("train")))

    def _texts(self, split: str) -> Iterator[str]:
        for path in self._files[split]:
            lines = (text for _, text in decoded_lines(path))
            if self._unit == "file":
                yield "".join(lines)
            else:
                yield from (line.removesuffix("\n").removesuffix("\r") for line in lines)

    def _splits_of_texts(self) -> Iterable[str]:
        """Return the split of each text of train's files; of lines, which may be millions, one by one."""
        if self._unit == "file":
            return split_by_class([None] * len(self._keys), self._held_out, self._seed, self._keys)
        count = self._lines
        runs = min(count, _RUNS)
        splits_of_runs = split_by_class([None] * runs, self._held_out, self._seed)
        return (splits_of_runs[line * runs // count] for line in range(count))

    @cached_property
    def _lines(self) -> int:
        """How many lines train's files have; what follows a last line end counts as one."""
        count = 0
        for path in self._files["train"]:
            with path.open("rb") as file:
                count += sum(1 for _ in file)
        return count

    def _emptiness(self, split: str) -> str:
        named = ", ".join(map(str, self._files.get(split, self._files["train"])))
        if split in self._held_out:
            remedy = f"Name files in data.corpus.{split}."
            return f"{named}: too few {self._unit}s to cut {split} out of them. {remedy}"
        return f"{named}: no {self._unit}s, so the {split} split is empty."
