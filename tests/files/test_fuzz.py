"""Mutated files of runs, sweeps, the cache and tables through the scripts: status 0 or 2, one message, no
traceback, within bounds of memory and time.

A hundred mutations; five hundred with ``-m thorough``, ten thousand with ``-m slow``.
"""

import csv
import io
import json
import os
import re
import resource
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.tensorboard import SummaryWriter

from rnnlab.figures.documents import ScoredDocuments
from rnnlab.text.encoded import EncodedCorpus, encoded_corpus
from rnnlab.text.tokenizers import Whitespace
from tests.files.mutations import as_json, mutated, place, scratched
from tests.results.run_makers import sweep
from tests.runs.conftest import finish
from tests.text.test_encoded import TinyCorpus
from tests.training.conftest import write_reviews

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ROOM = 2 << 30  # bytes more than the process has when a script begins
PATIENCE = 10.0  # seconds of the processor, beyond which something is endless
WAIT = 300.0  # seconds of the clock, beyond which something waits for what never comes
QUICK, OFTEN, LONG = 100, 500, 10_000
SHARES = {"run": 0.34, "sweep": 0.12, "checkpoint": 0.24, "answers": 0.1, "manifest": 0.1, "table": 0.1}


def many(kind: str, total: int) -> Callable[[Any], Any]:
    """Return what lets a test try its share of a number of mutations."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=int(total * SHARES[kind]),
        derandomize=total < LONG,  # the same every time; the long way looks further
        suppress_health_check=checks,
        database=None,
    )


@contextmanager
def bounded() -> Iterator[None]:
    """Fail whoever takes more memory than ``ROOM``, or more time than ``PATIENCE``."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"it took more than {PATIENCE} s, or waited for ever")

    with open("/proc/self/statm") as file:  # noqa: PTH123
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = {number: signal.signal(number, too_long) for number in (signal.SIGPROF, signal.SIGALRM)}
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    signal.setitimer(signal.ITIMER_REAL, WAIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def check(script: str, *words: object, within: Callable[[], AbstractContextManager[None]] = bounded) -> str:
    """Give a command and return what it says; an exception that is not a message ends the test."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    before = sys.argv
    sys.argv = [f"{script}.py", *map(str, words)]
    GlobalHydra.instance().clear()
    status = 0
    try:
        with redirect_stdout(said), redirect_stderr(said), within():
            runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")
    except SystemExit as stop:
        status = int(stop.code or 0)
    finally:
        sys.argv = before
    said.flush()
    text = said.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    assert status in (0, 2), text
    assert len(re.findall("^Error: ", text, re.MULTILINE)) == (status == 2), text
    assert "Traceback" not in text
    assert not set(text) & set("\x1b\x07\u202e\ud800"), repr(text)
    return text


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """Yield a copy of a folder, with caches of its own; another's would be mutated on."""
    with tempfile.TemporaryDirectory() as room:
        yield Path(shutil.copytree(folder, Path(room) / folder.name, symlinks=True))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's folder with two finished runs, scalars and answers among what they left."""
    room = tmp_path_factory.mktemp("fuzz")
    table = write_reviews(room / "reviews.csv", count=60)
    own = ("data=csv", "data.vocabulary.min_frequency=1", "model.backend=torch", "trainer.max_epochs=1")
    trained = finish(room, table, *own)
    folder = room / "logs"
    for name in ("seed=1", "seed=2"):
        shutil.copytree(trained.folder, folder / name)
        with SummaryWriter(str(folder / name)) as writer:  # type: ignore[no-untyped-call]
            for step in range(3):
                writer.add_scalar("train/loss", 1 / (step + 1), step)  # type: ignore[no-untyped-call]
                writer.add_scalar("validation/loss", 1 / (step + 1), step)  # type: ignore[no-untyped-call]
        figures = folder / name / "figures"
        shutil.rmtree(figures, ignore_errors=True)
        shares = np.linspace(0.1, 0.9, 40, dtype=np.float32)
        ScoredDocuments(
            documents=np.arange(40),
            probabilities=np.stack([shares, 1 - shares], axis=1),
            labels=np.arange(40) % 2,
            lengths=np.arange(40) + 1,
            classes=("bad", "good"),
        ).save(figures / "documents_test.npz")
    whole = {
        "results": (folder,),
        "predict": (f"run={folder / 'seed=1'}", "text=a fine film", "device=cpu"),
        "evaluate": (f"run={folder / 'seed=1'}", "device=cpu"),
        "plot": (f"run={folder / 'seed=1'}",),
        "train": (f"resume='{folder / 'seed=1'}'", "trainer.max_epochs=1", "logger=none"),
    }
    for script, words in whole.items():  # what is whole is taken; and whatever is imported is by now
        assert "Error: " not in check(script, *words, within=nullcontext)
    sweep(folder, {"seed=1": ["seed=1"], "seed=2": ["seed=2"], "seed=3": ["seed=3"]}, pruned=["seed=2"])
    return folder


def try_run(logs: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["config.yaml", "metrics.json", "progress.json", "origin.json"]))
    with copied(logs) as folder:
        file = folder / "seed=2" / name
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        dump = as_json if name.endswith("json") else as_yaml
        place(file, data.draw(mutated(file.read_bytes(), content, dump)))
        if name == "progress.json":  # it counts as long as the run has no figures
            (folder / "seed=2" / "metrics.json").unlink()
        commands = ["results", "table", "train" if name == "config.yaml" else "evaluate"]
        match data.draw(st.sampled_from(commands)):
            case "results":
                said = check("results", folder, "metrics=all", "each=true")
                assert "seed=1" in said or "seed" in said  # one bad folder does not take the table with it
            case "table":
                check("results", folder, "format=csv")
            case "train":
                check("train", f"resume='{folder / 'seed=2'}'", "trainer.max_epochs=1", "logger=none")
            case "evaluate":
                check("evaluate", f"run={folder / 'seed=2'}", "device=cpu")


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, allow_unicode=True).encode("utf-8", errors="surrogatepass")


