"""Files that ``--config-dir`` adds say what a run is, and neither call nor import anything."""

import argparse
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.utils import get_args_parser

from rnnlab.added_configurations import check_added
from rnnlab.errors import RunError

GLOBAL = "# @package _global_\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GLOBAL + "model:\n  _target_: os.system", "names os.system, which would be imported"),
        (GLOBAL + "a: [[{b: {_target_: my_cell.Cell}}]]", "names my_cell.Cell.*pass trust=my_cell, or copy"),
        (GLOBAL + "model: {_target_: '${a}'}\na: subprocess.Popen", r"names \$\{a\}"),
        (GLOBAL + "hydra: {run: {dir: /tmp}}", r"how Hydra works, not what a run is \(hydra\)"),
        (GLOBAL + "hydra.run.dir: /tmp", r"\(hydra\.run\.dir\)"),
        ("# @package hydra.job\nenv_set: {PATH: .}", r"\(# @package hydra\.job\)"),
        (GLOBAL + "defaults: [{override /hydra/launcher: joblib}]", r"override /hydra/launcher"),
        (GLOBAL + "defaults: [../../elsewhere]", r"\.\./\.\./elsewhere"),
        (GLOBAL + "model: {hidden_size: '${oc.env:HOME}'}", r"oc\.env:HOME"),
        (GLOBAL + "model: {sizes: [1, ['${oc.decode:${data.name}}']]}", r"oc\.decode"),
        (GLOBAL + "model: {size: '${rnnlab.repeats:${oc.env:HOME}}'}", r"oc\.env"),
        (GLOBAL + "model: {size: '${${a}:x}'}", r"\$\{\$\{a\}:x\}"),
        (GLOBAL + "model: [", "is no configuration"),
    ],
)
def test_a_file_that_says_more_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "best.yaml").write_text(text)
    for words in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"], ["-cd", str(tmp_path)]):
        with pytest.raises(RunError, match=message):
            check_added([*words, "experiment=best", "model=gru"])
    check_added(["experiment=best"])


def test_a_group_of_hydra_s_and_what_lies_behind_a_link_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "best.yaml").write_text("hydra: {}")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "experiment").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="how Hydra works"):
        check_added(["--config-dir", str(tmp_path / "conf")])
    (tmp_path / "elsewhere" / "best.yaml").unlink()
    (tmp_path / "conf" / "hydra").mkdir()
    (tmp_path / "conf" / "hydra" / "mine.yaml").write_text("a: 1")
    with pytest.raises(RunError, match="how Hydra works"):
        check_added(["--config-dir", str(tmp_path / "conf")])


def test_what_a_search_writes_and_what_the_command_says_pass(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "best.yaml"
    file.write_text(
        f"{GLOBAL}defaults: [imdb_best, {{override /model: lstm}}]\n"
        "model: {_target_: my_cell.Cell, hidden_size: 7}\ntrainer: {max_epochs: '${data.epochs}'}\n"
    )
    folder = ["--config-dir", str(tmp_path)]
    check_added([*folder, "model._target_=my_cell.Cell"])
    check_added([*folder, "trust=my_cell"])
    file.write_text(f"{GLOBAL}hydra: {{launcher: {{timeout_min: 5}}}}\nseed: '${{oc.env:SEED}}'\n")
    check_added([*folder, "trust=hydra"])


def test_hydras_arguments_are_made_where_argparse_checks_their_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 3.14 does."""

    def check(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if action.help and "%" in action.help:
            assert action.help % {"default": "", "prog": ""}

    monkeypatch.setattr(argparse.ArgumentParser, "_check_help", check, raising=False)
    add = argparse.ArgumentParser.add_argument

    def add_argument(parser: argparse.ArgumentParser, *names: Any, **settings: Any) -> argparse.Action:
        action = add(parser, *names, **settings)
        parser._check_help(action)  # type: ignore[attr-defined]
        return action

    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", add_argument)
    with pytest.raises(TypeError):
        get_args_parser()
    check_added(["model=gru"])
    with pytest.raises(ValueError, match="incomplete format"):
        argparse.ArgumentParser().add_argument("--share", help="100 %")
