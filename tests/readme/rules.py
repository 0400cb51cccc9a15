"""How each command of the README is tested, by its form.

A rule takes the words of a command and the reader who gives it. Commands that take long, or need what a test
has not, are composed; the slow tests give them with less to do.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import hydra
import lightning
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
from omegaconf import OmegaConf
from packaging.specifiers import SpecifierSet

from rnnlab.benchmarks.settings import Settings
from rnnlab.build import check_arguments
from rnnlab.command_line import register_resolvers
from rnnlab.training.hardware import CUDA_GRAPH
from rnnlab.training.train import configuration
from tests.readme.text import ROOT
from tests.results.run_makers import config, finished
from tests.runs.conftest import Finished

QUICK = ["debug=fast_dev_run", "logger=none", "model.backend=torch", "trainer=cpu"]
"""A training of three steps."""


@dataclass
class Reader:
    """Who gives the commands.

    Attributes:
        place: the working folder, with every corpus that the README names.
        give: gives a command of ``scripts/`` and returns its status.
        classifier: a finished run.
        language_model: another.
        runs_long_ones: whether commands that take long are given, too.
    """

    place: Path
    give: Callable[..., int]
    classifier: Finished
    language_model: Finished
    runs_long_ones: bool


def environment(words: list[str], reader: Reader) -> None:
    """Made by .ci/run out of the README's own lines."""
    setup = subprocess.run(
        ["sed", "-n", "/<!-- test command -->/,/```$/p", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    line = setup.stdout.splitlines()[2]
    assert "python3 -m venv .venv && . .venv/bin/activate && pip install" in line
    assert line.endswith("&& pytest -n 2")


def installing(words: list[str], reader: Reader) -> None:
    """Every extra is one that the package has."""
    known = metadata("rnnlab").get_all("Provides-Extra") or []
    assert words[:3] == ["pip", "install", "-e"]
    assert set(re.findall(r"\w+", words[3])) <= set(known)


def by_uv(words: list[str], reader: Reader) -> None:
    """The Python is one that the package is for, the extras are its own; nothing is fetched for a test."""
    if words[1] == "venv" and "--python" in words:
        assert SpecifierSet(metadata("rnnlab")["Requires-Python"]).contains(words[-1])
    if words[1] == "pip":
        installing(["pip", "install", *words[words.index("-e") :]], reader)


def installed_tool(words: list[str], reader: Reader) -> None:
    """It comes with the package, or with its extra ``dev``, and is installed."""
    assert f'"{words[0]}>=' in (ROOT / "pyproject.toml").read_text()
    assert (Path(sys.executable).parent / words[0]).is_file()


def smoke(words: list[str], reader: Reader) -> None:
    """The marker is known, and there are such tests."""
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.smoke" in path.read_text()]
    assert len(marked) >= 5


def train(words: list[str], reader: Reader) -> None:
    """Trained for a few steps."""
    assert reader.give("train", *words[2:], *quick_words(words)) == 0
    assert list(Path("logs").rglob("metrics.json"))


def transfer(words: list[str], reader: Reader) -> None:
    """A language model is trained for a few steps, and a classifier from it."""
    run = reader.place / "lm"
    first = ["experiment=imdb_language_model", f"hydra.run.dir={run}"]
    assert reader.give("train", *first, *quick_words(first)) == 0
    words = [word.replace("<run>", str(run)) for word in words]
    assert reader.give("train", *words[2:], *quick_words(words)) == 0


def train_again(words: list[str], reader: Reader) -> None:
    """A finished run goes on."""
    run = shutil.copytree(reader.classifier.folder, reader.place / "run")
    words = [word.replace("<run>", str(run)) for word in words]
    assert words[-1] == "trainer.max_epochs=10"
    assert reader.give("train", *words[2:-1], "trainer.max_epochs=3", "logger=none") == 0


def own(words: list[str], reader: Reader) -> None:
    """Trained in tests/readme/test_own_parts.py, which finds it by its module."""
    (target,) = (word.partition("=")[2] for word in words if "=my_" in word)
    assert (reader.place / f"{target.split('.')[0]}.py").is_file()


def composed_only(words: list[str], reader: Reader) -> None:
    """A training that needs what a test has not: its configuration composes, and Lightning takes it."""
    found = configuration([word for word in words[2:] if not word.startswith("hydra.run.dir=")])
    taken = {key: value for key, value in found["trainer"].items() if key != CUDA_GRAPH}
    check_arguments(lightning.Trainer, taken, {}, "trainer")


def sweep(words: list[str], reader: Reader) -> None:
    """Every job composes; the trainings are short, and wait for the slow tests."""
    assert words[2] == "-m"
    jobs = jobs_of(words[3:])
    assert len(jobs) > 2
    for job in (jobs[0], jobs[-1]):
        assert configuration([word for word in job if not word.startswith(("hydra", "sweep"))])
    composed_of("train", words_of_launcher(words))
    if reader.runs_long_ones and not re.search(
        r"submitit_slurm|experiment=fsdd|storage=\w+\+\w+://", " ".join(words)
    ):
        fewer = [re.sub(r"^(sweep\.trials)=.*", r"\1=1", word) for word in words[2:]]
        fewer = [re.sub(r"^seed=.*", "seed=1,2", word) for word in fewer]
        table = ["data=csv", "data.corpus.train=mine.csv", "data.vocabulary.min_frequency=1"]
        data = ["data.distance=5"] if {"experiment=vanishing_gradient", "task=memory"} & {*words} else table
        quick = [*quick_words(words), *data]
        fewer = [word for word in fewer if not word.startswith("data.distance=")]
        assert reader.give("train", *fewer, *quick) == 0


def watched(words: list[str], reader: Reader) -> None:
    """It is given what a search calls its storage; the program is no part of the package."""
    from rnnlab.sweeps.storage import Storage

    assert words[1:] == [Storage("sqlite", "sweep", Path("<sweep>")).name]


def of_a_corpus_that_is_not_here(words: list[str], reader: Reader) -> None:
    """Its recipe composes; what it trains is tested in the folder of its task."""
    composed_only(words, reader)


def on_slurm(words: list[str], reader: Reader) -> None:
    """The part of the command that is rnnlab's composes."""
    composed_only(words[words.index("python") :], reader)


def asking(words: list[str], reader: Reader) -> None:
    """Given as it stands, about a finished run."""
    script = Path(words[1]).stem
    of_text = script == "generate" or "cache=true" in words
    run = reader.language_model if of_text else reader.classifier
    assert reader.give(script, *(word.replace("<run>", str(run.folder)) for word in words[2:])) == 0
    for word in words[2:]:
        if word.startswith("output="):
            assert (reader.place / word.removeprefix("output=")).exists()


def listening(words: list[str], reader: Reader) -> None:
    """Given about a run that listens, made for it."""
    few = ["train=40", "validation=8", "test=8", "longest=3"]
    small = ["model.hidden_size=8", "trainer=cpu", "trainer.max_epochs=1", "baselines=false", "logger=none"]
    run = reader.place / "listens"
    made = ["task=speech", *(f"data.corpus.{count}" for count in few), *small, f"hydra.run.dir={run}"]
    assert reader.give("train", *made) == 0
    assert reader.give("evaluate", *(word.replace("<run>", str(run)) for word in words[2:])) == 0


def trusting(words: list[str], reader: Reader) -> None:
    """Given in tests/readme/test_own_parts.py."""
    assert words[-1] == "trust=my_cell"


def results(words: list[str], reader: Reader) -> None:
    """The table of a sweep of pretended runs."""
    for seed in (1, 2, 3):
        finished(Path(f"logs/sweeps/sentiment/csv/seeds/seed-{seed}"), config(seed=seed), 0.8 + seed / 100)
    assert reader.give("results", *words[2:]) == 0


def tagged_results(words: list[str], reader: Reader) -> None:
    """The table of pretended runs, of which one has the tag."""
    for seed, tags in ((1, ["paper"]), (2, None)):
        finished(Path(f"logs/{seed}"), {**config(seed=seed), "tags": tags}, 0.8)
    assert words[-1] == "where=tags=paper"
    assert reader.give("results", *words[2:]) == 0


def from_elsewhere(words: list[str], reader: Reader) -> None:
    """It composes; what it reads needs packages of others, and is tested in tests/interchange."""
    composed_only(words, reader)
    assert list((ROOT / "tests" / "interchange").glob("test_*.py"))


def figure_of_labels(words: list[str], reader: Reader) -> None:
    """The figure of pretended runs, with few labels, from scratch and pretrained."""
    for labelled in (100, 500):
        for initial in (None, "logs/lm"):
            content = {**config(), "init_from": initial, "data": {"name": "csv", "labelled": labelled}}
            folder = Path(f"logs/sweeps/sentiment/csv/labels/{labelled}-{initial is None}")
            finished(folder, content, 0.8, baselines={"bag of bigrams": {"accuracy": 0.7}})
    assert reader.give("results", *words[2:]) == 0
    (figure,) = (word.partition("=")[2] for word in words if word.startswith("plot="))
    assert Path(figure).is_file()


def benchmark(words: list[str], reader: Reader) -> None:
    """The settings make sense; measured in the slow tests."""
    assert Settings.of(composed_of("benchmark", words[2:])).repeats >= 3
    if reader.runs_long_ones:
        fewer = ["hidden_sizes=[4]", "repeats=1", "batches_per_turn=1", "turn_seconds=0.001", "keras=false"]
        fewer += ["backend=torch", "data.vocabulary.min_frequency=1"]
        kept = [word for word in words[2:] if word.partition("=")[0] not in ("hidden_sizes", "repeats")]
        kept = [word for word in kept if not word.startswith("keras")]
        table = f"data=csv data.corpus.train={Path('mine.csv').resolve()} data.vocabulary.min_frequency=1"
        jobs = " ".join([table, *QUICK])
        kept = [re.sub(r"^(jobs='.*)'$", rf"\1 {jobs}'", word) for word in kept]
        if "kernels=true" not in words:
            assert reader.give("benchmark", *kept, *fewer) == 0


def report_on_a_gpu(words: list[str], reader: Reader) -> None:
    """The settings make sense; ``tests/benchmarks/test_device_report.py`` tries it on the CPU."""
    assert Settings.of(composed_of("benchmark", words[2:])).minutes >= 1


def helped(words: list[str], reader: Reader) -> None:
    """Answered."""
    assert reader.give(Path(words[1]).stem, "--help") == 0


ELSEWHERE = r"experiment=(segrnn|an4|fsdd)|data=(series|hf)|init_from=model"
TRAIN = r"python scripts/train\.py"
RULES: dict[str, Callable[[list[str], Reader], None]] = {
    r"python3 -m venv \.venv|\. \.venv/bin/activate|pytest -n 2": environment,
    r"pip install -e .*": installing,
    r"uv venv( --python \S+)?|uv pip install (--resolution lowest-direct )?-e .*": by_uv,
    r"export PYTHONPATH=\.": lambda words, reader: None,  # said in test_own_parts.py by monkeypatch
    r"tensorboard --logdir logs(/\S+)?|pre-commit install|mypy": installed_tool,
    r"optuna-dashboard .*": watched,
    r"ruff (check|format --check) \.": installed_tool,
    r"pytest -m smoke": smoke,
    rf"{TRAIN} --help": helped,
    rf"{TRAIN} -m .*": sweep,
    rf"srun .* {TRAIN} .*": on_slurm,
    rf"{TRAIN} trainer=gpu.*": composed_only,
    rf"{TRAIN} (?!-m ).*(experiment=(segrnn|an4|fsdd)|data=series).*": of_a_corpus_that_is_not_here,
    rf"{TRAIN} resume=<run> .*": train_again,
    rf"{TRAIN} .*init_from=<run>": transfer,
    rf"{TRAIN} .*(_target_|model.cell)=my_.*": own,
    rf"{TRAIN} ((optimizer|scheduler)=custom|\+callbacks\.extra\.\S+) .*": train,
    rf"{TRAIN} .*(data=hf|init_from=model\.).*": from_elsewhere,
    rf"{TRAIN} (?!.*(<|-m |trainer=|_target_|=my_|--|{ELSEWHERE})).*": train,
    r"python scripts/predict\.py run=<run> .* trust=my_cell": trusting,
    r"python scripts/evaluate\.py run=<run> task\.decoding\..*": listening,
    r"python scripts/(evaluate|predict|generate|export|plot)\.py run=<run>(?!.*(trust|decoding)).*": asking,
    r"python scripts/benchmark\.py prediction=<run>.*": asking,
    r"python scripts/results\.py logs/sweeps": results,
    r"python scripts/results\.py logs where=tags=.*": tagged_results,
    r"python scripts/results\.py logs/sweeps plot=.*": figure_of_labels,
    r"python scripts/benchmark\.py device=cuda .*": report_on_a_gpu,
    r"python scripts/benchmark\.py (?!prediction|device).*": benchmark,
    r"python scripts/execute_notebooks\.py": helped,
}


def quick_words(words: list[str]) -> list[str]:
    """Return the overrides that make a training short, less those whose key the command sets itself."""
    said = {word.partition("=")[0] for word in words}
    fitting = ["task.cutoffs=[2,5]"] if "experiment=imdb_language_model" in words else []  # ten words
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # such a recipe is refused here, with this advice
        fitting.append("trainer.precision=32-true")
    return [*(word for word in QUICK if word.partition("=")[0] not in said), *fitting]


def jobs_of(words: list[str]) -> list[list[str]]:
    """Return the overrides of a sweep's jobs; of an interval, those at its ends."""
    jobs: list[list[str]] = [[]]
    for override in OverridesParser.create().parse_overrides(words):
        value = override.value()
        values = [str(override.input_line)]
        if isinstance(value, IntervalSweep):
            values = [f"{override.get_key_element()}={end}" for end in (value.start, value.end)]
        elif isinstance(value, ChoiceSweep | RangeSweep):
            values = [f"{override.get_key_element()}={one}" for one in override.sweep_string_iterator()]
        jobs = [[*job, one] for job in jobs for one in values]
    return jobs


def words_of_launcher(words: list[str]) -> list[str]:
    """Return the overrides that say how a sweep is run."""
    return [word for word in words if word.startswith(("hydra", "sweep"))]


def composed_of(name: str, overrides: list[str]) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found = OmegaConf.to_container(hydra.compose(name, overrides), resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def rules_for(line: str) -> list[Callable[[list[str], Reader], None]]:
    return [rule for pattern, rule in RULES.items() if re.fullmatch(pattern, line)]


def is_long(line: str) -> bool:
    return rules_for(line)[:1] in ([sweep], [benchmark])
