"""Print, as JSON, what torchtext answers to a long list of questions; run under two torches to compare.

``python torchtext_outcomes.py COMPAT [PICKLES]``: ``COMPAT`` is torchtext_compat.py; ``PICKLES`` is what a
run under the other torch printed, whose pickled vocabularies this run has to load.
"""

import base64
import copy
import importlib.util
import json
import pickle
import random
import sys
from collections import OrderedDict
from pathlib import Path


def enable(compat_path):
    spec = importlib.util.spec_from_file_location("torchtext_compat", compat_path)
    compat = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compat)
    return compat.enable()


def outcome(question):
    """The answer, or the error's type and (for errors of the vocabulary itself) its first line."""
    try:
        return question()
    except RuntimeError as error:
        return ["RuntimeError", str(error).splitlines()[0]]
    except (TypeError, AttributeError, AssertionError) as error:
        return [type(error).__name__]


def vocabularies():
    from torchtext.vocab import build_vocab_from_iterator, vocab

    lines = [["the", "film", "the", "é", "<unk>"], ["a", "film", "", "the", "日本"], ["zwölf", "a"]]
    yield "plain", lambda: build_vocab_from_iterator(lines)
    yield "specials", lambda: build_vocab_from_iterator(lines, specials=["<unk>", "<pad>"])
    yield "specials last", lambda: build_vocab_from_iterator(lines, specials=["<unk>"], special_first=False)
    yield "frequent", lambda: build_vocab_from_iterator(lines, min_freq=2, specials=["<unk>"])
    yield "few", lambda: build_vocab_from_iterator(lines, max_tokens=3, specials=["<unk>"])
    yield "too few", lambda: build_vocab_from_iterator(lines, max_tokens=1, specials=["<unk>"])
    yield "special twice", lambda: build_vocab_from_iterator(lines, specials=["<unk>", "<unk>"])
    yield "empty", lambda: build_vocab_from_iterator([])
    yield "ordered", lambda: vocab(OrderedDict([("b", 3), ("a", 1), ("c", 2)]), min_freq=2, specials=["a"])


def state(vocabulary):
    return [vocabulary.get_itos(), sorted(vocabulary.get_stoi().items()), vocabulary.get_default_index()]


def ask_everything(vocabulary):
    """Every method, with what it takes and what it refuses, on a copy so that nothing is changed."""
    changed = copy.deepcopy(vocabulary)
    size = len(vocabulary)
    tokens = ["the", "film", "missing", "", "日本", "<unk>"]
    indices = [0, 1, size - 1, size, -1, 2**40]
    yield [len(vocabulary), vocabulary.is_jitable, repr(vocabulary), list(vocabulary.state_dict())]
    for default in (None, 0, -7, size + 10, True, 1.5, "0", 2**63):
        yield outcome(lambda default=default: changed.set_default_index(default))
        yield changed.get_default_index()
        for token in [*tokens, 3, None, b"the"]:
            yield outcome(lambda token=token: changed[token])
            yield outcome(lambda token=token: token in changed)
            yield outcome(lambda token=token: changed([token]) if isinstance(token, str) else None)
        yield outcome(lambda: changed.lookup_indices(["the", "missing"]))
        yield outcome(lambda: changed.lookup_indices(("the",)))
        yield outcome(lambda: changed.lookup_indices("the"))
    for index in [*indices, True, 1.0, "1", None, 2**70]:
        yield outcome(lambda index=index: changed.lookup_token(index))
        yield outcome(lambda index=index: changed.lookup_tokens([0, index]))
        yield outcome(lambda index=index: changed.insert_token("new", index))
        yield outcome(lambda index=index: changed.insert_token("film", index))
        yield state(changed)
    for sequence in ((0, 1), range(1), [], {0}, "0", iter([0]), {0: 1}, 0):
        yield outcome(lambda sequence=sequence: changed.lookup_tokens(sequence))
    for token in [*tokens, "missing", 3, None]:
        yield outcome(lambda token=token: changed.append_token(token))
        yield state(changed)
    yield state(pickle.loads(pickle.dumps(changed)))
    yield state(copy.deepcopy(changed))
    yield [changed.vocab.itos_, changed.vocab.default_index_]
    yield outcome(lambda: setattr(changed.vocab, "itos_", []))
    yield outcome(lambda: setattr(changed.vocab, "other", 1))
    yield outcome(lambda: list(changed))