def try_sweep(logs: Path, data: st.DataObject) -> None:
    with copied(logs) as folder:
        file = folder / "sweep.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        place(file, data.draw(mutated(file.read_bytes(), content, as_yaml)))
        check("results", folder, *data.draw(st.sampled_from([(), ("where=status!=failed", "each=true")])))


def try_checkpoint(logs: Path, data: st.DataObject) -> None:
    with copied(logs / "seed=1") as folder:
        name = data.draw(st.sampled_from(["best", "best", "best", "last"]))
        file = folder / "checkpoints" / f"{name}.ckpt"
        content = torch.load(file, weights_only=True)

        def saved(changed: Any) -> bytes:
            target = io.BytesIO()
            torch.save(changed, target)
            return target.getvalue()

        place(file, data.draw(mutated(file.read_bytes(), content, saved)))
        if name == "best":
            check("predict", f"run={folder}", "text=a fine film", "device=cpu")
        else:
            check("train", f"resume='{folder}'", "trainer.max_epochs=2", "logger=none")


def try_answers(logs: Path, data: st.DataObject) -> None:
    with copied(logs / "seed=1") as folder:
        events = next(folder.glob("events*"))
        file = data.draw(st.sampled_from([events, folder / "figures" / "documents_test.npz"]))
        change = data.draw(scratched(file.read_bytes()) | st.sampled_from(["folder", "device", "hole"]))
        place(file, change)
        check("plot", f"run={folder}")


def try_manifest(data: st.DataObject, room: Path) -> None:
    shutil.rmtree(room / "cache", ignore_errors=True)
    os.environ["RNNLAB_CACHE_DIR"] = str(room / "cache")
    expected = ids_of(encoded(TinyCorpus()))  # copies: the file under a map is about to change
    (entry,) = (room / "cache" / "encoded").iterdir()
    file = data.draw(st.sampled_from(sorted(entry.iterdir())))
    whole = file.read_bytes()
    change = data.draw(
        scratched(whole) if file.suffix == ".npy" else mutated(whole, json.loads(whole), as_json)
    )
    place(file, change)
    with bounded():
        assert ids_of(encoded(TinyCorpus())) == expected


def ids_of(corpus: EncodedCorpus) -> dict[str, list[list[int]]]:
    return {
        name: [split[number].tolist() for number in range(len(split))]
        for name, split in corpus.splits.items()
    }


def encoded(corpus: TinyCorpus) -> EncodedCorpus:
    return encoded_corpus(corpus, Whitespace(), splits=("train", "test"))


def try_table(logs: Path, data: st.DataObject) -> None:
    with copied(logs / "seed=1") as folder:
        ending = data.draw(st.sampled_from(["csv", "tsv", "jsonl", "txt"]))
        table = folder / f"table.{ending}"
        rows = [{"text": f"a fine film {n}", "label": ("good", "bad")[n % 2]} for n in range(6)]
        if ending == "jsonl":
            table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        else:
            with table.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["text", "label"], delimiter="\t" if ending == "tsv" else ",")
                writer.writeheader()
                writer.writerows(rows)
        change = data.draw(scratched(table.read_bytes()))
        if data.draw(st.booleans()):
            change += data.draw(st.sampled_from([b'{"text": "\\ud800", "label": "x"}\n', b"=1+1,\x1b[2J\n"]))
        table.write_bytes(change)
        output = f"output={folder / 'predicted.csv'}"
        check("predict", f"run={folder}", f"input={table}", output, "device=cpu")


@many("run", QUICK)
@given(st.data())
def test_files_of_a_run(logs: Path, data: st.DataObject) -> None:
    try_run(logs, data)


@many("sweep", QUICK)
@given(st.data())
def test_files_of_a_sweep(logs: Path, data: st.DataObject) -> None:
    try_sweep(logs, data)


@many("checkpoint", QUICK)
@given(st.data())
def test_checkpoints(logs: Path, data: st.DataObject) -> None:
    try_checkpoint(logs, data)


@many("answers", QUICK)
@given(st.data())
def test_event_files_and_answers(logs: Path, data: st.DataObject) -> None:
    try_answers(logs, data)


@many("manifest", QUICK)
@given(st.data())
def test_the_cache(tmp_path: Path, data: st.DataObject) -> None:
    try_manifest(data, tmp_path)


@many("table", QUICK)
@given(st.data())
def test_tables(logs: Path, data: st.DataObject) -> None:
    try_table(logs, data)


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize(
    "total", [pytest.param(OFTEN, marks=pytest.mark.thorough), pytest.param(LONG, marks=pytest.mark.slow)]
)
def test_more_mutations(total: int, kind: str, logs: Path, tmp_path: Path) -> None:
    tries: dict[str, Callable[[st.DataObject], None]] = {
        "run": lambda data: try_run(logs, data),
        "sweep": lambda data: try_sweep(logs, data),
        "checkpoint": lambda data: try_checkpoint(logs, data),
        "answers": lambda data: try_answers(logs, data),
        "manifest": lambda data: try_manifest(data, tmp_path),
        "table": lambda data: try_table(logs, data),
    }

    @many(kind, total)
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        tries[kind](data)

    attempt()
