"""The README stays short and links its pages; what others know is here by the name that a page says."""

import re
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml

import rnnlab
from rnnlab.errors import ConfigError
from rnnlab.training.train import configuration
from tests.readme.text import PAGES, ROOT

FIRST = (ROOT / "README.md").read_text(encoding="utf-8")
COMING_FROM = (ROOT / ".readme" / "coming_from.md").read_text(encoding="utf-8")
TABLES = {
    heading: re.findall(r"^\| .*\| `([^`]+)` \|$", table, re.MULTILINE)
    for heading, table in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", COMING_FROM, re.MULTILINE | re.DOTALL)
}

WHAT_A_MACHINE_MAY_LACK = {
    **({} if torch.cuda.device_count() > 1 else {"trainer=gpu": "no CUDA GPU|trainer.devices"}),
    **({} if find_spec("datasets") else {"data=hf": "needs datasets"}),
}
"""Words, and what is said where the machine lacks what they ask for."""


def test_the_first_page_is_short() -> None:
    assert len(FIRST.splitlines()) <= 220


def test_every_page_is_linked_and_every_link_leads_somewhere() -> None:
    assert len(PAGES) > 5
    assert [page.name for page in PAGES if f"(.readme/{page.name})" not in FIRST] == []
    for file in (ROOT / "README.md", *PAGES):
        links = re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (file.parent / link).exists()] == []


def test_there_are_ten_lines_for_each() -> None:
    assert list(TABLES) == ["Lightning, and its Hydra template", "Hugging Face", "fastai", "Keras"]
    assert all(len(lines) >= 10 for lines in TABLES.values())


@pytest.mark.parametrize(
    "words", [line for name, lines in TABLES.items() for line in lines if name != "Keras"]
)
def test_what_is_said_of_others_composes(words: str) -> None:
    assert configuration(words.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [line for name, lines in TABLES.items() for line in lines if name != "Keras" and "sweep=" not in line],
)
def test_what_is_said_of_others_trains(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "a film,good/short\nno film,bad/short\n" * 40
    Path("mine.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    lacking = next((need for key, need in WHAT_A_MACHINE_MAY_LACK.items() if key in words), None)
    debug = [] if "debug=" in words else ["debug=fast_dev_run"]
    with nullcontext() if lacking is None else pytest.raises(ConfigError, match=lacking):
        assert (rnnlab.train([*words.split(), *debug, "baselines=false"]) / "config.yaml").is_file()


def test_it_can_be_cited_as_what_it_is() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (rnnlab.__version__, "MIT")
    assert f'version = "{rnnlab.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert steps[-1]["run"] == "bash .ci/run slow"
    assert (ROOT / ".ci" / "run").is_file()
