"""What a tokenizer is known by beside its name: its class, its code, and what it makes of fixed texts."""

import logging
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from rnnlab.build import locate_class
from rnnlab.corpora.corpus import fingerprint_of
from rnnlab.errors import ConfigError, RunError
from rnnlab.own_code import code_of
from rnnlab.text.tokenizers import Tokenizer, TrainedTokenizer

PROBES = (
    'It isn\'t a GOOD film: the plot (such as it is) never works, does it? No! 7.5/10, 1,000 times "no".',
    "Mr. O'Neill's state-of-the-art e-mail, <br />https://example.org/a_b?c=d&e=1 #film @home; 50 % off...",
    "I and you and he or she who was not there, but had been to it with them by then, will be of all this.",
    "  two  spaces,\ta tab\nand a line\r\nwith <unk> and <eos>.",
    "caf\u00e9 cafe\u0301 \u0130stanbul Stra\u00dfe na\u00efve\u00a0words \u2014 \u201cso\u201d",
    "\u8fd9\u90e8\u7535\u5f71\u5f88\u597d\u3002 \u092f\u0939 \u092b\u093f\u0932\u094d\u092e",
    "\u0444\u0438\u043b\u044c\u043c \U0001f600\U0001f44d\U0001f3fd",
    "",
)
MOST_WORDS = 5000

log = logging.getLogger(__name__)


def identity(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return plain data that are others whenever the tokenizer makes other tokens of a text.

    Raises:
        ConfigError: if it makes other tokens of a text each time.
    """
    cls = type(tokenizer)
    untrained = isinstance(tokenizer, TrainedTokenizer) and tokenizer.symbols is None
    return {
        "plain": tokenizer.to_dict(),
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "code": code_of(cls),
        "probe": None if untrained else probed(tokenizer),
    }


def probed(tokenizer: Tokenizer, words: Iterable[str] = ()) -> str:
    """Return a digest of the tokens that a tokenizer makes of fixed texts.

    Args:
        tokenizer: trained, if it is of that kind.
        words: of a vocabulary, the most frequent first: they show more of what its text has.

    Raises:
        ConfigError: if it makes other tokens of a text each time.
    """
    texts = (*PROBES, " ".join(islice(words, MOST_WORDS)))
    first, second = ([tokens_of(tokenizer, text) for text in texts] for _ in range(2))
    if first != second:
        raise ConfigError(
            f"tokenizer: {type(tokenizer).__name__} makes other tokens of the same text each time. A corpus "
            "is encoded once, so that would not be what is trained on."
        )
    return fingerprint_of(tokens=first)


def tokens_of(tokenizer: Tokenizer, text: str) -> list[str]:
    """Return the tokens of a text, or what the tokenizer says of a text that is not for it."""
    try:
        return [str(token) for token in tokenizer.encode(text)]
    except Exception as error:  # noqa: BLE001  whatever a user's class raises for a text that it never sees
        return [type(error).__name__]


def tokenizer_of(metadata: Mapping[str, Any], where: object) -> Tokenizer:
    """Return the tokenizer that a checkpoint describes.

    Args:
        metadata: of the checkpoint; that its classes may be imported was checked.
        where: the checkpoint's file, for the error.

    Raises:
        RunError: if it makes other tokens of a text now than when the model was trained.
    """
    target = metadata["config"]["tokenizer"]["_target_"]
    cls = locate_class(target, Tokenizer, "tokenizer")  # type: ignore[type-abstract]
    tokenizer = cls.from_dict(metadata["tokenizer"])
    made = metadata.get("probe")
    if made is not None and made != probed(tokenizer, metadata["vocabulary"]["tokens"]):
        raise RunError(
            f"{where} is refused: {target} makes other tokens of a text now than when the model was trained, "
            "which would not know them. Put its code back as it was, or train anew."
        )
    return tokenizer
