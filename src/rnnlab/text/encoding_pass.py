"""One pass over a corpus that turns its documents into flat arrays of ids.

The vocabulary is known only when all of its text was seen. So that no text is read or tokenized twice, a
token first gets a provisional id, its number in the order of first appearance, and when all counts are
known the flat arrays are mapped to the final ids. Memory holds the distinct tokens, never the text.

The pass also tells whether a tokenizer takes whole lines for words, as one that parts words by spaces does in
Chinese.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.corpus import Document
from rnnlab.errors import DataError
from rnnlab.text.tokenizers import Tokenizer, TrainedTokenizer
from rnnlab.text.vocabulary import EOS, UNK, UNK_ID, Vocabulary

LONGEST = 15.0
"""Letters of a mean token, from which on it is no word: German and Finnish ones have 8 or 9."""
SHORTEST = 4.0
"""Characters of a line's only token, from which on it may be more than one sign."""
IDEOGRAM = 4
"""Letters that a sign of a script without spaces stands for: a Chinese word has one or two of them."""
ENOUGH = 200  # texts

UNSPACED = re.compile("[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Cut(NamedTuple):
    """How a tokenizer cuts texts, in means.

    Attributes:
        words: tokens of a text.
        characters: of a token.
        letters: of a token, signs that stand for several counted so.
    """

    words: float
    characters: float
    letters: float

    @property
    def is_whole_lines(self) -> bool:
        """Whether its tokens are lines, or clauses, rather than words."""
        return self.letters >= LONGEST or (self.words < 1.5 and self.characters >= SHORTEST)


def letters_of(word: str) -> int:
    """Return how many letters a word has, or its signs stand for.

    >>> letters_of("film"), letters_of("\u7535\u5f71")
    (4, 8)
    """
    return len(word) + (IDEOGRAM - 1) * len(UNSPACED.findall(word))


def cut_of(encode: Callable[[str], list[str]], texts: Iterable[str]) -> Cut:
    """Return how the first texts are cut; all is 0 where there are no tokens."""
    lines = [encode(text) for text in islice(texts, ENOUGH)]
    words = [word for line in lines for word in line]
    sizes = (sum(map(size, words)) / max(len(words), 1) for size in (len, letters_of))
    return Cut(len(words) / max(len(lines), 1), *sizes)


def advice(name: str, cut: Cut) -> str:
    """Return what to say of a tokenizer that takes whole lines for words; nothing of another.

    >>> print(advice("basic_english", Cut(1.0, 20.3, 81.2)))
    1 word a line: try tokenizer=char. basic_english takes 20 characters in a row for a word.
    """
    if not cut.is_whole_lines:
        return ""
    count = f"{cut.words:.1f}".removesuffix(".0")
    return (
        f"{count} word{'s' * (count != '1')} a line: try tokenizer=char. {name} takes {cut.characters:.0f} "
        "characters in a row for a word."
    )


_BATCH = 1000  # documents
_CHUNK = 1 << 20  # ids
_ID = np.dtype("<i4")
_COUNT = np.dtype("<i8")


class TokenizedSplit(NamedTuple):
    """A split in provisional ids."""

    ids: Path  # flat, no header, int32
    offsets: npt.NDArray[np.int64]  # (documents + 1,)
    labels: npt.NDArray[np.int64]  # (documents,), -1 where a document has none
    counts: npt.NDArray[np.int64]  # (distinct tokens,), by provisional id


class TokenizedText(NamedTuple):
    """Splits in provisional ids, and the tokens in the order of these ids."""

    tokens: tuple[str, ...]
    splits: dict[str, TokenizedSplit]

    def counts(self, splits: Iterable[str]) -> dict[str, int]:
        """Return how often each token occurs in ``splits`` together."""
        total = sum((self.splits[name].counts for name in splits), np.zeros(len(self.tokens), np.int64))
        return {token: n for token, n in zip(self.tokens, total.tolist(), strict=True) if n}


def tokenize_into(
    folder: Path, documents: Iterable[tuple[str, Document]], tokenizer: Tokenizer, splits: Sequence[str]
) -> TokenizedText:
    """Tokenize ``documents``, pairs of split and document, into one file of provisional ids a split.

    A document without any token becomes one ``<eos>``: every document has a length of at least 1.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    number_of = numbers.__getitem__
    with ExitStack() as files:
        writers = {
            name: _SplitWriter(files.enter_context((folder / f"{i}.provisional").open("wb")))
            for i, name in enumerate(splits)
        }
        for split, document, tokens in _tokenized(documents, tokenizer):
            writers[split].add(array("i", map(number_of, tokens or (EOS,))), document.label)
    names = tuple(numbers)
    return TokenizedText(names, {split: writer.result(len(names)) for split, writer in writers.items()})


def write_split(split: TokenizedSplit, final: npt.NDArray[np.int32], source: Path) -> None:
    """Write a split in final ids: ``<source>.tokens.npy``, ``.offsets.npy`` and ``.labels.npy``.

    Args:
        split: in provisional ids; its file is removed.
        final: the final ids by provisional id.
        source: the beginning of the files' names.
    """
    tokens = (final[chunk] for chunk in chunks_of(split.ids))
    write_npy(part(source, "tokens"), _ID, split.offsets[-1], tokens)
    write_npy(part(source, "offsets"), _COUNT, len(split.offsets), [split.offsets])
    write_npy(part(source, "labels"), _COUNT, len(split.labels), [split.labels])
    split.ids.unlink()


def part(source: Path, name: str) -> Path:
    """Return the file of one array of a split."""
    return source.with_name(f"{source.name}.{name}.npy")


def final_ids(text: TokenizedText, vocabulary: Vocabulary) -> npt.NDArray[np.int32]:
    """Return the vocabulary's ids by provisional id, shape (distinct tokens,)."""
    return np.fromiter(map(vocabulary.id_of, text.tokens), dtype=np.int32, count=len(text.tokens))


def out_of_vocabulary(text: TokenizedText, final: npt.NDArray[np.int32]) -> dict[str, float]:
    """Return, by split, the share of tokens that the vocabulary lacks (``<unk>`` in the text is none)."""
    lacking = _lacking(text, final)
    return {
        name: float(split.counts[lacking].sum() / max(1, split.counts.sum()))
        for name, split in text.splits.items()
    }


def check_closed(text: TokenizedText, final: npt.NDArray[np.int32], corpus: str) -> None:
    """Check that the vocabulary lacks no token.

    Raises:
        DataError: with the first token that it lacks, and the document.
    """
    lacking = _lacking(text, final)
    for name, split in text.splits.items():
        if not split.counts[lacking].any():
            continue
        start = 0
        for chunk in chunks_of(split.ids):
            found = np.flatnonzero(lacking[chunk])
            if len(found):
                document = int(np.searchsorted(split.offsets, start + found[0], side="right"))
                raise DataError(
                    f"{corpus}: {text.tokens[chunk[found[0]]]!r} in document {document} of {name} is not in "
                    "the vocabulary, which is closed. Mend the text, or set closed to false, and it is <unk>."
                )
            start += len(chunk)


class _SplitWriter:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.lengths = array("i")
        self.labels = array("i")

    def add(self, ids: "array[int]", label: int | None) -> None:
        ids.tofile(self.file)
        self.lengths.append(len(ids))
        self.labels.append(-1 if label is None else label)

    def result(self, distinct: int) -> TokenizedSplit:
        path = Path(self.file.name)
        counts = np.zeros(distinct, np.int64)
        for chunk in chunks_of(path):
            counts += np.bincount(chunk, minlength=distinct)
        offsets = np.concatenate(([0], np.cumsum(self.lengths, dtype=np.int64)))
        return TokenizedSplit(path, offsets, np.array(self.labels, np.int64), counts)


def _tokenized(
    documents: Iterable[tuple[str, Document]], tokenizer: Tokenizer
) -> Iterator[tuple[str, Document, list[str]]]:
    if not isinstance(tokenizer, TrainedTokenizer):
        for split, document in documents:
            yield split, document, tokenizer.encode(document.text)
        return
    waiting = iter(documents)
    while batch := list(islice(waiting, _BATCH)):
        tokens = tokenizer.encode_batch([document.text for _, document in batch])
        yield from ((*pair, found) for pair, found in zip(batch, tokens, strict=True))


def write_npy(target: Path, dtype: np.dtype[Any], length: int, chunks: Iterable[npt.NDArray[Any]]) -> None:
    """Write numbers in a row, of which there are ``length``, as numpy's format.

    They are not mapped: a full disk is so an OSError with its number, where a map would stop the process.
    """
    header = {"descr": dtype.str, "fortran_order": False, "shape": (int(length),)}
    with target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            file.write(chunk.astype(dtype).tobytes())


def chunks_of(raw: Path, dtype: type[np.generic] = np.int32) -> Iterator[npt.NDArray[Any]]:
    """Yield the numbers of a file that holds nothing else, a chunk at a time."""
    with raw.open("rb") as file:
        while chunk := file.read(_CHUNK * np.dtype(dtype).itemsize):
            yield np.frombuffer(chunk, dtype)


def _lacking(text: TokenizedText, final: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    lacking: npt.NDArray[np.bool_] = final == UNK_ID
    if UNK in text.tokens:
        lacking[text.tokens.index(UNK)] = False
    return lacking
