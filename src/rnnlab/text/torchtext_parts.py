"""The vectors, the tokenizer and the vocabulary of torchtext 0.18 under its names, for Pythons without it.

torchtext's last wheels end at Python 3.12. Above, :func:`rnnlab.text.torchtext_compat.enable` stands
:func:`modules` in for it. Tests hold what is here equal to the original, error types included. What torchtext
downloads is not downloaded here: put the file into ``cache``. Its transforms and datasets are not here.
"""

import gzip
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.machinery import ModuleSpec
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rnnlab.text.tokenizers import BasicEnglish
from rnnlab.text.torchtext_compat import Vocab as Indices

_GLOVE = {  # the published file, its SHA-256, and the sizes of the vectors in it
    "42B": ("glove.42B.300d", "03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970", (300,)),
    "840B": ("glove.840B.300d", "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f", (300,)),
    "twitter.27B": (
        "glove.twitter.27B",
        "792af52f795d1a32c9842a3240f5f3fe5e941a8ff6df5eb0f9d668092ebc019c",
        (25, 50, 100, 200),
    ),
    "6B": (
        "glove.6B",
        "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        (50, 100, 200, 300),
    ),
}
CHECKSUMS_GLOVE = {f"https://nlp.stanford.edu/data/{file}.zip": sha256 for file, sha256, _ in _GLOVE.values()}
CHECKSUMS_FAST_TEXT = {
    "https://dl.fbaipublicfiles.com/fasttext/vectors-wiki/wiki.en.vec": (
        "ba5420ac217fb34f15f58ded0d911a4370dfb1f3341fa7511a49ae74c87de282"
    )
}


class Vectors:
    """Word vectors out of a text file: a word and its numbers on each line, parted by single spaces.

    Args:
        name: the file, or its name in ``cache``; one that ends in .gz is unpacked.
        cache: where the tensor read from it is kept.
        url: where the file is published; only named in the error.
        unk_init: fills the vector of a word that has none; None leaves zeros.
        max_vectors: the most lines that are read.

    Raises:
        RuntimeError: if there is no such file, or two vectors have different numbers of dimensions.
    """

    def __init__(
        self,
        name: str,
        cache: str | None = None,
        url: str | None = None,
        unk_init: Callable[[Tensor], Tensor] | None = None,
        max_vectors: int | None = None,
    ) -> None:
        self.unk_init = torch.Tensor.zero_ if unk_init is None else unk_init
        room = Path(".vector_cache" if cache is None else cache)
        path = Path(name) if Path(name).is_file() else room / name
        kept = room / f"{path.name}{f'_{max_vectors}' if max_vectors else ''}.pt"
        self.itos: list[str]
        self.stoi: dict[str, int]
        self.vectors: Tensor
        self.dim: int
        if kept.is_file():
            self.itos, self.stoi, self.vectors, self.dim = torch.load(kept, weights_only=True)
            return
        if not path.is_file():
            published = f" It is published at {url}." if url else ""
            raise RuntimeError(f"no vectors found at {path}.{published}")
        self.itos, self.vectors = read(path, max_vectors)
        self.stoi = {word: index for index, word in enumerate(self.itos)}
        self.dim = self.vectors.shape[1]
        room.mkdir(parents=True, exist_ok=True)
        torch.save((self.itos, self.stoi, self.vectors, self.dim), kept)

    def __len__(self) -> int:
        return len(self.vectors)

    def __contains__(self, token: str) -> bool:
        return token in self.stoi

    def __getitem__(self, token: str) -> Tensor:
        if token in self.stoi:
            return self.vectors[self.stoi[token]]
        return self.unk_init(torch.empty(self.dim))

    def get_vecs_by_tokens(self, tokens: str | list[str], lower_case_backup: bool = False) -> Tensor:
        """Return the vector of a token, or those of a list of tokens, ``(tokens, dim)``."""
        if not isinstance(tokens, list):
            return self.get_vecs_by_tokens([tokens], lower_case_backup)[0]
        spelled = [
            token.lower() if lower_case_backup and token not in self.stoi else token for token in tokens
        ]
        return torch.stack([self[token] for token in spelled])


def read(path: Path, most: int | None) -> tuple[list[str], Tensor]:
    """Return the words of a file and their vectors, ``(words, dim)``.

    A line of two words, such as the header that some formats have, and a word that is no UTF-8 are skipped.

    Raises:
        RuntimeError: if two vectors have different numbers of dimensions.
        TypeError: if there is none.
    """
    words: list[str] = []
    rows: list[Tensor] = []
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            word, *numbers = line.rstrip().split(b" ")
            if len(numbers) == 1:
                continue
            if rows and len(numbers) != len(rows[0]):
                raise RuntimeError(
                    f"The vector of {word!r} has {len(numbers)} dimensions, those before it have "
                    f"{len(rows[0])}."
                )
            try:
                words.append(word.decode("utf-8"))
            except UnicodeDecodeError:
                continue
            rows.append(torch.tensor([float(number) for number in numbers]))
            if len(rows) == most:
                break
    if not rows or not len(rows[0]):
        raise TypeError(f"{path} holds no vectors")
    return words, torch.stack(rows)


class GloVe(Vectors):
    """Vectors of Pennington et al. 2014."""

    url: ClassVar[Mapping[str, str]] = {
        name: f"http://nlp.stanford.edu/data/{file}.zip" for name, (file, _, _) in _GLOVE.items()
    }

    def __init__(self, name: str = "840B", dim: int | str = 300, **options: Any) -> None:
        super().__init__(f"glove.{name}.{dim}d.txt", url=self.url[name], **options)


