"""Whatever a configuration from a file names, nothing but the listed classes is imported or made."""

import contextlib
import importlib
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

import rnnlab.build
from rnnlab.command_line import exit_by
from rnnlab.corpora.corpus import Corpus
from rnnlab.corpora.memory_problems import MemoryProblem
from rnnlab.errors import ConfigError, RunError
from rnnlab.named_classes import LISTED, OURS, check_classes, classes_in, is_listed
from rnnlab.named_classes import PLACES as BUILT
from rnnlab.runs.evaluation import evaluated
from rnnlab.runs.load import UNUSED, load
from rnnlab.tasks.task import Task
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.training.init_from import read_source, starting_of, starting_point
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.runs.conftest import Finished, composed_of

KINDS: dict[str, Any] = {
    "task": Task,
    "batches": rnnlab.data.task_data.TaskData,  # type: ignore[attr-defined]
    "data.corpus": (Corpus, MemoryProblem),
    "tokenizer": Tokenizer,
    "model": torch.nn.Module,
    "optimizer": torch.optim.Optimizer,
    "scheduler": torch.optim.lr_scheduler.LRScheduler,
    "callbacks.extra": Callback,
    "logger.extra": Logger,
}
MODULES = {name.rpartition(".")[0] for names in LISTED.values() for name in names}


def test_every_listed_class_is_of_its_kind() -> None:
    for place, names in LISTED.items():
        for name in names:
            cls = rnnlab.build.locate_class(name, KINDS[place], place)
            assert cls.__qualname__ == name.rpartition(".")[2]


def test_whatever_conf_names_is_listed() -> None:
    conf = Path(__file__).resolve().parents[2] / "conf"
    named = {
        name
        for file in conf.rglob("*.yaml")
        if not {"hydra", "logger"} & {*file.parts} and "hydra:" not in file.read_text()
        for _, name in classes_in(yaml.safe_load(file.read_text()))
    }
    assert len(named) > 20
    assert [name for name in named - {"???"} if not any(is_listed(place, name) for place in BUILT)] == []


def test_only_what_a_module_defines_is_ours() -> None:
    assert is_listed("task", "rnnlab.tasks.memory.task.MemoryTask")
    for name in (
        *(
            "rnnlab.tasks.memory.task.Tensor",
            "rnnlab.tasks.memory.task.Task",
            "rnnlab.tasks.memory.MemoryTask",
        ),
        *("rnnlab.encoder.recurrent.RecurrentEncoder", "rnnlab.tasks..memory.task.MemoryTask", "MemoryTask"),
        *("rnnlab.tasks.nowhere.MemoryTask", "rnnlab_tasks.memory.task.MemoryTask", "rnnlab.tasksy.a.B"),
    ):
        assert not is_listed("task", name), name


class Hostile(NamedTuple):
    """A run of each task to be altered, a module whose import leaves a trace, and that trace."""

    sentiment: Path
    language: Path
    witness: Path


@pytest.fixture(scope="module")
def hostile(
    sentiment: Finished, language: Finished, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hostile]:
    room = tmp_path_factory.mktemp("hostile")
    (room / "modules").mkdir()
    (room / "modules" / "seen_by_import.py").write_text(
        f"import pathlib\nfrom subprocess import Popen\npathlib.Path({str(room / 'witness')!r}).touch()\n"
        "class Cell: pass\n"
    )
    runs = [shutil.copytree(run.folder, room / run.data.stem) for run in (sentiment, language)]
    sys.path.insert(0, str(room / "modules"))
    yield Hostile(Path(runs[0]), Path(runs[1]), room / "witness")
    sys.path.remove(str(room / "modules"))
    sys.modules.pop("seen_by_import", None)


