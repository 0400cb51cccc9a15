"""Measure speed beside other ways."""

from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra
from rnnlab.folders import conf_folder


def measure(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Measure once, into its folder."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.benchmarks.benchmark import benchmark

    benchmark(config, folder)


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    run_hydra(measure, conf_folder(), "benchmark")
