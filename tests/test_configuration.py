"""Every file under conf/ composes, and every section's keys are read by the class that it names."""

from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.build import check_arguments, locate_class
from rnnlab.command_line import register_resolvers
from rnnlab.tasks.task import task_arguments

CONF = Path(__file__).resolve().parents[1] / "conf"
GROUPS: tuple[str, ...] = (
    "task",
    "model",
    "data",
    "tokenizer",
    "optimizer",
    "scheduler",
    "trainer",
    "callbacks",
    "logger",
)
GROUPS += ("experiment", "debug")
FACTS = (  # what the data tells a task
    *("vocabulary_size", "labels", "input_size", "answers", "classes"),
    *("look_back", "horizon", "targets", "past", "ahead", "marks", "symbols"),
)
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]


def composed(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=list(overrides))
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


@pytest.mark.parametrize(("group", "choice"), CHOICES)
@pytest.mark.smoke
def test_every_choice_composes_and_has_no_dead_key(group: str, choice: str) -> None:
    config = composed(f"{group}={choice}")
    task = config["task"] if config["task"]["_target_"] == "???" else task_arguments(config)
    sections = {
        "task": (task, {"model", "optimizer", "scheduler", *FACTS}),
        "batches": (config["batches"], {"corpus", "tokenizer", "vocabulary", "seed"}),
        "model": (config["model"], {"input_size"}),
        "data.corpus": (config["data"]["corpus"], set()),
        "tokenizer": (config.get("tokenizer", {"_target_": "???"}), set()),
        "optimizer": (config["optimizer"], {"params"}),
    }
    for where, (section, facts) in sections.items():
        if section.get("_target_") == "???":
            continue
        cls = locate_class(section["_target_"], object, where)
        options = {key: value for key, value in section.items() if key != "_target_"}
        known = dict.fromkeys(facts)
        check_arguments(cls, options, known, where)


def test_there_is_something_to_choose() -> None:
    assert len(CHOICES) > 20
