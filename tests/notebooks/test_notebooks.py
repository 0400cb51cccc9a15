"""The notebooks run from top to bottom, on tiny invented texts, and are kept with outputs worth keeping."""

import re
import runpy
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rnnlab.errors import RnnlabError
from rnnlab.notebooks import KERNEL, executed, normalised
from tests.training.conftest import write_reviews

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    *("01_sentiment", "02_language_model", "03_vanishing_gradient", "04_sweep_and_compare"),
    *("05_forecasting", "06_speech"),
)
LARGEST = 600_000  # bytes
OF_A_MACHINE = re.compile(r"(?<![\w.~])/(?:root|home|Users|tmp|var|usr|opt|mnt|work|private)/")
TINY = [
    "model.hidden_size=8",
    "model.backend=torch",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "baselines=false",
]


def settings(place: Path) -> dict[str, dict[str, Any]]:
    """What makes seconds of each notebook; the texts are in ``place``."""
    reviews = write_reviews(place / "reviews.csv")
    roses = place / "roses.txt"
    roses.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 60), encoding="utf-8")
    table = ["data=csv", f"data.corpus.train={reviews}", "data.vocabulary.min_frequency=1"]
    classify = ["batches.batch_size=16", "task.embedding_size=8", "optimizer.lr=0.01"]
    predict = ["batches.batch_size=4", "batches.bptt=9", "task.embedding_size=8", "optimizer.lr=0.02"]
    few = ["data.corpus.validation=8", "data.corpus.test=4"]
    remember = ["batches.train=128", "batches.validation=32", "batches.test=32"]
    return {
        "01_sentiment": {"data": table, "network": ["model=gru"], "training": [*TINY, *classify]},
        "02_language_model": {
            "data": ["data=text", f"data.corpus.train={roses}"],
            "network": ["model=lstm"],
            "training": [*TINY, *predict],
            "prompt": "the rose is",
        },
        "03_vanishing_gradient": {
            "distances": [6],
            "epochs": 1,
            "small": [*(word for word in TINY if "max_epochs" not in word), *remember],
        },
        "04_sweep_and_compare": {
            "data": " ".join(table),
            "swept": "model=rnn,gru seed=1,2",
            "fixed": " ".join([*TINY, *classify]),
        },
        "05_forecasting": {
            "data": ["data=made_series", "data.corpus.towns=2", "data.corpus.steps=600"],
            "network": ["model=gru"],
            "training": [*(word for word in TINY if "baselines" not in word), "data.look_back=24"],
        },
        "06_speech": {
            "data": ["data=touch_tones", "data.corpus.train=60", "data.corpus.longest=3", *few],
            "network": ["model=gru"],
            "training": TINY,
        },
    }


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Mapping[str, Future[Any]]:
    """The notebooks that are asked for, executed in a copy of the checkout's layout, two at a time."""
    here = [item for item in request.session.items if item.path == Path(__file__)]
    asked = {item.callspec.params["name"] for item in here if "done" in item.fixturenames}  # type: ignore[attr-defined]
    place = tmp_path_factory.mktemp("checkout")
    (place / "scripts").symlink_to(ROOT / "scripts")
    (place / "notebooks").mkdir()
    environment = {
        "RNNLAB_CACHE_DIR": str(place / "cache"),
        "RNNLAB_DATA_DIR": str(place / "data"),
        "IPYTHONDIR": str(place / "ipython"),
        "OMP_NUM_THREADS": "1",
    }
    with ThreadPoolExecutor(2) as pool:
        return {
            name: pool.submit(executed, kept_file(name), wanted, place / "notebooks", environment)
            for name, wanted in settings(place).items()
            if name in asked
        }


def kept_file(name: str) -> Path:
    return ROOT / "notebooks" / f"{name}.ipynb"


def kept(name: str) -> Any:
    return nbformat.read(kept_file(name), as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts_of(cell: Any) -> str:
    """All of a cell's outputs that can be read."""
    parts = [output.get("text", "") for output in cell.outputs]
    parts += [
        str(content)
        for output in cell.outputs
        for kind, content in output.get("data", {}).items()
        if not kind.startswith("image/")
    ]
    return "\n".join(parts)


def test_all_are_there() -> None:
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if number else pytest.mark.thorough)
        for number, name in enumerate(NAMES)
    ],
)
def test_it_runs_and_says_as_much_as_what_is_kept(name: str, done: Mapping[str, Future[Any]]) -> None:
    cells = code_cells(done[name].result())
    for cell in cells:
        assert not [output for output in cell.outputs if output.get("name") == "stderr"], texts_of(cell)
    ours = code_cells(kept(name))
    del cells[1 + next(at for at, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", ()))]
    assert [cell.source for cell in cells] == [cell.source for cell in ours]
    assert [bool(cell.outputs) for cell in cells] == [bool(cell.outputs) for cell in ours]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_whole(name: str) -> None:
    notebook = kept(name)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [output for output in cell.outputs if output.output_type == "error"]
        assert not [output for output in cell.outputs if output.get("name") == "stderr"], texts_of(cell)
    drawn = [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(drawn) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_of_no_machine(name: str) -> None:
    notebook = kept(name)
    for cell in notebook.cells:
        found = OF_A_MACHINE.search(cell.source + "\n" + (texts_of(cell) if "outputs" in cell else ""))
        assert found is None, f"{found} in {cell.source[:80]}"
    text = kept_file(name).read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    assert nbformat.writes(normalised(notebook)).rstrip() + "\n" == text


def test_the_kernel_is_this_python_and_settings_count(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {**KERNEL, "name": "another"}})
    first = nbformat.v4.new_code_cell("word = 'before'", metadata={"tags": ["parameters"]})
    second = nbformat.v4.new_code_cell("import os, sys\nprint(sys.executable)\nprint(word, os.getcwd())")
    notebook.cells += [first, second]
    nbformat.write(notebook, tmp_path / "asks.ipynb")
    found = executed(tmp_path / "asks.ipynb", {"word": "set anew"})
    (output,) = found.cells[-1].outputs
    assert output.text == f"{sys.executable}\nset anew {tmp_path}\n"
    assert found.metadata == {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    assert nbformat.read(tmp_path / "asks.ipynb", as_version=4).cells[-1].outputs == []


def test_a_cell_that_fails_is_told_and_settings_need_their_cell(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell("raise KeyError('lost')"))
    nbformat.write(notebook, tmp_path / "fails.ipynb")
    with pytest.raises(RnnlabError, match=r"fails\.ipynb: a cell failed\.[\s\S]*lost"):
        executed(tmp_path / "fails.ipynb")
    with pytest.raises(ValueError, match="no cell is tagged parameters"):
        executed(tmp_path / "fails.ipynb", {"word": 1})


def test_the_command_keeps_outputs_and_leaves_a_file_that_fails_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["execute_notebooks.py", *words])
        try:
            runpy.run_path(str(ROOT / "scripts" / "execute_notebooks.py"), run_name="__main__")
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    notebook = nbformat.v4.new_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell("print('one')\nprint('two')"))
    file = tmp_path / "counts.ipynb"
    nbformat.write(notebook, file)
    assert command(str(file)) == 0
    (output,) = nbformat.read(file, as_version=4).cells[0].outputs
    assert output.text == "one\ntwo\n"
    notebook.cells[0].source = "print(three)"
    nbformat.write(notebook, file)
    before = file.read_bytes()
    assert command(str(file)) == 2
    assert "three" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert command(str(tmp_path / "nowhere.ipynb")) == 2
