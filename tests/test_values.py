"""Values that mean nothing: each ends a command with one message that names its key, and none is taken."""

import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra

from rnnlab.errors import RnnlabError
from rnnlab.ranges import TABLE, Range, check_ranges, shown, whole
from rnnlab.training.checks import check, rehearse
from rnnlab.training.fit import assemble_data
from rnnlab.training.resume import put
from rnnlab.training.train import configuration

ROOT = Path(__file__).resolve().parents[1]
HUGE = 10**23

SENTIMENT = {
    "seed": [-1, 2**32, HUGE, 1.5, True, "one", None],
    "baselines": ["maybe", 1, None],
    "trainer.max_epochs": [0, -2, 1.5, "many", HUGE],
    "trainer.max_steps": [0, -7],
    "trainer.min_epochs": [-3],
    "trainer.devices": [1000, 0],
    "trainer.num_nodes": [0, -1, 2],
    "trainer.accelerator": ["tpu", "abacus", "gpu"],
    "trainer.precision": [7, "32-false", 16, "bf16"],
    "trainer.strategy": ["nonsense"],
    "trainer.gradient_clip_val": [-1, ".nan", ".inf", "much"],
    "trainer.gradient_clip_algorithm": ["nonsense"],
    "trainer.accumulate_grad_batches": [0, -1, 0.5],
    "trainer.log_every_n_steps": [-1, 0.5],
    "trainer.check_val_every_n_epoch": [0, -1, 999],
    "trainer.val_check_interval": [0, -1, 1.5, 0.0, ".nan"],
    "trainer.limit_train_batches": [0, -1, 1.5, 0.0],
    "trainer.limit_val_batches": [0, -1, 2.5],
    "trainer.limit_test_batches": [0, -1, 1.01],
    "trainer.deterministic": ["maybe"],
    "trainer.cuda_graph": ["maybe", "true"],
    "trainer.no_such_key": [1],
    "batches.batch_size": [0, -1, 1.5, "many", HUGE],
    "batches.max_tokens": [0, -5],
    "batches.max_length": [0, -1],
    "batches.overfit": [0, -1],
    "data.epochs": [0, -1],
    "data.labelled": [0, -1, 0.5],
    "data.vocabulary.max_size": [0, -1, 1.5, HUGE],
    "data.vocabulary.min_frequency": [-1, 0.5, ".nan"],
    "data.corpus.seed": [-1],
    "data.corpus.validation_fraction": [-0.1, 1.0, 2, ".nan"],
    "data.corpus.test_fraction": [-0.1, 1.0],
    "model._target_": ["torch.nn.Linear", "os.system"],
    "model.cell": ["transformer"],
    "model.hidden_size": [0, -1, 1.5, 10**11, HUGE, "big", None],
    "model.parameters": [0, -1, 1.5, "many"],
    "model.layers": [0, -1, 10**7, 1.5],
    "model.bidirectional": ["maybe"],
    "model.dropout": [-0.1, 1.0, 2, ".nan"],
    "model.backend": ["nonsense"],
    "model.initialization": ["nonsense"],
    "model.forget_bias": [".nan", "high"],
    "model.no_such_key": [1],
    "optimizer._target_": ["torch.nn.Linear", "builtins.print"],
    "optimizer.lr": [-1, ".nan", ".inf", "fast", None],
    "optimizer.weight_decay": [-1, ".nan"],
    "optimizer.betas": [[0.9, 1.5], [-1, 0.9]],
    "optimizer.eps": [-1],
    "scheduler._target_": ["torch.optim.Adam"],
    "scheduler.pct_start": [2, -1, ".nan"],
    "scheduler.anneal_strategy": ["nonsense"],
    "scheduler.interval": ["year"],
    "scheduler.div_factor": [0, -1],
    "task._target_": ["torch.nn.Linear"],
    "task.embedding_size": [0, -1, 10**11, 1.5],
    "task.pooling": ["nonsense"],
    "task.dropout": [-0.1, 1.0, ".nan"],
    "task.embedding_dropout": [-0.1, 1.0],
    "task.word_dropout": [1, -1],
    "task.bptt": [0, -1],
    "task.unfreezing_epochs": [-1],
    "task.discriminative_factor": [0, -1, ".inf"],
    "task.language_loss.weight": [-1, ".nan"],
    "task.class_weights": ["unbalanced", [1.0, -1.0], [0.0, 1.0]],
    "callbacks.early_stopping.patience": [-1, 0.5, HUGE],
    "callbacks.early_stopping.min_delta": [-1],
    "callbacks.checkpoint.every_n_epochs": [0, -1],
    "callbacks.checkpoint.every_n_steps": [0, -1],
    "callbacks.checkpoint.every_minutes": [0, -1, ".nan", ".inf"],
    "callbacks.no_such_key": [1],
    "logger.words": [-1, 1.5, None, "many"],
    "no_such_section": [1],
}
LANGUAGE = {
    "batches.batch_size": [0, -1],
    "batches.bptt": [0, -1, 1.5],
    "batches.evaluation_batch_size": [0, -1],
    "batches.overfit": [0],
    "task.head": ["nonsense"],
    "task.cutoffs": [[-1], [0, 5], ["a"]],
    "task.input_dropout": [1, -0.5],
    "task.output_dropout": [1.0],
    "task.activation_regularisation": [-1, ".nan"],
    "task.temporal_regularisation": [-2],
    "task.initial_range": [0, -0.1],
    "model.bidirectional": [True],
}
FORECASTING = {
    "data.horizon": [0, -1, 1.5, "many", None],
    "data.look_back": [0, -1, 1.5, "long"],
    "batches.batch_size": [0, -1, "many"],
    "batches.stride": [0, -1, 0.5],
    "batches.train_stride": [0, 1.5],
    "batches.scaling": ["nonsense"],
    "batches.calendar": [["century"], "hour"],
    "batches.overfit": [0],
    "task.decoder": ["nonsense"],
    "task.scaling": ["nonsense"],
    "task.loss": ["nonsense"],
    "task.quantiles": [["a", 0.5], [0.5, 1.5], [0.0, 0.5], [0.1, 0.9], []],
    "task.conformal": ["maybe"],
    "task.dropout": [1, -0.5],
    "task.huber_delta": [0, -1],
    "task.segment": [0, 1.5],
    "task.forcing": [-0.1, 2],
    "task.final_forcing": [7],
    "task.embedding_size": [0],
}
SPEECH = {
    "batches.batch_size": [0, -1, "many"],
    "batches.max_seconds": [0, -1],
    "batches.features.bands": [0, -1, 1.5, 10**11],
    "batches.features.window": [0, -1, "wide"],
    "batches.features.hop": [0, -0.01],
    "batches.features.lowest": [-1, 10**7],
    "batches.features.highest": [1],
    "batches.features.pre_emphasis": [-1, 2],
    "batches.features.dither": [-1],
    "batches.normalise": ["nonsense"],
    "batches.stack": [0, 1.5],
    "batches.stride": [0, -1],
    "batches.augmentation.speeds": [[0], [-1.0], ["fast"], []],
    "batches.augmentation.band_masks": [-1, 0.5],
    "batches.augmentation.widest_band_mask": [-1],
    "batches.augmentation.time_masks": [-1],
    "batches.augmentation.longest_time_mask": [-1],
    "batches.augmentation.time_mask_share": [-0.1, 2],
    "batches.augmentation.noise": [[50, 15], "loud", [10]],
    "batches.augmentation.no_such_key": [1],
    "task.dropout": [1, -1],
    "task.input_dropout": [1.0],
    "task.streaming": ["maybe"],
    "task.decoding.method": ["nonsense"],
    "task.decoding.beam": [0, -1, 1.5],
    "task.decoding.lm": ["nowhere"],
    "task.decoding.lm_weight": [".nan", "much"],
    "task.decoding.word_bonus": [".inf"],
    "task.decoding.words": ["nowhere.txt"],
    "task.decoding.no_such_key": [1],
}
SENSELESS = {"sentiment": SENTIMENT, "language_model": LANGUAGE, "forecasting": FORECASTING, "speech": SPEECH}
COMMANDS: dict[str, list[list[str]]] = {
    "train": [
        ["modle=gru"],
        ["model=gruu"],
        ["trainer.max_epochs=..."],
        ["resume=nowhere"],
        ["resume=nowhere", "trainer.max_epochs=..."],
        ["init_from=nowhere"],
        ["+data.num_workers=2"],
        ["sweep.at_once=2"],
        ["task=memory", "tokenizer=char"],
        ["hydra.run.dir=a_file/run"],
        [f"hydra.run.dir={'long' * 100}"],
        ["data=csv", "data.corpus.train=nowhere.csv"],
        ["data=csv"],
        ["tokenizer._target_=builtins.dict"],
        ["tokenizer._target_=rnnlab.encoder.recurrent.RecurrentEncoder"],
        ["tokenizer._target_=no.such"],
        ["seed"],
        ["seed=1,2"],
        ["-m", "seed=1,1"],
        ["-m", "seed=1,2", "sweep.jobs_by=chance"],
        ["-m", "seed=1,2", "sweep.at_once=0"],
        ["-m", "seed=1,2", "sweep.threads=-1"],
        ["-m", "sweep=optuna", "model=rnn,gru", "sweep.trials=0"],
        ["-m", "sweep=optuna", "model=rnn,gru", "sweep.patience=-1"],
        ["-m", "sweep=optuna", "model=rnn,gru", "sweep.pruner=axe"],
    ],
    "benchmark": [
        ["jobs=''"],
        ["jobs=' '"],
        ["cells=transformer"],
        ["hidden_sizes=0"],
        ["repeats=0"],
        ["turn_seconds=0"],
        ["turn_seconds=.nan"],
        ["batches_per_turn=-1"],
        ["contestants=nobody"],
        ["backend=nonsense"],
        ["keras_epochs=0"],
        ["trainer.accelerator=tpu"],
        ["prediction=nowhere"],
    ],
    "predict": [
        [],
        ["run=nowhere"],
        ["run=nowhere", "text=a", "device=tpu"],
        ["run=nowhere", "input=a.csv"],
        ["run=nowhere", "text=a", "input=a.csv"],
        ["run=nowhere", "label=a"],
        ["run=nowhere", "explain=perhaps"],
        ["run=nowhere", "output=a.csv"],
        ["run=nowhere", "quotes=false"],
        ["run=nowhere", "run=elsewhere"],
        ["run=a_file", "text=a"],
        ["run=\udcff", "text=a"],
        ["txet=a"],
    ],
    "generate": [
        [],
        ["run=nowhere"],
        ["run=nowhere", "max_tokens=0"],
        ["run=nowhere", "max_tokens=-1"],
        ["run=nowhere", "samples=0"],
        ["run=nowhere", "temperature=-1"],
        ["run=nowhere", "temperature=.nan"],
        ["run=nowhere", "temperature=.inf"],
        ["run=nowhere", "temperature=warm"],
        ["run=nowhere", "top_k=0"],
        ["run=nowhere", "top_p=0"],
        ["run=nowhere", "top_p=1.5"],
        ["run=nowhere", f"seed={HUGE}"],
        ["run=nowhere", "seed=-1"],
        ["run=nowhere", "seed=" + "9" * 5000],
        ["run=nowhere", "device=tpu"],
    ],
    "evaluate": [
        [],
        ["run=nowhere"],
        ["run=nowhere", "split=train"],
        ["run=nowhere", "device=tpu"],
        ["run=nowhere", "ensemble=2"],
        ["run=nowhere", "data=nothing"],
        ["run=a_file"],
        ["run=*"],
    ],
    "export": [
        [],
        ["run=nowhere"],
        ["run=nowhere", "format=word"],
        ["run=nowhere", "split=train"],
        ["run=nowhere", "output=a.json"],
        ["run=nowhere", "format=onnx", "output=a.pt"],
        ["run=nowhere", "overwrite=2"],
    ],
    "plot": [
        [],
        ["run=nowhere"],
        ["run=nowhere", "split=train"],
        ["vanishing=nowhere"],
        ["run=a_file"],
    ],
    "results": [
        [],
        ["nowhere"],
        [".", "format=word"],
        [".", "where=??"],
        ["a_file"],
    ],
    "execute_notebooks": [["nowhere.ipynb"], ["a_file"]],
}


