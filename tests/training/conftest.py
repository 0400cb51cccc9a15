"""Small runs on invented reviews."""

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers

CONF = Path(__file__).resolve().parents[2] / "conf"
WORDS = {
    "good": ["fine", "lovely", "warm", "bright", "splendid", "moving", "clever", "tender"],
    "bad": ["dull", "cold", "flat", "tired", "clumsy", "hollow", "grim", "stale"],
    "odd": ["strange", "uncanny", "bizarre", "peculiar", "quaint", "eerie", "surreal", "weird"],
    "any": [
        "the",
        "film",
        "story",
        "acting",
        "music",
        "scene",
        "ending",
        "a",
        "it",
        "was",
        "very",
        "with",
        "of",
        "and",
    ],
}


def write_reviews(path: Path, labels: tuple[str, ...] = ("good", "bad"), count: int = 240) -> Path:
    """Write a table of invented reviews of 1 to 40 words, a quarter of them words of their class."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for i in range(count):
            label = labels[i % len(labels)]
            kinds = ["any", "any", "any", label]
            words = [chance.choice(WORDS[chance.choice(kinds)]) for _ in range(chance.randint(1, 40))]
            table.writerow([" ".join(words), label])
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_reviews(tmp_path / "reviews.csv")


@pytest.fixture
def compose(reviews: Path) -> Callable[..., dict[str, Any]]:
    """Compose a configuration of a run of seconds, as plain data; overrides as on the command line."""

    def composed(*overrides: str) -> dict[str, Any]:
        register_resolvers()
        GlobalHydra.instance().clear()
        small = [
            "data=csv",
            f"data.corpus.train={reviews}",
            "data.vocabulary.min_frequency=1",
            "batches.batch_size=16",
            "task.embedding_size=8",
            "model.hidden_size=8",
            "trainer=cpu",
            "trainer.max_epochs=2",
            "optimizer.lr=0.01",
        ]
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose("train", overrides=[*small, *overrides])
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}

    return composed
