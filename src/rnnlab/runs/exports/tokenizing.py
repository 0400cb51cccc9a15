"""How text becomes tokens, said so that another program can do it without rnnlab."""

from typing import Any

from rnnlab.text.tokenizers import BasicEnglish, BytePairs, Characters, Tokenizer, Whitespace

BASIC_ENGLISH = [['"', ""], ["<br />|[;:]", " "], ["(['.,()!?])", " \\1 "]]


def tokenizing(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a tokenizer as plain data.

    Besides what :meth:`Tokenizer.to_dict` gives: ``lowercase`` (put the text in lower case first),
    ``replace`` (pairs of a regular expression and what to put in its place, in this order) and ``split``
    (then take what stands between white space, ``whitespace``, or every character, ``characters``). For byte
    pairs ``model`` is the content of a ``tokenizer.json`` for Hugging Face's ``tokenizers``, which does all.
    """
    plain = tokenizer.to_dict()
    if isinstance(tokenizer, BasicEnglish):
        return {**plain, "lowercase": True, "replace": BASIC_ENGLISH, "split": "whitespace"}
    if isinstance(tokenizer, Whitespace):
        return {**plain, "lowercase": False, "replace": [], "split": "whitespace"}
    if isinstance(tokenizer, Characters):
        return {**plain, "lowercase": False, "replace": [], "split": "characters"}
    if isinstance(tokenizer, BytePairs):
        return plain
    raise TypeError(f"{type(tokenizer).__name__} is no tokenizer of rnnlab's")