def cases(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(key, value) for key, values in table.items() for value in values]


def named(value: Any) -> str | None:
    return None if isinstance(value, dict) else shown(value)[:30]


@pytest.fixture(scope="module")
def composed() -> Iterator[dict[str, dict[str, Any]]]:
    """Configurations of some tasks, each composed once."""
    yield {
        "sentiment": configuration(["data=csv", "data.corpus.train=rows.csv", "trainer=cpu"]),
        "language_model": configuration(["task=language_model", "data=text", "data.corpus.train=a.txt"]),
        "forecasting": configuration(["task=forecasting", "trainer=cpu"]),
        "speech": configuration(["task=speech", "trainer=cpu"]),
    }
    GlobalHydra.instance().clear()


def refused(config: dict[str, Any], key: str, value: Any) -> None:
    """Check that a configuration with one value changed is refused before any data is read."""
    config = yaml.safe_load(yaml.safe_dump(config))
    put(config, key, yaml.safe_load(value) if isinstance(value, str) and value.startswith(".") else value)
    for section in ("sweep", "trust"):
        config.pop(section, None)
    with pytest.raises(RnnlabError) as error:
        checked(config)
    assert len(str(error.value)) < 2000


def checked(config: dict[str, Any]) -> None:
    check(config)
    rehearse(config)
    if config["task"]["name"] in ("forecasting", "speech"):  # whose files are not asked for yet
        assemble_data(config)