def ask_the_class():
    from torchtext._torchtext import Vocab

    for arguments in ((["a", "a"], None), (("a", "b"), 5), ("ab", None), (["a"],), (["a"], "x"), ([], None)):
        yield outcome(lambda arguments=arguments: Vocab(*arguments).get_itos())
    yield outcome(lambda: Vocab(tokens=["a"], default_index=None).get_itos())
    yield outcome(lambda: Vocab((letter for letter in "ab"), None).get_itos())
    copied = Vocab(["a"], 3)
    got = copied.get_itos()
    got.append("b")
    stoi = copied.get_stoi()
    stoi["b"] = 9
    yield [copied.get_itos(), sorted(copied.get_stoi().items()), copied.__getstate__(), Vocab.__module__]


def ask_at_random(seed, steps=400):
    """A long random life of one vocabulary."""
    from torchtext._torchtext import Vocab

    draw = random.Random(seed)
    alphabet = ["a", "b", "ß", "日", "'", " ", "\n", "😀", "<unk>"]
    vocabulary = Vocab([], None)
    for _ in range(steps):
        token = "".join(draw.choices(alphabet, k=draw.randint(0, 2)))
        index = draw.randint(-2, len(vocabulary) + 2)
        name, arguments = draw.choice(
            [
                ("append_token", (token,)),
                ("insert_token", (token, index)),
                ("lookup_token", (index,)),
                ("lookup_tokens", ([index, 0],)),
                ("lookup_indices", ([token, "a"],)),
                ("set_default_index", (draw.choice([None, index]),)),
                ("__getitem__", (token,)),
                ("__contains__", (token,)),
            ]
        )
        yield outcome(lambda name=name, arguments=arguments: getattr(vocabulary, name)(*arguments))
    yield [vocabulary.get_itos(), sorted(vocabulary.get_stoi().items()), vocabulary.default_index_]


def ask_transforms():
    from torchtext import transforms
    from torchtext.data.utils import get_tokenizer, ngrams_iterator
    from torchtext.vocab import build_vocab_from_iterator

    tokenize = get_tokenizer("basic_english")
    text = "It's \"good\", isn't it?<br />Yes; no: maybe (8.5/10)!\tİ\xa0K"
    yield tokenize(text)
    yield list(ngrams_iterator(tokenize(text), 2))
    vocabulary = build_vocab_from_iterator([tokenize(text)], specials=["<unk>"])
    vocabulary.set_default_index(0)
    chain = transforms.Sequential(
        transforms.VocabTransform(vocabulary),
        transforms.Truncate(4),
        transforms.AddToken(0),
        transforms.AddToken(2, begin=False),
        transforms.ToTensor(padding_value=9),
        transforms.PadTransform(8, 1),
    )
    yield chain([["it", "is", "good"], tokenize(text)]).tolist()
    yield transforms.StrToIntTransform()(["1", "22"])
    labels = transforms.LabelToIndex(["pos", "neg"], sort_names=True)
    yield [labels("pos"), labels(["neg", "pos"]), labels.label_names]
    yield outcome(lambda: labels("neutral"))
    yield outcome(lambda: transforms.LabelToIndex(["a", "a"]))
    yield outcome(lambda: transforms.VocabTransform(vocabulary)("it"))


def pickled(vocabulary):
    return base64.b64encode(pickle.dumps(vocabulary)).decode()


def main():
    compiled = enable(sys.argv[1])
    outcomes, pickles = {}, {}
    for name, make in vocabularies():
        vocabulary = outcome(make)
        if isinstance(vocabulary, list):
            outcomes[name] = vocabulary
        else:
            outcomes[name] = [state(vocabulary), list(ask_everything(vocabulary))]
            pickles[name] = pickled(vocabulary)
    outcomes["class"] = list(ask_the_class())
    outcomes["transforms"] = list(ask_transforms())
    for seed in range(20):
        outcomes[f"random {seed}"] = list(ask_at_random(seed))
    loaded = None
    if len(sys.argv) > 2:
        other = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))["pickles"]
        loaded = {name: state(pickle.loads(base64.b64decode(data))) for name, data in other.items()}
    states = {name: outcomes[name][0] for name in pickles}
    report = {
        "compiled": compiled,
        "outcomes": outcomes,
        "pickles": pickles,
        "states": states,
        "loaded": loaded,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
