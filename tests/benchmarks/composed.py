"""The benchmark's configuration as its script composes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from rnnlab.command_line import can_fuse

CONF = Path(__file__).resolve().parents[2] / "conf"


@contextmanager
def composed(*overrides: str) -> Iterator[dict[str, Any]]:
    """Yield the configuration; Hydra knows the folder meanwhile, as it does in the script."""
    OmegaConf.register_new_resolver("rnnlab.can_fuse", can_fuse, replace=True)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield OmegaConf.to_container(compose("benchmark", list(overrides)), resolve=True)  # type: ignore[misc]