class FastText(Vectors):
    """Vectors of Bojanowski et al. 2017, of a language's Wikipedia."""

    url_base = "https://dl.fbaipublicfiles.com/fasttext/vectors-wiki/wiki.{}.vec"

    def __init__(self, language: str = "en", **options: Any) -> None:
        url = self.url_base.format(language)
        super().__init__(url.rpartition("/")[2], url=url, **options)


pretrained_aliases: dict[str, Callable[..., Vectors]] = {
    **{f"fasttext.{language}.300d": partial(FastText, language=language) for language in ("en", "simple")},
    **{
        f"glove.{name}.{dim}d": partial(GloVe, name=name, dim=str(dim))
        for name, (_, _, sizes) in _GLOVE.items()
        for dim in sizes
    },
}


class Vocab(nn.Module):
    """Tokens and their indices.

    Args:
        vocab: what holds them, as :class:`rnnlab.text.torchtext_compat.Vocab` does.
    """

    is_jitable = False

    def __init__(self, vocab: Any) -> None:
        super().__init__()
        self.vocab = vocab

    def forward(self, tokens: list[str]) -> list[int]:
        """Return the index of each token."""
        return list(self.vocab.lookup_indices(tokens))

    def __len__(self) -> int:
        return len(self.vocab)

    def __contains__(self, token: str) -> bool:
        return token in self.vocab

    def __getitem__(self, token: str) -> int:
        return int(self.vocab[token])

    def __getattr__(self, name: str) -> Any:
        """Return the method of that name, such as ``get_itos``, of what holds the tokens."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or "vocab" not in self.__dict__:
                raise
            return getattr(self.__dict__["vocab"], name)


def vocab(
    ordered_dict: dict[str, int],
    min_freq: int = 1,
    specials: list[str] | None = None,
    special_first: bool = True,
) -> Vocab:
    """Return a vocabulary of what is frequent enough, in the order given, beside the specials."""
    specials = specials or []
    for token in specials:
        ordered_dict.pop(token, None)
    tokens = [token for token, count in ordered_dict.items() if count >= min_freq]
    return Vocab(Indices([*specials, *tokens] if special_first else [*tokens, *specials], None))


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]],
    min_freq: int = 1,
    specials: list[str] | None = None,
    special_first: bool = True,
    max_tokens: int | None = None,
) -> Vocab:
    """Return a vocabulary of the tokens that are yielded, the most frequent first, equals by the alphabet."""
    counted = Counter(chain.from_iterable(iterator))
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    if max_tokens is not None:
        room = max_tokens - len(specials or [])
        assert room > 0, "there is room for special tokens alone: max_tokens is too small"
        ordered = ordered[:room]
    return vocab(dict(ordered), min_freq, specials, special_first)


def get_tokenizer(tokenizer: str | Callable[..., Any] | None, language: str = "en") -> Callable[..., Any]:
    """Return what splits a text into tokens: at white space (None), ``basic_english``, or one's own.

    Raises:
        ValueError: for another name or language; what needs a further library is not here.
    """
    if tokenizer is None:
        return str.split
    if callable(tokenizer):
        return tokenizer
    if tokenizer != "basic_english" or language != "en":
        raise ValueError(f"get_tokenizer({tokenizer!r}, {language!r}): here there is basic_english, for en.")
    return BasicEnglish().encode


def ngrams_iterator(token_list: list[str], ngrams: int) -> Iterator[str]:
    """Yield the tokens, then each two that follow one another as one text, up to ``ngrams`` of them."""
    yield from token_list
    for size in range(2, ngrams + 1):
        yield from map(" ".join, zip(*(token_list[start:] for start in range(size)), strict=False))


def modules() -> dict[str, types.ModuleType]:
    """Return what is here as modules of torchtext's names."""
    held: dict[str, dict[str, Any]] = {
        "torchtext": {"__version__": "0.18.0", "disable_torchtext_deprecation_warning": lambda: None},
        "torchtext.data": {"get_tokenizer": get_tokenizer},
        "torchtext.data.utils": {"get_tokenizer": get_tokenizer, "ngrams_iterator": ngrams_iterator},
        "torchtext.vocab": {
            "Vectors": Vectors,
            "GloVe": GloVe,
            "FastText": FastText,
            "pretrained_aliases": pretrained_aliases,
            "Vocab": Vocab,
            "vocab": vocab,
            "build_vocab_from_iterator": build_vocab_from_iterator,
        },
        "torchtext._torchtext": {"Vocab": Indices},  # where a pickle of a vocabulary looks for it
        "torchtext.prototype": {},
        "torchtext.prototype.vectors": {
            "CHECKSUMS_GLOVE": CHECKSUMS_GLOVE,
            "CHECKSUMS_FAST_TEXT": CHECKSUMS_FAST_TEXT,
        },
    }
    found = {name: types.ModuleType(name, "Stands in for torchtext 0.18.") for name in held}
    for name, module in found.items():
        vars(module).update(held[name])
        module.__path__ = []
        # find_spec, by which other libraries ask whether torchtext is there, fails on a module without one.
        module.__spec__ = ModuleSpec(name, loader=None, is_package=True)
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(found[parent], leaf, module)
    return found
