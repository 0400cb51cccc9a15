"""Tokenizers: a text to its tokens and back, by name.

To add one, write a class with ``name``, ``encode``, ``decode``, ``to_dict`` and ``from_dict``, decorate it
with :func:`register`, and give it a file in ``conf/tokenizer``.
"""

import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from rnnlab.errors import ConfigError, nearest
from rnnlab.text.detokenize import detokenize
from rnnlab.text.vocabulary import EOS, SPECIALS


@runtime_checkable
class Tokenizer(Protocol):
    """What every tokenizer does. It holds its own options, and all that it learnt, as plain data."""

    name: ClassVar[str]

    def encode(self, text: str) -> list[str]:
        """Return the tokens of ``text``; none for a text without any."""
        ...

    def decode(self, tokens: Sequence[str]) -> str:
        """Return readable text; ``<eos>`` starts a new line."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the tokenizer as plain data (with its ``name``), for :meth:`from_dict`."""
        ...

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Tokenizer":
        """Return the tokenizer that :meth:`to_dict` described."""
        ...


@runtime_checkable
class TrainedTokenizer(Tokenizer, Protocol):
    """A tokenizer that learns its tokens from a text, and encodes every later text with them alone."""

    @property
    def symbols(self) -> tuple[str, ...] | None:
        """Every token that it can emit; None before it is trained."""
        ...

    def train(self, texts: Iterable[str]) -> "TrainedTokenizer":
        """Return a tokenizer of the same options that learnt its tokens from ``texts``."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of each of ``texts``, as :meth:`encode` returns them, faster."""
        ...


_registry: dict[str, type[Tokenizer]] = {}
_T = TypeVar("_T", bound=type[Tokenizer])
_Made = TypeVar("_Made", bound="_WithoutOptions")


def register(cls: _T) -> _T:
    """Make a tokenizer known by its ``name``; the same class, loaded anew, takes its own place.

    Raises:
        ConfigError: if another class has that name.
    """
    check_name(cls, _registry.get(cls.name, cls))
    _registry[cls.name] = cls
    return cls


def check_name(cls: type[Tokenizer], known: type[Tokenizer]) -> None:
    """Check that the class that is known by the name of ``cls`` is that very class.

    Raises:
        ConfigError: if it is another.
    """
    files = {getattr(sys.modules.get(kind.__module__), "__file__", kind.__module__) for kind in (cls, known)}
    if cls.__qualname__ != known.__qualname__ or len(files) > 1:
        raise ConfigError(
            f"tokenizer: {cls.__module__}.{cls.__qualname__} has the name {cls.name!r}, which is that of "
            f"{known.__module__}.{known.__qualname__}. Give it a name of its own (name = ...) and @register."
        )


def check_known(tokenizer: Tokenizer) -> None:
    """Check that a tokenizer comes back from its plain data as it is, and has its name for itself.

    Raises:
        ConfigError: if its class is not registered, has another's name, or ``to_dict`` loses an option.
    """
    plain, cls = tokenizer.to_dict(), type(tokenizer)
    check_name(cls, registered(cls.name))
    again = cls.from_dict(plain)
    if type(again) is not cls or again.to_dict() != plain or options_of(again) != options_of(tokenizer):
        raise ConfigError(
            f"tokenizer: {cls.__name__}.from_dict(tokenizer.to_dict()) is not the same tokenizer: an option "
            "of it would be lost in the checkpoint. Let to_dict return every option beside the name, and "
            "from_dict take them."
        )


def options_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what a tokenizer holds that can be compared."""
    kinds = (str, int, float, list, tuple, set, frozenset, dict, type(None))
    return {
        name: value for name, value in getattr(tokenizer, "__dict__", {}).items() if isinstance(value, kinds)
    }


def registered(name: str) -> type[Tokenizer]:
    """Return the tokenizer that is known by a name.

    Raises:
        ConfigError: if there is none.
    """
    if name not in _registry:
        raise ConfigError(
            f"tokenizer: there is none named {name!r}. {nearest(name, _registry)} One of your own needs "
            "@register (rnnlab.text.tokenizers) before its class."
        )
    return _registry[name]


class _WithoutOptions:
    name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the name: there is nothing else."""
        return {"name": self.name}

    @classmethod
    def from_dict(cls: type[_Made], plain: Mapping[str, Any]) -> _Made:
        """Return the tokenizer."""
        return cls()


class _Words(_WithoutOptions):
    def decode(self, tokens: Sequence[str]) -> str:
        """Return the words with spaces and punctuation as a person would write them."""
        return detokenize(tokens)


@register
class Whitespace(_Words):
    """Split at white space and leave the rest: for text that is tokenized already, and to the letter."""

    name = "whitespace"

    def encode(self, text: str) -> list[str]:
        """Return what stands between white space."""
        return text.split()


@register
class BasicEnglish(_Words):
    """torchtext's ``basic_english``, token for token, without its regular expressions (three times as fast).

    Lower case; ``' . , ( ) ! ?`` are tokens of their own; ``"``, ``;``, ``:`` and ``<br />`` are dropped.
    """

    name = "basic_english"

    def encode(self, text: str) -> list[str]:
        """Return the words and punctuation marks."""
        # The quotation mark goes first and joins what it parted, "<br /> too, as in the original.
        text = text.lower().replace('"', "").replace("<br />", " ").replace(";", " ").replace(":", " ")
        for mark in "'.,()!?":
            text = text.replace(mark, f" {mark} ")
        return text.split()


