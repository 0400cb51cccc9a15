"""Runs of seconds on memory problems."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = [
    "task=memory",
    "data.distance=5",
    "model.hidden_size=8",
    "batches.batch_size=16",
    "batches.train=80",
    "batches.validation=40",
    "batches.test=24",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "logger=none",
]


@pytest.fixture
def compose() -> Callable[..., dict[str, Any]]:
    """Compose a configuration as plain data; overrides as on the command line."""

    def composed(*overrides: str) -> dict[str, Any]:
        register_resolvers()
        GlobalHydra.instance().clear()
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = OmegaConf.to_container(
                hydra.compose("train", overrides=[*SMALL, *overrides]), resolve=True
            )
        assert isinstance(config, dict)
        return {str(key): value for key, value in config.items()}

    return composed
