"""What users of other libraries type is answered with our key, and each key that is named exists."""

import re
from collections.abc import Callable

import pytest

import rnnlab
from rnnlab.command_line import dotted_keys
from rnnlab.synonyms import CHOICES, ELSEWHERE
from tests.runs.conftest import command as command  # the fixture
from tests.test_configuration import CONF, composed

WORD = re.compile(r"(?<![\w.+/])\+?[a-z_.]+=[^\s,;:]+")
TYPED = {
    "ckpt_path=last.ckpt": "resume=<run folder>",
    "trainer=ddp": "trainer.devices=2",
    "model=SimpleRNN": "Here that is model=rnn.",
    "model=simplernn": "Here that is model=rnn.",
    "fast_dev_run=true": "debug=fast_dev_run",
    "hparams_search=mnist_optuna": "sweep=optuna",
    "num_nodes=2": "+trainer.num_nodes=2",
    "trainer.num_nodes=2": "+trainer.num_nodes=2",
    "batch_size=32": "batches.batch_size",
    "learning_rate=1e-3": "optimizer.lr",
    "epochs=3": "trainer.max_epochs",
    "num_train_epochs=3": "trainer.max_epochs",
    "problem_type=multi_label_classification": "task=multi_label",
    "n_splits=5": "-m folds=5",
    "optimizer._target_=torch.optim.NAdam": "optimizer=custom optimizer._target_=torch.optim.NAdam",
    "scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR": "scheduler=custom",
}


@pytest.mark.parametrize(("word", "answer"), TYPED.items())
def test_what_others_type_is_answered(
    word: str, answer: str, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data=adding", "task=memory", "data.distance=5", "trainer=cpu", "logger=none"]
    assert command("train", *words, word) == 2
    told = capsys.readouterr().err
    assert answer in " ".join(told.split())


def test_what_is_called_alike_works() -> None:
    assert {"load", "train"} <= set(dir(rnnlab))
    loggers = composed("logger=wandb")["logger"]["extra"]
    assert loggers["wandb"]["_target_"] == "lightning.pytorch.loggers.WandbLogger"


def test_a_run_by_another_name_is_answered(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for script in ("predict", "generate", "export"):
        assert command(script, "ckpt_path=last.ckpt") == 2
        assert "ckpt_path: there is no such key. Here that is run=<run folder>." in capsys.readouterr().err


def test_each_answer_names_keys_that_there_are() -> None:
    configurations = [(), ("task=language_model",), ("data=csv", "data.corpus.train=a.csv"), ("model=rnn",)]
    configurations += [("optimizer=adamw",), ("scheduler=one_cycle",)]
    known = {key for words in configurations for key in dotted_keys(composed(*words))}
    known |= {path.name for path in CONF.iterdir()} | {"sweep.trials", "run", "hydra.run.dir"}
    answers = {**ELSEWHERE, **CHOICES}
    words = [word for answer in answers.values() for word in WORD.findall(answer)]
    assert len(words) > 50
    unknown = [word for word in words if not word.startswith("+") and word.partition("=")[0] not in known]
    assert unknown == []
    named = [word.partition("=") for word in words if "." not in word.partition("=")[0]]
    chosen = [(group, choice) for group, _, choice in named if (CONF / group).is_dir() and choice.isalpha()]
    assert chosen
    assert [pair for pair in chosen if not (CONF / pair[0] / f"{pair[1]}.yaml").is_file()] == []


def test_no_key_of_our_own_is_taken_for_another() -> None:
    ours = set(dotted_keys(composed())) | {path.name for path in CONF.iterdir() if path.is_dir()}
    assert ours & set(ELSEWHERE) == set()