def altered(run: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Add keys to sections of a run's configuration, in its file and in its checkpoint."""
    best = run / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    config = content["rnnlab"]["config"]
    for place, keys in changes.items():
        part = config
        for name in filter(None, place.split(".")):
            if not isinstance(part.get(name), dict):
                part[name] = {}
            part = part[name]
        part.update(keys)
    torch.save(content, best)
    written = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    (run / "config.yaml").write_text(written, encoding="utf-8")


@contextlib.contextmanager
def as_before(run: Path) -> Iterator[None]:
    """Give a run its files back."""
    files = [run / "config.yaml", run / "checkpoints" / "best.ckpt"]
    kept = [file.read_bytes() for file in files]
    try:
        yield
    finally:
        for file, content in zip(files, kept, strict=True):
            file.write_bytes(content)


POPEN = "subprocess.Popen"
NAMES = st.sampled_from(
    [
        *(POPEN, "os.system", "builtins.eval", "antigravity.fly", "idlelib.idle.Idle", "turtle.Turtle"),
        *("seen_by_import.Cell", "seen_by_import.Popen", "seen_by_import", "seen_by_import.Cell.__init__"),
        *("rnnlab.tasks.figures.SummaryWriter", "rnnlab.runs.load.Path", "rnnlab.build.importlib"),
        *("rnnlab.text.tokenizers.Tokenizer.__class__", "rnnlab.text.tokenizers._Words", "rnnlab.train"),
        *("rnnlab.encoder.encoder.torch.hub.load", "rnnlab.seen_by_import.Cell", "rnnlab..os.system"),
        *("torch.hub.load", "torch.load", "torch.nn.Module", "torch.optim.lr_scheduler.LambdaLR"),
        *("torch.utils.cpp_extension.load_inline", "torch.optim.adam.torch", "torch.optim.Optimizer"),
        *("lightning.pytorch.cli.LightningCLI", "lightning.Trainer", "hydra.utils.instantiate"),
        *("functools.partial", "pickle.Unpickler", "shutil.rmtree", ".os.system", "os.", "", "???"),
        *(
            "${oc.env:HOME}",
            "${seen_by_import.Cell}",
            "rnnlab.encoder.recurrent.RecurrentEncoder\n",
            "a\0b.C",
        ),
        *(name for names in LISTED.values() for name in names),
        *("rnnlab.tasks.memory.task.MemoryTask", "rnnlab.tasks.sentiment.data.SentimentData"),
        *("rnnlab.corpora.imdb.Imdb", "rnnlab.text.tokenizers.Characters", "rnnlab.tasks.task.Task"),
        *("rnnlab.encoder.regularised.RegularisedEncoder", "rnnlab.optimization.averaged_sgd.AveragedSGD"),
    ]
)
IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z_0-9]{0,8}", fullmatch=True)
DOTTED = st.lists(IDENTIFIERS | st.sampled_from(["rnnlab", "torch", "os", "seen_by_import", "__class__"]))
VALUES = st.one_of(
    *(NAMES, NAMES, DOTTED.map(".".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=30)),
    *(st.none(), st.integers(), st.floats(), st.booleans(), st.lists(NAMES, max_size=2)),
    st.dictionaries(st.sampled_from(["_target_", "_args_", "a"]), NAMES, max_size=2),
)
PLACES = st.sampled_from(
    [
        *BUILT,
        *("", "trainer", "trainer.strategy_options", "callbacks.early_stopping", "callbacks.mine", "logger"),
        *(
            "model.layer.cell",
            "data",
            "data.vocabulary",
            "data.corpus.inner",
            "task.language_loss",
            "own.deep",
        ),
    ]
)
INSTRUCTIONS = st.sampled_from(
    ["_partial_", "_args_", "_convert_", "_recursive_", "_method_", None, None, None]
)
WAYS = ("load", "evaluate", "resume", "init_from")


def work(way: str, hostile: Hostile) -> None:
    """Do with an altered run what a command would do before it trains or scores."""
    if way == "load":
        load(hostile.sentiment, device="cpu")
    elif way == "evaluate":
        evaluated(hostile.sentiment, device="cpu")
    elif way == "resume":
        stored = resumed_config({"resume": str(hostile.sentiment)}, RunFolder(hostile.sentiment), [])
        rnnlab.training.fit.assemble_data(stored)  # type: ignore[attr-defined]
    else:
        starting = starting_of(COMPOSED)
        starting.adopted(
            {**COMPOSED, "model": {}, "tokenizer": {}}, read_source(hostile.language, starting), ()
        )


