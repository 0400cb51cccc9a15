"""Make torchtext 0.18 importable on any torch.

torchtext's last release has a compiled half that loads on torch 2.3 alone: on every later torch,
``import torchtext`` ends in an OSError. Its Python half needs only one class of the compiled one, the
vocabulary. Call :func:`enable` before you import torchtext::

    import torchtext_compat

    torchtext_compat.enable()
    from torchtext.data.utils import get_tokenizer
    from torchtext.vocab import build_vocab_from_iterator

It first tries the real import, and changes nothing where that works. Only where the compiled half can't be
loaded does it stand a vocabulary in pure Python in for the compiled one. Then ``torchtext.data``,
``torchtext.vocab``, ``torchtext.functional`` and ``torchtext.transforms`` work, and what else needs compiled
code (SentencePiece, the GPT-2, CLIP, BERT and regex tokenizers, TorchScript of a vocabulary) raises an
ImportError that says so when it is used. A vocabulary pickled under one half loads under the other.

This file depends on nothing but torch and torchtext, and imports them only when :func:`enable` is called:
copy it into your own project as it is (Python 3.10 or later). From Python 3.13 on there is no torchtext:
within rnnlab ``rnnlab.text.torchtext_parts`` then takes its name, with vectors, tokenizer and vocabularies.
"""

import importlib
import importlib.util
import operator
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

_COMPILED = "torchtext._torchtext"
_LOADER = "torchtext._extension"
_CLASSES = ("BERTEncoder", "CLIPEncoder", "GPT2BPEEncoder", "RegexTokenizer", "SentencePiece", "Vectors")
_FUNCTIONS = (
    "_build_vocab_from_text_file",
    "_build_vocab_from_text_file_using_python_tokenizer",
    "_load_token_and_vectors_from_file",
    "_load_vocab_from_file",
)
_INT64 = range(-(2**63), 2**63)
_enabling = threading.Lock()


def enable() -> bool:
    """Make ``import torchtext`` and its Python half work in this process; a second call does nothing.

    Also tells torchtext, by its own switch, not to warn at every import that it is deprecated.

    Returns:
        True where torchtext runs on its own compiled half, False where a stand-in is in use.

    Raises:
        ImportError: if torch or torchtext is not installed, or torchtext fails for another reason than its
            compiled half; ``sys.modules`` is then as it was.
    """
    with _enabling:
        if _is_of_a_python_without_torchtext():
            sys.modules.update(importlib.import_module("rnnlab.text.torchtext_parts").modules())
            return False
        error = _import_as_it_is()
        if error is not None:
            _import_with_stand_in(error)
        return getattr(sys.modules.get(_COMPILED), "__file__", None) is not None


def _is_of_a_python_without_torchtext() -> bool:
    """Return whether this Python has no torchtext and can have none, and nothing took its name yet."""
    wanted = sys.version_info >= (3, 13) and importlib.util.find_spec("rnnlab") is not None
    return wanted and "torchtext" not in sys.modules and importlib.util.find_spec("torchtext") is None


def _import_as_it_is() -> Exception | None:
    """Import torchtext with its compiled half; where that can't be, return the error and leave no trace."""
    if "torchtext" not in sys.modules:
        _forget_torchtext()  # what an import that failed has left
    try:
        _import_torchtext()
    except BaseException as error:
        _forget_torchtext()
        if isinstance(error, (OSError, ImportError)) and not isinstance(error, ModuleNotFoundError):
            return error.with_traceback(None)
        raise
    return None


