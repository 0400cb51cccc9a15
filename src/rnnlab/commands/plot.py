"""Draw the figures of one run, or of several in one."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rnnlab.command_line import exit_by
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    r"""Draw what TensorBoard shows of a run, or the same of several in one figure.

    python scripts/plot.py run=<run>                    into its folder figures/
    python scripts/plot.py run=<one> run=<another> output=figures
    python scripts/plot.py run='logs/sweeps/*/*/*/*' output=figures \
        split=validation
    python scripts/plot.py vanishing=<folder of runs on a memory problem> \
        output=figures
    """

    run: str = option("a run folder, a folder of runs, or a pattern; may be given again")
    output: str | None = option("the folder for the figures; null: a single run's own", None)
    split: str = option(
        "of several runs, what they are compared on: validation or test", "test", of=("validation", "test")
    )
    overwrite: bool = option("whether files in output may be replaced", False)


@dataclass(frozen=True)
class Vanishing:
    """Draw what networks remember at growing distances, and the gradients that say why.

    python scripts/plot.py vanishing=<sweep folder>
    """

    vanishing: str = option("a folder of runs on a memory problem, such as a sweep's; may be given again")
    output: str | None = option("the folder for the figure; null: figures/ in the first folder", None)


def plot_vanishing(words: list[str]) -> None:
    """Draw the vanishing gradient out of finished runs."""
    folders = [word.removeprefix("vanishing=") for word in words if word.startswith("vanishing=")]
    others = [word for word in words if not word.startswith("vanishing=")]
    output = parsed(Vanishing, [f"vanishing={folders[0]}", *others]).output
    from rnnlab.runs.vanishing_gradient import draw_vanishing_gradient

    target = Path(output) if output else Path(folders[0]) / "figures"
    print(draw_vanishing_gradient([Path(folder) for folder in folders], target))


def plot(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    if any(word.startswith("vanishing=") for word in words):
        plot_vanishing(words)
        return
    runs = [word.removeprefix("run=") for word in words if word.startswith("run=")]
    others = [word for word in words if not word.startswith("run=")]
    options = asdict(parsed(Arguments, [*(f"run={run}" for run in runs[:1]), *others]))
    del options["run"]
    # Here, and not above: matplotlib takes a second to import, and --help needs none of it.
    from rnnlab.runs.plots import plot_runs

    plot_runs(runs, **options)


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: plot(sys.argv[1:]))
