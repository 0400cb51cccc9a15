"""Draw the figures of runs: ``python scripts/plot.py run=... [run=...]``; see --help."""

import sys
from dataclasses import asdict, dataclass

from rnnlab.command_line import exit_by
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    """Draw what TensorBoard shows of a run, as PNG and SVG; or the same of several runs in one figure.

    python scripts/plot.py run=<run folder>                             into its folder figures/
    python scripts/plot.py run=<one> run=<another> output=figures
    python scripts/plot.py run='logs/sweeps/*/*/*' output=figures split=validation
    """

    run: str = option("a run folder, a folder of runs, or a pattern; may be given again")
    output: str | None = option("the folder for the figures; null: a single run's own", None)
    split: str = option("of several runs, what they are compared on: validation or test", "test")
    overwrite: bool = option("whether files in output may be replaced", False)


def plot(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    runs = [word.removeprefix("run=") for word in words if word.startswith("run=")]
    others = [word for word in words if not word.startswith("run=")]
    options = asdict(parsed(Arguments, [*(f"run={run}" for run in runs[:1]), *others]))
    del options["run"]
    # Here, and not above: matplotlib takes a second to import, and --help needs none of it.
    from rnnlab.runs.plots import plot_runs

    plot_runs(runs, **options)


if __name__ == "__main__":
    exit_by(lambda: plot(sys.argv[1:]))
