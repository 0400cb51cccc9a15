"""What somebody said is told from what is so by default."""

from pathlib import Path

from rnnlab.training.init_from import recipe_keys, said_keys

CONF = Path(__file__).resolve().parents[1] / "conf"


def test_words_of_the_command_line_are_said() -> None:
    said = said_keys(["model.hidden_size=9", "+trainer.devices=2", "init_from=a=b"], {"model": "gru"}, CONF)
    assert said == {"model.hidden_size", "trainer.devices", "init_from"}


def test_a_choice_says_what_it_is_but_no_size() -> None:
    said = said_keys(["model=lstm", "tokenizer.vocab_size=300"], {"model": "lstm"}, CONF)
    assert {"model._target_", "model.cell", "tokenizer"} <= said
    assert "model.hidden_size" not in said


def test_a_recipe_says_what_it_and_those_below_it_write(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "low.yaml").write_text(
        "defaults:\n  - override /model: awd_lstm\ntask:\n  language_loss:\n    weight: 0.1\n"
    )
    high = tmp_path / "experiment" / "high.yaml"
    high.write_text("defaults:\n  - low\n  - _self_\nmodel:\n  dropout: ${task.dropout}\n")
    assert {"model", "task.language_loss.weight", "model.dropout"} <= set(recipe_keys(high))
    said = said_keys(["seed=2"], {"model": "awd_lstm", "experiment": "high"}, tmp_path)
    assert {"seed", "model.cell", "model.dropout", "task.language_loss.weight"} <= said
    assert "tokenizer" not in said


def test_every_recipe_can_be_read() -> None:
    for file in (CONF / "experiment").glob("*.yaml"):
        assert set(recipe_keys(file))