def _import_with_stand_in(error: Exception) -> None:
    import torch

    refusal = _Refusal(torch.__version__, error)
    refused = {name: _unmakeable(name, refusal) for name in (*_CLASSES, *_FUNCTIONS)}
    compiled = _StandIn(_COMPILED, refusal, Vocab=Vocab, **refused)
    loader = types.ModuleType(_LOADER, "A stand-in: there is no library to load.")
    for module in (compiled, loader):
        module.__spec__ = ModuleSpec(module.__name__, loader=None)
        sys.modules[module.__name__] = module
    try:
        torchtext = _import_torchtext()
        vocab = importlib.import_module("torchtext.vocab")
    except BaseException:
        _forget_torchtext()
        raise
    torchtext._torchtext, torchtext._extension = compiled, loader
    # torch.jit asks a vocabulary for its compiled self by this method; all else that it does is Python.
    vocab.Vocab.__prepare_scriptable__ = refusal.method("TorchScript of a torchtext.vocab.Vocab")
    # LabelToIndex takes its vocabulary from torch.classes, the others theirs from torchtext._torchtext.
    vars(torch.classes)["torchtext"] = _StandIn("torch.classes.torchtext", refusal, Vocab=Vocab)
    vars(torch.ops)["torchtext"] = _StandIn("torch.ops.torchtext", refusal)


def _import_torchtext() -> Any:
    with warnings.catch_warnings():
        # torchtext's own source holds "/!\ ", which Python 3.12 remarks on when it first compiles it.
        warnings.filterwarnings("ignore", message="invalid escape sequence")
        torchtext = importlib.import_module("torchtext")
    torchtext.disable_torchtext_deprecation_warning()
    return torchtext


def _forget_torchtext() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchtext"]:
        del sys.modules[name]


class _Refusal:
    """Says of compiled code that it is not there, and why."""

    def __init__(self, torch_version: str, cause: Exception) -> None:
        self._torch_version = torch_version
        self._cause = cause

    def of(self, what: str) -> NoReturn:
        raise ImportError(
            f"{what} needs the compiled half of torchtext 0.18, which loads on torch 2.3 only; "
            f"this is torch {self._torch_version}. Use it in an environment of its own with torch==2.3.1, "
            "torchtext==0.18.0 and numpy<2.",
            name=_COMPILED,
        ) from self._cause

    def method(self, what: str) -> Callable[..., NoReturn]:
        def refuse(*_: object, **__: object) -> NoReturn:
            self.of(what)

        return refuse


class _StandIn(types.ModuleType):
    """A module, or torch's namespace of compiled things, that refuses all that it does not hold."""

    def __init__(self, name: str, refusal: _Refusal, **members: object) -> None:
        super().__init__(name, "Stands in for compiled code that can't be loaded on this torch.")
        self.__dict__.update(members, _refusal=refusal)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refusal.of(f"{self.__name__}.{name}")


def _unmakeable(name: str, refusal: _Refusal) -> type:
    """Return a class that can be imported and asked about by ``isinstance``, but not made."""
    return type(name, (), {"__module__": _COMPILED, "__new__": refusal.method(f"{_COMPILED}.{name}")})