@register
class Characters(_WithoutOptions):
    """Every character is a token, and is itself: letters, space, newline."""

    name: ClassVar[str] = "char"

    def encode(self, text: str) -> list[str]:
        """Return the characters."""
        return list(text)

    def decode(self, tokens: Sequence[str]) -> str:
        """Return the characters as one text."""
        return "".join("\n" if token == EOS else token for token in tokens)


@register
class Bytes(_WithoutOptions):
    """Every byte of the text's UTF-8 is a token: 256 of them, whatever the language, and nothing unknown.

    A token is the character of Latin-1 with that number: ASCII is itself, ``é`` is ``Ã`` and ``©``.
    """

    name: ClassVar[str] = "byte"
    symbols: ClassVar[tuple[str, ...]] = tuple(map(chr, range(256)))
    """Every token, in the order of the bytes, which is that of the ids."""

    def encode(self, text: str) -> list[str]:
        """Return the bytes."""
        return list(text.encode("utf-8", "surrogatepass").decode("latin-1"))

    def decode(self, tokens: Sequence[str]) -> str:
        """Return the text that was encoded; bytes that are no UTF-8 become replacement characters."""
        parts = ("\n" if token == EOS else token for token in tokens)
        content = "".join(parts).encode("latin-1")
        try:
            return content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return content.decode("utf-8", "replace")


@register
class BytePairs:
    """Byte-level byte-pair encoding, learnt from the training text by Hugging Face ``tokenizers``.

    Sennrich et al. 2016 (https://arxiv.org/abs/1508.07909), on bytes as in GPT-2: every text can be encoded
    and comes back to the letter (without ``lowercase``). A token spells each of its bytes with a printable
    character, a space ``Ġ``.

    Args:
        vocab_size: the most tokens it learns, the 256 bytes included.
        lowercase: whether text is put in lower case first.
        model: what a trained tokenizer learnt, as ``to_dict()`` gives it.

    Raises:
        ConfigError: if ``vocab_size`` is less than 256.
    """

    name: ClassVar[str] = "bpe"

    def __init__(self, vocab_size: int = 8000, lowercase: bool = False, model: str | None = None) -> None:
        if vocab_size < 256:
            raise ConfigError(
                f"tokenizer.vocab_size={vocab_size}: there are 256 bytes, so take at least that."
            )
        self.vocab_size = vocab_size
        self.lowercase = lowercase
        self._model = model
        self._tokenizer: Any = None
        if model is not None:
            from tokenizers import Tokenizer as HuggingFaceTokenizer

            self._tokenizer = HuggingFaceTokenizer.from_str(model)

    @property
    def symbols(self) -> tuple[str, ...] | None:
        """Every token that it can emit; None before it is trained."""
        return None if self._tokenizer is None else tuple(self._tokenizer.get_vocab())

    def train(self, texts: Iterable[str]) -> "BytePairs":
        """Return a tokenizer of the same options that learnt its tokens from ``texts``."""
        from tokenizers import Tokenizer as HuggingFaceTokenizer
        from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

        tokenizer = HuggingFaceTokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        if self.lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return BytePairs(self.vocab_size, self.lowercase, tokenizer.to_str())

    def encode(self, text: str) -> list[str]:
        """Return the byte pairs of ``text``."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the byte pairs of each of ``texts``, encoded on all cores.

        Raises:
            ValueError: if the tokenizer is not trained.
        """
        if self._tokenizer is None:
            raise ValueError("this bpe tokenizer is not trained: call train(texts) first")
        return [encoding.tokens for encoding in self._tokenizer.encode_batch(list(texts))]

    def decode(self, tokens: Sequence[str]) -> str:
        """Return the text that was encoded; bytes that are no UTF-8 become replacement characters."""
        from tokenizers import decoders

        decoder = decoders.ByteLevel()
        parts: list[str] = []
        for special, run in itertools.groupby(tokens, key=lambda token: token if token in SPECIALS else None):
            if special is None:
                parts.append(decoder.decode(list(run)))
            else:
                parts.extend("\n" if special == EOS else special for _ in run)
        return "".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the options and what was learnt."""
        return {
            "name": self.name,
            "vocab_size": self.vocab_size,
            "lowercase": self.lowercase,
            "model": self._model,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "BytePairs":
        """Return the tokenizer, trained if it was."""
        return cls(**{key: value for key, value in plain.items() if key != "name"})


def separator(tokenizer: Tokenizer) -> str:
    """Return what stands between two tokens when they are shown one by one."""
    return "" if isinstance(tokenizer, (BytePairs, Bytes, Characters)) else " "


def readable(tokenizer: Tokenizer, tokens: Sequence[str]) -> tuple[str, ...]:
    r"""Return each token as a person reads it: a byte pair without its spelling of spaces.

    A byte that is no character by itself is written as ``\xc3``. The two symbols keep their names;
    :meth:`Tokenizer.decode` makes a new line of ``<eos>``.
    """
    if isinstance(tokenizer, BytePairs):
        return tuple(token if token in SPECIALS else tokenizer.decode([token]) for token in tokens)
    if isinstance(tokenizer, Bytes):
        return tuple(token if token.isascii() else f"\\x{ord(token):02x}" for token in tokens)
    return tuple(tokens)
