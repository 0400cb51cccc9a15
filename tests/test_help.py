"""``--help`` of every script: written for a person, complete, and without importing torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
SCRIPTS = ("train", "evaluate", "predict", "export", "generate", "plot", "results", "benchmark")
INTERNAL = {"contest", "hydra"}  # groups that are chosen by another one, or Hydra's own
ASK_ALL = """
import contextlib, io, json, runpy, sys
told = {}
for name in sys.argv[2:]:
    words, sys.argv = sys.argv, [f"{name}.py", "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        runpy.run_path(f"{ROOT}/scripts/{name}.py", run_name="__main__")
    sys.argv = words
    told[name] = shown.getvalue()
told["torch"] = "torch" in sys.modules or "matplotlib" in sys.modules
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each script says, all asked in one process that shows whether torch was imported."""
    code = ASK_ALL.replace("{ROOT}", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", code, "", *SCRIPTS],
        cwd=tmp_path_factory.mktemp("help"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.smoke
def test_it_answers_without_what_takes_seconds_to_import(told: dict[str, str]) -> None:
    assert not told["torch"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_is_for_a_person(script: str, told: dict[str, str]) -> None:
    lines = told[script].splitlines()
    assert re.match(r"[A-Z].*[.]$|rnnlab: ", lines[0])
    begin = next(number for number, line in enumerate(lines) if line.strip() == "Examples:")
    examples = [line for line in lines[begin:] if f"scripts/{script}.py " in line or line.endswith(".py")]
    assert len(examples) >= 3
    assert max(map(len, lines)) <= 80
    assert "Keys" in told[script] or "keys" in told[script]
    assert "None" not in told[script]


def test_train_tells_every_choice_and_nothing_internal(told: dict[str, str]) -> None:
    shown = told["train"].partition("The keys that matter")[0]
    for group in (path for path in CONF.iterdir() if path.is_dir()):
        is_told = re.search(rf"^  {group.name} .*(\n {{14}}.*)*", shown, re.MULTILINE)
        assert bool(is_told) == (group.name not in INTERNAL), group.name
        if is_told:
            choices = re.findall(r"\w+", is_told[0])
            assert {path.stem for path in group.glob("*.yaml")} <= set(choices)


def test_train_tells_the_ten_keys_that_matter(told: dict[str, str]) -> None:
    _, _, after = told["train"].partition("The keys that matter most:\n")
    keys = after.partition("\n\n")[0].splitlines()
    assert len(keys) == 10
    assert all(re.match(r"  [a-z_.]+ {3,}\S.*", line) for line in keys)


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in ("train", "benchmark")])
def test_each_key_has_a_sentence_and_its_default(script: str, told: dict[str, str]) -> None:
    keys = told[script].partition("Keys (key=value):\n")[2]
    entries = re.split(r"\n(?=  \S)", keys.rstrip())
    assert len(entries) > 3
    assert all(re.search(r"\S  +\S.*\(\S+\)$", entry, re.DOTALL) for entry in entries)
    needed = [number for number, entry in enumerate(entries) if entry.endswith("(needed)")]
    assert needed == list(range(len(needed)))