OTHERS = ("", "task", "batches", "data", "optimizer", "scheduler", "trainer", "callbacks", "logger", "own")
COMPOSED = {
    "task": {"name": "sentiment", "_target_": "rnnlab.tasks.sentiment.task.SentimentClassifier"},
    "init_from": "a run",
}


def outcome(work: Callable[[], None]) -> tuple[int, str]:
    """Return the exit status of a command, and what it says to the terminal."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            exit_by(work)
        except SystemExit as stop:
            return int(stop.code or 0), said.getvalue()
    return 0, said.getvalue()


def check_names(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, way: str, named: dict[str, Any], key: str | None
) -> None:
    """Alter a run so that it names something, use it, and look at what was imported."""
    imported: list[str] = []
    true_import = importlib.import_module

    def watched(name: str, package: str | None = None) -> Any:
        imported.append(name)
        return true_import(name, package)

    run = hostile.language if way == "init_from" else hostile.sentiment
    with as_before(run), monkeypatch.context() as patch:
        more = {key: ["true"]} if key else {}
        altered(run, {place: {"_target_": value, **more} for place, value in named.items()})
        patch.setattr(rnnlab.build.importlib, "import_module", watched)
        status, said = outcome(lambda: work(way, hostile))
    ours = tuple(f"{package}." for package in (*OURS.values(), "rnnlab.cells"))
    assert all(module in MODULES or f"{module}.".startswith(ours) for module in imported)
    assert not hostile.witness.exists()
    assert {"antigravity", "turtle", "idlelib"}.isdisjoint(sys.modules)
    assert status in (0, 2)
    assert said.count("Error: ") == (status == 2)
    assert "Traceback" not in said
    unused = {"init_from": OTHERS, "load": UNUSED, "evaluate": UNUSED}.get(way, ())
    used = {place for place in named if place.split(".")[0] not in unused}
    listed = all(is_listed(place, named[place]) for place in used)
    assert listed or status == 2
    if used and key:
        assert status == 2


FEW, MORE, MANY = 50, 500, 10_000


@pytest.mark.parametrize(
    "total",
    [FEW, pytest.param(MORE, marks=pytest.mark.thorough), pytest.param(MANY, marks=pytest.mark.slow)],
)
def test_nothing_outside_the_lists_is_imported(
    total: int, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = {
        "way": st.sampled_from(WAYS),
        "named": st.dictionaries(PLACES, VALUES, min_size=1, max_size=2),
        "key": INSTRUCTIONS,
    }

    @settings(
        max_examples=total,
        derandomize=total < MANY,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(**mixed)
    def attempt(way: str, named: dict[str, Any], key: str | None) -> None:
        check_names(hostile, monkeypatch, way, named, key)

    attempt()


WRITER = "rnnlab.tasks.figures.SummaryWriter"  # which that module merely imports
Command = Callable[..., int]


@pytest.mark.parametrize(
    ("words", "place", "target"),
    [
        (["train", "resume={sentiment}"], "data.corpus", POPEN),
        (["train", "resume={sentiment}"], "tokenizer", WRITER),
        (["train", "resume={sentiment}"], "batches", "rnnlab.data.text_data.TextData"),
        (["evaluate", "run={sentiment}"], "data.corpus", WRITER),
        (["evaluate", "run={sentiment}"], "tokenizer", WRITER),
        (["export", "run={sentiment}", "format=int8", "output={out}"], "data.corpus", WRITER),
        (["predict", "run={sentiment}", "text=fine"], "tokenizer", WRITER),
        (["generate", "run={language}", "prompt=the"], "scheduler", POPEN),
        (["train", "init_from={language}", "data=csv", "data.corpus.train={table}"], "tokenizer", WRITER),
        (["train", "init_from={language}", "data=csv", "data.corpus.train={table}"], "model.inner", POPEN),
    ],
)
def test_no_command_makes_what_a_run_names(
    words: list[str],
    place: str,
    target: str,
    hostile: Hostile,
    sentiment: Finished,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    trace = tmp_path / "trace"
    options = {POPEN: {"args": ["touch", str(trace)]}, WRITER: {"log_dir": str(trace)}}.get(target, {})
    places = {**hostile._asdict(), "table": sentiment.data, "out": tmp_path / "a.onnx"}
    run = hostile.sentiment if "{sentiment}" in words[1] else hostile.language
    (run / "metrics.json").rename(tmp_path / "metrics.json")  # there is something left to do
    with as_before(run):
        altered(run, {place: {"_target_": target, **options}})
        status = command(*(word.format_map(places) for word in words))
    (tmp_path / "metrics.json").rename(run / "metrics.json")
    assert not trace.exists()
    assert status == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert said.count("Error: ") == 1
    assert f"its configuration names {target} ({place})" in said


def test_the_checkpoint_that_a_run_goes_on_from_names_no_more_than_the_run(
    hostile: Hostile, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(hostile.sentiment, tmp_path / "run"))
    (run / "metrics.json").unlink()
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    content["rnnlab"]["config"]["tokenizer"]["_target_"] = "seen_by_import.Cell"
    torch.save(content, run / "checkpoints" / "last.ckpt")
    assert command("train", f"resume={run}") == 2
    assert "last.ckpt is refused: its configuration names seen_by_import.Cell" in capsys.readouterr().err
    assert not hostile.witness.exists()


def test_what_training_starts_from_is_looked_at_by_fit_itself(hostile: Hostile, sentiment: Finished) -> None:
    words = [f"init_from={hostile.language}", "data=csv", f"data.corpus.train={sentiment.data}"]
    config = composed_of(words)
    starting = starting_of(config)
    config = starting.adopted(config, read_source(hostile.language, starting), ())
    with as_before(hostile.language):
        altered(hostile.language, {"model.inner": {"_target_": "seen_by_import.Cell"}})
        with pytest.raises(RunError, match=r"names seen_by_import\.Cell \(model\.inner\)"):
            starting_point(config, None)
    assert starting_point(config, None) is not None
    assert not hostile.witness.exists()


def test_what_the_command_names_or_trusts_the_run_may_name(hostile: Hostile) -> None:
    own = {"tokenizer": {"_target_": "my_text.Words"}, "model": {"_target_": "my_cell.Cell"}}
    check_classes(own, "a file", "my_text,my_cell")
    check_classes(own, "a file", ["my_text"], chosen={"model": {"_target_": "my_cell.Cell"}})
    with pytest.raises(RunError, match=r"names my_cell\.Cell \(model\).*pass trust=\[my_text,my_cell\]"):
        check_classes(own, "a file", "my_text", chosen={"task": {"_target_": "my_cell.Cell"}})
    with pytest.raises(ConfigError, match="trust=my-cell: expected the names of packages"):
        check_classes(own, "a file", "my-cell")


def test_what_a_trusted_module_merely_imports_is_still_of_no_use(hostile: Hostile) -> None:
    with as_before(hostile.sentiment):
        altered(hostile.sentiment, {"data.corpus": {"_target_": "seen_by_import.Popen", "args": ["true"]}})
        with pytest.raises(ConfigError, match="is not a class derived from Corpus or MemoryProblem"):
            evaluated(hostile.sentiment, device="cpu", trust=["seen_by_import"])
    hostile.witness.unlink()
    sys.modules.pop("seen_by_import")


def test_a_configuration_that_holds_itself_is_looked_at_once() -> None:
    config: dict[str, Any] = {"model": {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder"}}
    config["model"]["inner"] = inner = [{}]
    inner.append(inner)  # type: ignore[arg-type]
    check_classes(config, "a file")
    inner.append({"again": config, "_target_": "os.system"})
    with pytest.raises(RunError, match=r"names os\.system \(model\.inner\.2\)"):
        check_classes(config, "a file")


def test_a_name_out_of_a_run_leads_nowhere_else(
    hostile: Hostile, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    room = hostile.sentiment.parent
    before = set(room.rglob("*"))
    with as_before(hostile.sentiment):
        altered(hostile.sentiment, {"data": {"name": "../../../outside"}})
        assert command("evaluate", f"run={hostile.sentiment}") == 2
    assert "which is no file in" in capsys.readouterr().err.replace("\n", " ")
    assert set(room.rglob("*")) == before
    assert not list(room.parent.rglob("*outside_test*"))
