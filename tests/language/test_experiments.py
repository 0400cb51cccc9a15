"""Every recipe for a language model composes and builds."""

from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from rnnlab.build import build
from rnnlab.command_line import register_resolvers
from rnnlab.optimization.building import build_optimizer, build_schedule
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.task import task_arguments

CONF = Path(__file__).resolve().parents[2] / "conf"
EXPERIMENTS = {
    "keras_simple_rnn_lm": (10_000, 1_015_100),
    "zaremba_small": (10_000, 4_653_200),
    "ptb_two_cores": (10_000, None),
    "awd_lstm_ptb": (10_000, 24_221_600),
    "awd_lstm_wikitext2": (33_278, 33_556_078),
    "char_text": (80, None),
}


def composed(name: str) -> dict[str, Any]:
    register_resolvers()
    words = (
        [f"experiment={name}", "data.corpus.train=book.txt"]
        if name == "char_text"
        else [f"experiment={name}"]
    )
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(hydra.compose("train", words), resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_builds_with_the_published_number_of_parameters(name: str) -> None:
    config = composed(name)
    vocabulary_size, parameters = EXPERIMENTS[name]
    with torch.device("meta"):
        model = build(
            task_arguments(config),
            LanguageModel,
            "task",
            model=config["model"],
            vocabulary_size=vocabulary_size,
        )
    found = sum(parameter.numel() for parameter in model.parameters())
    assert parameters is None or found == parameters
    optimizer = build_optimizer(config["optimizer"], [torch.nn.Parameter(torch.zeros(1))])
    if config["scheduler"]:
        build_schedule(config["scheduler"], optimizer, total_steps=10, monitor=model.monitor, mode=model.mode)
