"""From the configuration to a run folder that writes text, for every cell, tokenizer and head."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.errors import DataError, RnnlabError
from rnnlab.runs.load import load
from rnnlab.training.fit import fit

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ["the rose is red .", "the violet is blue .", "", "sugar is sweet , and so is the rose ."]


def config_of(text: Path, *overrides: str) -> dict[str, Any]:
    register_resolvers()
    text.write_text("\n".join(SENTENCES * 60), encoding="utf-8")
    words = [
        "task=language_model",
        "data=text",
        f"data.corpus.train={text}",
        "task.embedding_size=8",
        "model.hidden_size=8",
        "batches.batch_size=4",
        "batches.bptt=9",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "logger=none",
    ]
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = hydra.compose("train", [*words, *overrides])
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


COMBINATIONS = [
    (model, tokenizer, head)
    for place, model in enumerate(("rnn", "lstm", "gru", "awd_lstm"))
    for tokenizer, head in (
        [("basic_english", "full"), ("char", "adaptive"), ("bpe", "full"), ("whitespace", "adaptive")],
        [("basic_english", "adaptive"), ("char", "full"), ("bpe", "adaptive"), ("whitespace", "full")],
    )[place % 2]
] + [("rnn", "byte", "full")]


@pytest.mark.parametrize(("model", "tokenizer", "head"), COMBINATIONS)
def test_trains_evaluates_and_generates(model: str, tokenizer: str, head: str, tmp_path: Path) -> None:
    overrides = [f"model={model}", f"tokenizer={tokenizer}", f"task.head={head}", "optimizer.lr=0.02"]
    if tokenizer == "bpe":
        overrides.append("tokenizer.vocab_size=300")
    metrics = fit(config_of(tmp_path / "roses.txt", *overrides), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert written["test"] == metrics["test"]
    assert {"loss", "perplexity", "accuracy", "tokens"} <= set(metrics["test"])
    assert ("bits_per_character" in metrics["test"]) == (tokenizer == "char")
    assert metrics["baselines"]["Kneser-Ney trigram"]["perplexity"] > 1
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    model_again = load(tmp_path / "elsewhere")
    assert metrics["test"]["perplexity"] < len(model_again.vocabulary)
    text = model_again.generate("the rose", max_tokens=20, seed=3)[0]
    assert text.startswith("the rose")
    assert len(text) > len("the rose")


def test_the_command_writes_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(config_of(tmp_path / "roses.txt"), tmp_path / "run")
    capsys.readouterr()

    def command(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["generate.py", *words])
        try:
            runpy.run_path(str(ROOT / "scripts" / "generate.py"), run_name="__main__")
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    words = [f"run={tmp_path / 'run'}", "prompt=the rose, tulip", "max_tokens=5", "samples=2"]
    assert command(*words) == 0
    shown = capsys.readouterr()
    assert shown.out.count("the rose, tulip") == 2
    assert shown.err == "Not in the vocabulary, read as <unk>: tulip\n"
    for wrong in (["temperature=-1"], ["top_p=2"], ["prompt=tulip"], ["max_tokens=0"], ["run=nowhere"]):
        assert command(*[word for word in words if word.split("=")[0] != wrong[0].split("=")[0]], *wrong) == 2
        assert "Error:" in capsys.readouterr().err


def test_a_text_too_short_and_a_backward_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"The validation text of text has .* tokens, too few for 400 columns"
    ):
        fit(config_of(tmp_path / "a.txt", "batches.evaluation_batch_size=400"), tmp_path / "run")
    with pytest.raises(RnnlabError, match=r"model\.bidirectional=false"):
        fit(config_of(tmp_path / "b.txt", "model.bidirectional=true"), tmp_path / "other")
