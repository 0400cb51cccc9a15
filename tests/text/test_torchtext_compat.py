import copy
import json
import os
import pickle
import subprocess
import sys
import venv
import warnings
from pathlib import Path

import pytest
import torch

from rnnlab.text import torchtext_compat

COMPAT = Path(torchtext_compat.__file__)
OUTCOMES = Path(__file__).with_name("torchtext_outcomes.py")

torchtext_compat.enable()
needs_transforms = pytest.mark.skipif(sys.version_info >= (3, 13), reason="this Python has no torchtext")


def python(executable, *arguments, **environment):
    done = subprocess.run(
        [str(executable), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def enabled_with(packages, code):
    """What ``code`` prints after (or around) enable(), with ``packages`` instead of the installed ones."""
    prelude = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("torchtext_compat", {str(COMPAT)!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
before = set(sys.modules)
"""
    return python(sys.executable, "-c", prelude + code, PYTHONPATH=str(packages)).strip()


def write_package(folder, **modules):
    folder.mkdir()
    for name, source in modules.items():
        folder.joinpath(f"{name}.py").write_text(source)


@pytest.fixture
def stand_in():
    if torchtext_compat.enable():
        pytest.skip("torchtext's own compiled half works on this torch")


def test_a_second_call_changes_nothing():
    before = {name: module for name, module in sys.modules.items() if name.startswith("torchtext")}
    assert torchtext_compat.enable() is torchtext_compat.enable()
    assert {name: module for name, module in sys.modules.items() if name.startswith("torchtext")} == before


@needs_transforms
def test_importing_torchtext_warns_of_nothing():
    code = """
import warnings
warnings.simplefilter("error")
compat.enable()
import torchtext.data, torchtext.functional, torchtext.transforms, torchtext.vocab
warnings.warn("others still warn")
"""
    with pytest.raises(AssertionError, match="UserWarning: others still warn"):
        enabled_with("", code)


def test_a_compiled_half_that_loads_is_left_alone(tmp_path):
    write_package(
        tmp_path / "torchtext",
        __init__="from . import _torchtext\ndef disable_torchtext_deprecation_warning(): print('quiet')",
        _torchtext="Vocab = 'compiled'",
    )
    code = "print(compat.enable()); from torchtext._torchtext import Vocab; print(Vocab)"
    assert enabled_with(tmp_path, code).split() == ["quiet", "True", "compiled"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import torchtext.helper\nimport nowhere", "ModuleNotFoundError"),
        (
            "import torchtext.helper\nfrom torchtext import _extension\nraise ImportError('why')",
            "ImportError",
        ),
        ("import torchtext.helper\nraise RuntimeError('why')", "RuntimeError"),
    ],
)
def test_a_torchtext_that_fails_otherwise_fails_and_leaves_nothing_behind(tmp_path, source, error):
    write_package(tmp_path / "torch", __init__="__version__ = '9.9'")
    write_package(
        tmp_path / "torchtext", __init__=source, helper="", _extension="raise OSError('undefined symbol')"
    )
    code = """
try:
    compat.enable()
except Exception as error:
    print(type(error).__name__, sorted(name for name in set(sys.modules) - before if "torchtext" in name))
"""
    assert enabled_with(tmp_path, code) == f"{error} []"


def test_vocabulary_built_from_an_iterator():
    from torchtext.vocab import build_vocab_from_iterator

    vocabulary = build_vocab_from_iterator([["b", "a", "b"], ["c"]], specials=["<unk>"], max_tokens=3)
    vocabulary.set_default_index(0)
    assert vocabulary.get_itos() == ["<unk>", "b", "a"]
    assert vocabulary(["a", "c", "b"]) == [2, 0, 1]


def test_vocabulary_answers_and_refuses():
    vocabulary = torchtext_compat.Vocab(["a", "b"], None)
    vocabulary.insert_token("c", 1)
    assert vocabulary.get_itos() == ["a", "c", "b"]
    assert vocabulary.get_stoi() == {"a": 0, "c": 1, "b": 2}
    assert vocabulary.lookup_tokens(torch.tensor([2, 0])) == ["b", "a"]
    with pytest.raises(RuntimeError, match="Token d not found and default index is not set"):
        vocabulary["d"]
    with pytest.raises(RuntimeError, match="already exists in the Vocab with index: 1"):
        vocabulary.append_token("c")
    with pytest.raises(RuntimeError, match="Specified index 4 is out of bounds for vocab of size 3"):
        vocabulary.insert_token("d", 4)
    with pytest.raises(RuntimeError, match="Specified index 3 at position 1 is out of bounds"):
        vocabulary.lookup_tokens([0, 3])
    with pytest.raises(RuntimeError, match="Duplicate token found in tokens list: a"):
        torchtext_compat.Vocab(["a", "a"], None)
    with pytest.raises(TypeError, match="a token must be a str, not int"):
        vocabulary.lookup_indices([3])
    assert vocabulary.get_itos() == ["a", "c", "b"]


def test_vocabularies_survive_pickle_and_copy():
    from torchtext.vocab import build_vocab_from_iterator

    vocabulary = build_vocab_from_iterator([["b", "a"]])
    vocabulary.set_default_index(1)
    for again in (pickle.loads(pickle.dumps(vocabulary)), copy.deepcopy(vocabulary)):
        assert (again.get_itos(), again.get_default_index()) == (["a", "b"], 1)
        again.append_token("c")
    assert len(vocabulary) == 2


@needs_transforms
def test_transforms_from_tokens_to_a_padded_tensor():
    from torchtext import transforms
    from torchtext.vocab import build_vocab_from_iterator

    vocabulary = build_vocab_from_iterator([["a", "b", "c"]], specials=["<pad>"])
    chain = transforms.Sequential(
        transforms.VocabTransform(vocabulary),
        transforms.Truncate(2),
        transforms.AddToken(9),
        transforms.ToTensor(padding_value=0),
    )
    assert chain([["a"], ["c", "b", "a"]]).tolist() == [[9, 1, 0], [9, 3, 2]]
    labels = transforms.LabelToIndex(["neg", "pos"])
    assert labels(["pos", "neg"]) == [1, 0]


def test_basic_english():
    from torchtext.data.utils import get_tokenizer

    tokens = get_tokenizer("basic_english")('You can "now" install it, can\'t you?<br />Yes!')
    assert tokens == ["you", "can", "now", "install", "it", ",", "can", "'", "t", "you", "?", "yes", "!"]


def test_vectors_from_a_local_file(tmp_path):
    from torchtext.vocab import Vectors

    path = tmp_path / "tiny.txt"
    path.write_text("the 1 2 3\nfilm 4 5 6\n")
    for _ in range(2):  # the second time from the tensor that torchtext keeps
        vectors = Vectors("tiny.txt", cache=str(tmp_path))
        assert vectors.get_vecs_by_tokens(["film", "nowhere"]).tolist() == [[4, 5, 6], [0, 0, 0]]


@needs_transforms
@pytest.mark.usefixtures("stand_in")
def test_compiled_things_say_which_torch_they_need(tmp_path):
    from torchtext import transforms
    from torchtext.vocab import build_vocab_from_iterator

    (tmp_path / "model").write_text("")
    vocabulary = build_vocab_from_iterator([["a"]])
    for use in (
        lambda: transforms.RegexTokenizer([("a", "b")]),
        lambda: transforms.SentencePieceTokenizer(str(tmp_path / "model")),
        lambda: torch.classes.torchtext.RegexTokenizer([], [], False),
        vocabulary.__prepare_scriptable__,
    ):
        with pytest.raises(
            ImportError, match=r"loads on torch 2\.3 only; this is torch .*torch==2\.3\.1"
        ) as info:
            use()
        assert isinstance(info.value.__cause__, (OSError, ImportError))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ImportError, match="TorchScript"):
            torch.jit.script(vocabulary)


def python_with_torch_2_3(folder):
    """An environment in which torchtext's compiled half loads: the one that is named, or a new one."""
    named = os.environ.get("RNNLAB_TORCH23_PYTHON")
    if named:
        return Path(named)
    venv.create(folder, with_pip=True)
    executable = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python(executable, "-m", "pip", "install", "torch==2.3.1", "torchtext==0.18.0", "numpy<2")
    return executable


@pytest.mark.slow
@needs_transforms
@pytest.mark.usefixtures("stand_in")
def test_equal_to_the_compiled_original(tmp_path):
    """Thousands of questions under torch 2.3 and here: the same answers, errors and pickles."""
    old_python = python_with_torch_2_3(tmp_path / "torch23")
    printed = {name: tmp_path / f"{name}.json" for name in ("old", "new")}
    printed["old"].write_text(python(old_python, OUTCOMES, COMPAT), encoding="utf-8")
    printed["new"].write_text(python(sys.executable, OUTCOMES, COMPAT, printed["old"]), encoding="utf-8")
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in printed.values())
    back = json.loads(python(old_python, OUTCOMES, COMPAT, printed["new"]))

    assert (old["compiled"], new["compiled"]) == (True, False)
    assert len(old["outcomes"]) == 31
    for name, answers in old["outcomes"].items():
        assert new["outcomes"][name] == answers, name
    assert new["loaded"] == old["states"]
    assert back["loaded"] == new["states"]
