"""How text becomes tokens, said so that another program can do it without rnnlab."""

from typing import Any

from rnnlab.text.tokenizers import BasicEnglish, Bytes, Characters, Tokenizer, Whitespace

BASIC_ENGLISH = [['"', ""], ["<br />|[;:]", " "], ["(['.,()!?])", " \\1 "]]


def tokenizing(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a tokenizer as plain data.

    Besides what :meth:`Tokenizer.to_dict` gives: ``lowercase`` (put the text in lower case first),
    ``replace`` (pairs of a regular expression and what to put in its place, in this order) and ``split``
    (then take what stands between white space, ``whitespace``, every character, ``characters``, or every byte
    of its UTF-8, ``bytes``, a token being the character of that number). For byte pairs ``model`` is the
    content of a ``tokenizer.json`` for Hugging Face's ``tokenizers``, which does all.
    Of a tokenizer of the user's own nothing is known but what its ``to_dict`` gives.
    """
    plain = tokenizer.to_dict()
    if type(tokenizer) is BasicEnglish:
        return {**plain, "lowercase": True, "replace": BASIC_ENGLISH, "split": "whitespace"}
    if type(tokenizer) is Whitespace:
        return {**plain, "lowercase": False, "replace": [], "split": "whitespace"}
    if type(tokenizer) is Characters:
        return {**plain, "lowercase": False, "replace": [], "split": "characters"}
    if type(tokenizer) is Bytes:
        return {**plain, "lowercase": False, "replace": [], "split": "bytes"}
    return plain
