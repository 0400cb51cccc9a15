"""The report on a device as tables for the terminal and as a picture."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnnlab.figures.drawing import SPLITS, colours_of_cells, house_style, logarithmic, new_figure, save

NOTES = (
    "off: the largest difference of loss and gradients from the CPU's, relative to the largest. again: "
    "whether two trainings end in the same bits. share: of the rate at which the device multiplies large "
    "matrices in the same precision. Rates are of real tokens, forward and back."
)
STYLES = {"float32": "-", "tf32": "--", "bf16": ":"}


def sections_of(results: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield title and rows, with the same keys, of each section of which something was measured."""
    for name, make in (("equality", equality_row), ("rates", rate_row), ("step", step_row)):
        rows = results.get(name, {}).get("rows", [])
        if rows:
            yield TITLES[name], [make(row) for row in rows]


TITLES = {
    "equality": "As on the CPU, and as before",
    "rates": "A layer's thousand tokens a second, forward and back",
    "step": "A language model's training step, two layers, 20 columns of 35 tokens",
}


def equality_row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row of equality."""
    off = f"{row['off']:.1e}" if "off" in row else "failed"
    again = row.get("repeats")
    return {
        "": row["of"],
        "off": off,
        "again": {True: "yes", False: "no"}.get(again, "can't") if again is not None else "",
    }


def rate_row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row of rates."""
    has = "tokens_per_second" in row
    memory = row.get("peak_memory_bytes")
    return {
        "": f"{row['cell']} {row['units']}",
        "precision": row["precision"],
        "batch": row["way"],
        "rate": f"{row['tokens_per_second'] / 1e3:.1f}" if has else "failed",
        "share": f"{100 * row['share']:.1f} %" if has else "",
        "MiB": f"{memory / 2**20:.0f}" if memory else "",
    }


def step_row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row of steps."""
    seconds = f"{1e3 * row['seconds']:.2f}" if "seconds" in row else "failed"
    return {"": f"{row['cell']} {row['units']}", "way": row["way"], "ms": seconds}


@house_style()
def draw(results: Mapping[str, Any], target: Path) -> None:
    """Draw rates, steps and the training's curve, as far as they are measured.

    Args:
        results: of the report, or what there is of it so far.
        target: a PNG file; the drawing is written beside it as SVG.
    """
    panels = {"rates": draw_rates, "step": draw_steps, "training": draw_curve}
    there = [
        name for name in panels if results.get(name, {}).get("rows") or results.get(name, {}).get("train")
    ]
    if not there:
        return
    figure = new_figure(5.0 * len(there), 3.75)
    for number, name in enumerate(there, start=1):
        panels[name](figure.add_subplot(1, len(there), number), results[name])
    save(figure, target.parent, target.stem)


def draw_rates(panel: Any, section: Mapping[str, Any]) -> None:
    """Draw each cell's rate over its units on full batches, a line a precision."""
    colours = colours_of_cells()
    rows = [row for row in section["rows"] if row["way"] == "full" and "tokens_per_second" in row]
    for cell in dict.fromkeys(row["cell"] for row in rows):
        for precision, style in STYLES.items():
            line = [row for row in rows if (row["cell"], row["precision"]) == (cell, precision)]
            rates = [row["tokens_per_second"] for row in line]
            label = cell if precision == "float32" else None
            panel.plot(
                [row["units"] for row in line], rates, style, marker="o", color=colours.get(cell), label=label
            )
    panel.set_title("Tokens a second, forward and back\n(float32; dashed TF32; dotted bfloat16)")
    panel.set_xlabel("units")
    if rows:
        logarithmic(panel.yaxis)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def draw_steps(panel: Any, section: Mapping[str, Any]) -> None:
    """Draw the milliseconds of a language model's step."""
    rows = [row for row in section["rows"] if "seconds" in row]
    names = [f"{row['cell']} {row['units']}, {row['way']}" for row in rows]
    panel.barh(names, [1e3 * row["seconds"] for row in rows])
    panel.invert_yaxis()
    panel.set_title("A language model's step")
    panel.set_xlabel("milliseconds")


def draw_curve(panel: Any, section: Mapping[str, Any]) -> None:
    """Draw the training's perplexities over time, with what is published for a whole one."""
    for split in ("train", "validation"):
        points = section[split]
        minutes = [point["seconds"] / 60 for point in points]
        panel.plot(
            minutes, [point["perplexity"] for point in points], marker="o", color=SPLITS[split], label=split
        )
    for number in () if section["smaller"] else section["published"].values():
        panel.axhline(number, color=SPLITS["test"], linestyle="--", label=f"published: {number:g}")
    panel.set_title(f"AWD-LSTM on {section['text']}" + (", made small" if section["smaller"] else ""))
    panel.set_xlabel("minutes")
    panel.set_ylabel("perplexity")
    logarithmic(panel.yaxis)
    panel.legend(fontsize="small")
