"""A benchmark's figures as a bar chart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.figures.saved import save
from rnnlab.figures.style import COLOURS, house_style, new_figure

BLUE, ORANGE = COLOURS[:2]
PALE_BLUE, GREY, PALE_ORANGE = "#8fb8d8", "#c4c4c4", "#e0a071"
WAYS = {"trainer": BLUE, "bare": PALE_BLUE, "padded": GREY, "packed": PALE_ORANGE}
PROGRAMS = {"rnnlab": BLUE, "keras": ORANGE}
TITLES = {
    "trainer": "rnnlab in the Trainer",
    "bare": "rnnlab in a bare loop",
    "padded": "padded to full length",
    "packed": "PackedSequence",
}
STAGES = {"training": "Training", "inference": "Inference"}


@house_style()
def draw(results: Mapping[str, Any], target: Path) -> None:
    """Draw a row of panels for training, one for inference, and one for the race with Keras.

    Args:
        results: the content of ``benchmark.json``, or what there is of it so far.
        target: a PNG file; the drawing is written beside it as SVG.
    """
    sizes = sorted({row["hidden_size"] for row in results.get("sentiment", [])})
    stages = list(STAGES) if sizes else []
    rows = len(stages) + ("keras" in results)
    if not rows:
        return
    figure = new_figure(max(7.5, 4.8 * len(sizes)), 3.2 * rows)
    grid = figure.add_gridspec(rows, max(1, len(sizes)))
    for above, stage in enumerate(stages):
        for across, size in enumerate(sizes):
            found = [row for row in results["sentiment"] if row["hidden_size"] == size]
            panel = figure.add_subplot(grid[above, across])
            rates(panel, found, stage)
            panel.set_title(f"{STAGES[stage]}, hidden size {size}")
            if across == 0:
                panel.set_ylabel("thousand real tokens / s")
    if sizes:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(handles))
    if "keras" in results:
        race(figure.add_subplot(grid[rows - 1, :]), results["keras"])
    save(figure, target.parent, target.stem)


def rates(panel: Any, rows: list[dict[str, Any]], stage: str) -> None:
    """Draw the contestants' rates, a group of bars for each cell."""
    names = list(rows[0]["contestants"])
    found = {name: [row["contestants"][name][stage]["tokens_per_second"] for row in rows] for name in names}
    grouped(panel, [row["cell"] for row in rows], found, TITLES, WAYS, 1e-3)


def race(panel: Any, keras: Mapping[str, Any]) -> None:
    """Draw the seconds of an epoch of both programs."""
    found = {name: [row["seconds_per_epoch"][name] for row in keras["rows"]] for name in PROGRAMS}
    titles = {"rnnlab": "rnnlab in the Trainer", "keras": f"Keras {keras['versions']['keras']}"}
    grouped(panel, [row["cell"] for row in keras["rows"]], found, titles, PROGRAMS, 1.0)
    panel.set_title(f"The Keras textbook program, an epoch of {keras['documents']:,} reviews")
    panel.set_ylabel("seconds (less is better)")
    panel.legend(loc="upper right", ncols=len(found))


def grouped(
    panel: Any,
    groups: list[str],
    found: Mapping[str, list[Mapping[str, Any]]],
    titles: Mapping[str, str],
    colours: Mapping[str, str],
    scale: float,
) -> None:
    """Draw bars side by side: medians, with a line from the lowest to the highest, and their figures.

    Args:
        panel: the axes.
        groups: what stands below each group of bars.
        found: for each name, a summary for each group.
        titles: of the names.
        colours: of the names.
        scale: what figures are multiplied with.
    """
    width = 0.84 / len(found)
    for number, (name, values) in enumerate(found.items()):
        places = [group + (number - (len(found) - 1) / 2) * width for group in range(len(groups))]
        middles = [scale * value["median"] for value in values]
        below = [scale * (value["median"] - value["lowest"]) for value in values]
        above = [scale * (value["highest"] - value["median"]) for value in values]
        bars = panel.bar(
            places, middles, width * 0.94, yerr=(below, above), label=titles[name], color=colours[name],
            error_kw={"elinewidth": 0.8, "ecolor": "#404040"},
        )  # fmt: skip
        panel.bar_label(bars, [figure(value) for value in middles], padding=2, fontsize=7.5)
    panel.set_xticks(range(len(groups)), groups)
    panel.tick_params(axis="x", length=0)
    panel.margins(x=0.02, y=0.2)


def figure(value: float) -> str:
    """Return a number with as many digits as a bar has room for.

    >>> figure(812.3), figure(15.04), figure(3.21)
    ('812', '15', '3.2')
    """
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