class Vocab:
    """Tokens and their indices, as ``torchtext._torchtext.Vocab`` has them, errors and pickles included.

    More lenient than the original in one thing: ``lookup_tokens`` also takes a tensor. Stricter in another:
    it refuses a token of bytes, and with a TypeError a list that holds anything but strings, where the
    original stops the interpreter.
    """

    __slots__ = ("_default", "_indices", "_tokens")

    def __init__(self, tokens: Iterable[str], default_index: int | None, /) -> None:
        """Number ``tokens`` in their order; ``default_index`` answers for every other token, None refuses.

        Raises:
            RuntimeError: if a token is there twice.
        """
        if isinstance(tokens, str | bytes) or not hasattr(type(tokens), "__getitem__"):
            raise TypeError(f"tokens must be a list of str, not {type(tokens).__name__}")
        self._tokens = [_token(token) for token in tokens]
        self._default = None if default_index is None else _index(default_index)
        self._indices: dict[str, int] = {}
        for index, token in enumerate(self._tokens):
            if self._indices.setdefault(token, index) != index:
                raise RuntimeError(f"Duplicate token found in tokens list: {token}")

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: str, /) -> bool:
        return _token(token) in self._indices

    def __getitem__(self, token: str, /) -> int:
        if (index := self._indices.get(_token(token), self._default)) is None:
            raise RuntimeError(f"Token {token} not found and default index is not set")
        return index

    def get_default_index(self) -> int | None:
        """Return the index of every token that is not there, or None."""
        return self._default

    def set_default_index(self, index: int | None, /) -> None:
        """Let ``index`` answer for every token that is not there; None refuses such tokens."""
        self._default = None if index is None else _index(index)

    def append_token(self, token: str, /) -> None:
        """Add ``token`` at the end.

        Raises:
            RuntimeError: if it is there already.
        """
        if token in self:
            raise RuntimeError(
                f"Token {token} already exists in the Vocab with index: {self._indices[token]}"
            )
        self._indices[token] = len(self._tokens)
        self._tokens.append(token)

    def insert_token(self, token: str, index: int, /) -> None:
        """Add ``token`` at ``index`` and move up those from there on.

        Raises:
            RuntimeError: if it is there already, or ``index`` is outside [0, length].
        """
        token, index = _token(token), _index(index)
        if not 0 <= index <= len(self._tokens):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")
        if token in self._indices:
            # The original's words, which say the contrary of what they mean.
            raise RuntimeError(f"Token {token} not found in Vocab")
        self._tokens.insert(index, token)
        self._indices.update((moved, i) for i, moved in enumerate(self._tokens[index:], start=index))

    def lookup_token(self, index: int, /) -> str:
        """Return the token at ``index``.

        Raises:
            RuntimeError: if there is none.
        """
        return self._at(index)

    def lookup_tokens(self, indices: Iterable[int], /) -> list[str]:
        """Return the tokens at ``indices``, a sequence.

        Raises:
            RuntimeError: if one of them has none.
        """
        if isinstance(indices, str | bytes | dict) or not hasattr(type(indices), "__getitem__"):
            raise TypeError(f"indices must be a list of int, not {type(indices).__name__}")
        return [self._at(index, f" at position {position}") for position, index in enumerate(indices)]

    def _at(self, wanted: Any, position: str = "") -> str:
        index = _index(wanted)
        if not 0 <= index < len(self._tokens):
            raise RuntimeError(
                f"Specified index {index}{position} is out of bounds for vocab of size {len(self)}"
            )
        return self._tokens[index]

    def lookup_indices(self, tokens: list[str], /) -> list[int]:
        """Return the indices of ``tokens``, a list.

        Raises:
            RuntimeError: if one is not there and there is no default index.
        """
        if not isinstance(tokens, list):
            raise TypeError(f"tokens must be a list of str, not {type(tokens).__name__}")
        return [self[token] for token in tokens]

    def get_stoi(self) -> dict[str, int]:
        """Return a new dictionary from token to index."""
        return dict(self._indices)

    def get_itos(self) -> list[str]:
        """Return a new list of the tokens in the order of their indices."""
        return list(self._tokens)

    itos_ = property(get_itos)
    default_index_ = property(get_default_index)

    def __getstate__(self) -> tuple[str, list[int], list[str], list[Any]]:
        default = [] if self._default is None else [self._default]
        return "0.0.2", default, list(self._tokens), []

    def __setstate__(self, state: tuple[str, list[int], list[str], list[Any]]) -> None:
        _version, default, tokens, _tensors = state
        Vocab.__init__(self, tokens, default[0] if default else None)


def _token(token: object) -> str:
    if not isinstance(token, str):
        raise TypeError(f"a token must be a str, not {type(token).__name__}")
    return token


def _index(index: Any) -> int:
    number = operator.index(index)
    if number not in _INT64:
        raise TypeError(f"an index must fit in 64 bits, {number} does not")
    return number


# Pickled by the name of the class that it stands in for, so that either half can read it.
Vocab.__module__ = _COMPILED