@pytest.mark.parametrize(
    ("task", "key", "value"),
    [(task, *case) for task, table in SENSELESS.items() for case in cases(table)],
    ids=named,
)
def test_a_senseless_value_is_refused(
    task: str, key: str, value: Any, composed: dict[str, dict[str, Any]]
) -> None:
    refused(composed[task], key, value)


def test_what_is_composed_is_sensible(composed: dict[str, dict[str, Any]]) -> None:
    for config in composed.values():
        checked({name: section for name, section in config.items() if name not in ("sweep", "trust")})


def test_a_key_of_a_class_of_ones_own_may_mean_another_thing() -> None:
    check_ranges({"model": {"_target_": "my_package.Cell", "dropout": 7}})
    with pytest.raises(RnnlabError, match=r"model\.dropout=7"):
        check_ranges({"model": {"_target_": "rnnlab.Cell", "dropout": 7}})
    assert all(isinstance(str(wanted), str) for wanted in TABLE.values())
    assert not Range(0, 1, below=True).holds(True)


def status(script: str, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Give a command in this process, and return its exit status."""
    GlobalHydra.instance().clear()
    file = ROOT / "scripts" / f"{script}.py"
    monkeypatch.setattr(sys, "argv", [str(file), *words])
    try:
        runpy.run_path(str(file), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


QUICK = 9
"""Of so many commands one is given in the quick tests."""
LINES = [(script, words) for script, lines in COMMANDS.items() for words in lines]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(*line, marks=[pytest.mark.slow] if number % QUICK else [])
        for number, line in enumerate(LINES)
    ],
)
def test_a_wrong_command_ends_with_one_message(
    script: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("nothing")
    assert status(script, words, monkeypatch) == 2
    told = capsys.readouterr().err
    assert told.strip()
    assert "Traceback" not in told
    assert len(told) < 5000


def test_there_are_enough_of_them() -> None:
    assert sum(len(cases(table)) for table in SENSELESS.values()) + len(LINES) >= 345
    assert set(COMMANDS) == {path.stem for path in (ROOT / "scripts").glob("*.py")}


def test_a_one_is_not_said_to_be_true() -> None:
    assert str(whole(2, 1)) == "a whole number from 2 or 1"
    assert str(whole(2, None, True)) == "a whole number from 2 or null or true"
