"""Readable text out of tokens that come one by one."""

from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import EOS

_UNFINISHED = "\ufffd"  # what bytes decode to before their character is whole


class TextStream:
    """Gives out text as soon as no later token can change it.

    How a token is written may depend on the next one (an apostrophe joins what follows, a byte waits for
    the rest of its character), so text comes one token late.

    Args:
        tokenizer: puts tokens together.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._line: list[str] = []  # tokens since the last <eos>, after which decoding starts anew
        self._decoded = ""
        self._given = 0  # characters of this line

    def add(self, token: str) -> str:
        """Take the next token and return the text that is settled now, perhaps none."""
        if token == EOS:
            return self.end() + "\n"
        self._line.append(token)
        before, self._decoded = self._decoded, self._tokenizer.decode(self._line)
        settled = common_beginning(before, self._decoded).rstrip(_UNFINISHED)
        new = settled[self._given :]
        self._given += len(new)
        return new

    def end(self) -> str:
        """Return the rest of the line, and begin a new one."""
        rest = self._decoded[self._given :]
        self._line, self._decoded, self._given = [], "", 0
        return rest


def common_beginning(one: str, other: str) -> str:
    """Return what both texts begin with."""
    for place, (here, there) in enumerate(zip(one, other, strict=False)):
        if here != there:
            return one[:place]
    return one if len(one) < len(other) else other
