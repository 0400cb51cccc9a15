"""Measure rnnlab's speed beside other ways: ``python scripts/benchmark.py [key=value ...]``, see --help."""

from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra

CONF = Path(__file__).resolve().parents[1] / "conf"


def measure(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Measure once, into its folder."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.benchmarks.benchmark import benchmark

    benchmark(config, folder)


if __name__ == "__main__":
    run_hydra(measure, CONF, "benchmark")
