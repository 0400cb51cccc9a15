"""A benchmark's figures as tables for the terminal and as a bar chart."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from rnnlab.atomic import write_text
from rnnlab.benchmarks import device_figures
from rnnlab.benchmarks.settings import CONTESTANTS
from rnnlab.figures.drawing import COLOURS, house_style, new_figure, save

MATMUL = (
    "matmul: the share that the layer's products reach of the rate at which this machine multiplies large "
    "float32 matrices (two for each weight and token; three times as many with the way back)."
)
RATES = (
    "Medians over the turns; range: the slowest and the fastest. times: rnnlab's rate in the Trainer by this "
    "one's, median over rounds."
)
MEMORY = (
    "MiB: peak resident set of the whole process, libraries included "
    "(rnnlab.benchmarks.child_process says what that can't tell)."
)
NOTES = {
    "equality": device_figures.NOTES,
    "logging": (
        "Medians over the rounds; range: the least and the most. seconds: a whole training without its "
        "baseline, from the data to the last figure; by silent: what it takes by the one of the same "
        "round without logging."
    ),
    "prediction": (
        "Medians over the rounds, from raw text to class; range: the slowest and the fastest. times: the "
        "rate in windows, in characters, by that of one text at a time in the same round."
    ),
    "sweep": (
        "Medians over the rounds, from the command to its last line; range: the least and the most. "
        "times: what one job after the other takes by what several at once take, in the same round."
    ),
    "forecasting": (
        "Medians over the turns; range: the slowest and the fastest. Steps are those of the look-backs "
        "read in training; times: rnnlab's rate by the other's, median over rounds. MiB: peak resident "
        "set of the whole process, libraries included."
    ),
    "kernels": (
        "Medians over the turns. times: the fused scan's rate by that of PyTorch's network, or of the "
        f"fused GRU in the same turns. {MATMUL} memory: share of the time that the numbers which an "
        "elementwise scan moves take at the speed of a large copy. bound by: the largest of these shares "
        "and the rest, that of gates."
    ),
    "sentiment": f"{RATES} {MATMUL} {MEMORY}",
}
"""What the words of a part's tables mean; of others ``RATES`` and ``MEMORY``."""


def keep(results: Mapping[str, Any], folder: Path) -> None:
    """Write the figures, whole or not at all."""
    write_text(folder / "benchmark.json", json.dumps(results, indent=2) + "\n")


def tables_of(results: Mapping[str, Any]) -> Iterator[Table]:
    """Yield a table for each part of the results."""
    corpus = results["config"]["data"]["name"] if "config" in results else ""
    if "sentiment" in results:
        rows = results["sentiment"]
        title = f"Sentiment classifiers on {corpus}, thousands of real tokens a second"
        yield contest_table(title, rows, one_layer)
        if any("bare" in row["times_as_fast"].get("training", {}) for row in rows):
            yield overhead_table(rows)
        if results["config"]["beside"]:
            yield beside_table(rows, results["config"]["beside"])
    if "language_model" in results:
        yield contest_table(
            f"Language models on {corpus}, thousands of tokens a second",
            results["language_model"],
            several_layers,
            show=lambda row, rate: f"{rate / 1e3:.2f}",
            note=lambda row, name: f", {row['head'] if name == 'trainer' else 'full'}",
        )
    if "forecasting" in results:
        yield contest_table(
            f"Forecasters on {corpus}, thousands of look-back steps a second",
            results["forecasting"],
            one_layer,
            note=lambda row, name: f" {row['versions'].get(name, '')}".rstrip(),
            unit="steps_per_second",
        )
    if "speech" in results:
        yield contest_table(
            f"Recognizers on {corpus}, hours of sound a second",
            results["speech"],
            several_layers,
            show=lambda row, rate: f"{rate * row['step_seconds'] / 3600:.4f}",
        )
    if "keras" in results:
        yield keras_table(results["keras"])
    if "logging" in results:
        yield logging_table(results["logging"])
    if "prediction" in results:
        yield prediction_table(results["prediction"], corpus)
    if "sweep" in results:
        yield sweep_table(results["sweep"])
    if "equality" in results:
        yield from (filled_table(*section) for section in device_figures.sections_of(results))
    if "kernels" in results:
        for is_training, title in ((False, "Forward"), (True, "Forward and backward")):
            yield kernels_table(
                [row for row in results["kernels"] if row["is_training"] == is_training], title
            )


def notes_of(results: Mapping[str, Any]) -> str:
    """Return what the tables' words mean."""
    return next((note for part, note in NOTES.items() if part in results), f"{RATES} {MEMORY}")


def plain_table(title: str, names: Iterable[str], no_wrap: bool = True) -> Table:
    """Return an empty table that fits 80 columns; under a name stand figures, under none what they are of."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in names:
        table.add_column(name, justify="right" if name else "left", no_wrap=no_wrap)
    return table


def filled_table(title: str, rows: Sequence[Mapping[str, str]], no_wrap: bool = True) -> Table:
    """Return a table whose columns are the rows' keys."""
    table = plain_table(title, rows[0] if rows else (), no_wrap)
    for row in rows:
        table.add_row(*row.values())
    return table


def contest_table(
    title: str,
    rows: list[dict[str, Any]],
    model: Callable[[Mapping[str, Any]], str],
    show: Callable[[Mapping[str, Any], float], str] = lambda row, rate: thousands(rate),
    note: Callable[[Mapping[str, Any], str], str] = lambda row, name: "",
    unit: str = "tokens_per_second",
) -> Table:
    """Return rates, ratios and memory of every contestant, and shares where they are known.

    Args:
        title: of the table.
        rows: a contest each.
        model: says what was raced in a row.
        show: a row and a rate as text.
        note: what stands behind a contestant's name.
        unit: the name of the rates.
    """
    found = next(iter(rows[0]["contestants"].values()))
    shares, infers = "share_of_matrix_multiply_rate" in found["training"], "inference" in found
    names = ("train", "range", "times", *("matmul",) * shares, *("infer", "times") * infers, "MiB")
    table = plain_table(title, ("", "", *names))
    for row in rows:
        for number, (name, found) in enumerate(row["contestants"].items()):
            rate, memory = found["training"][unit], found["peak_memory_bytes"]
            cells = [show(row, rate["median"]), f"{show(row, rate['lowest'])}-{show(row, rate['highest'])}"]
            cells.append(times(row, "training", name))
            if shares:
                cells.append(f"{100 * found['training']['share_of_matrix_multiply_rate']:.0f} %")
            if "inference" in found:
                cells += [show(row, found["inference"][unit]["median"]), times(row, "inference", name)]
            elif infers:
                cells += ["", ""]  # another program was asked for its training alone
            table.add_row(
                model(row) if number == 0 else "",
                f"{CONTESTANTS[name]}{note(row, name)}",
                *cells,
                "?" if memory is None else f"{memory / 2**20:,.0f}",
                end_section=number == len(row["contestants"]) - 1,
            )
    return table


def one_layer(row: Mapping[str, Any]) -> str:
    """Return what was raced: a cell and its size."""
    return f"{row['cell']} {row['hidden_size']}"


def several_layers(row: Mapping[str, Any]) -> str:
    """Return what was raced: a cell, its layers and its size."""
    return f"{row['cell']} {row['layers']} x {row['hidden_size']}"


def overhead_table(rows: list[dict[str, Any]]) -> Table:
    """Return what the Trainer costs on top of the bare loop: the rates' ratio upside down."""
    ratios = [(one_layer(row), row["times_as_fast"]["training"]["bare"]) for row in rows]
    return filled_table(
        "Seconds of an epoch through the Trainer by the bare loop's",
        [
            {
                "": name,
                "median": f"{1 / found['median']:.3f}",
                "range": f"{1 / found['highest']:.3f}-{1 / found['lowest']:.3f}",
            }
            for name, found in ratios
        ],
        no_wrap=False,
    )


def beside_table(rows: list[dict[str, Any]], beside: int) -> Table:
    """Return what is left of each contestant's rate where other processes want the processors, too."""
    processes = "a busy process" if beside == 1 else f"{beside} busy processes"
    table = plain_table(
        f"Rate in training beside {processes}, by the quiet one of the same round",
        ("", "", "median", "range"),
        no_wrap=False,
    )
    for row in rows:
        for number, (name, found) in enumerate(row["left_beside"].items()):
            cell = one_layer(row) if number == 0 else ""
            span = f"{found['lowest']:.2f}-{found['highest']:.2f}"
            table.add_row(cell, CONTESTANTS[name], f"{found['median']:.2f}", span)
    return table


def prediction_table(found: Mapping[str, Any], corpus: str) -> Table:
    """Return how many texts a second are predicted in windows and one at a time."""
    title = (
        f"Texts a second: {found['texts']:,} of {corpus}, {found['characters']:,.0f} characters on average"
    )
    rows = []
    for name, shown in (("windows", "in windows"), ("alone", "one at a time")):
        rates = found["texts_per_second"][name]
        median, span = f"{rates['median']:,.0f}", f"{rates['lowest']:,.0f}-{rates['highest']:,.0f}"
        faster = spread(found["times_as_fast"], "{:.1f}") if name == "alone" else ""
        rows.append({"": shown, "texts/s": median, "range": span, "times": faster})
    return filled_table(title, rows, no_wrap=False)


def keras_table(results: Mapping[str, Any]) -> Table:
    """Return the race with the Keras program."""
    versions = results["versions"]
    against = f"Keras {versions['keras']}, {versions['backend']} {versions.get('tensorflow', '')}".strip()
    return filled_table(
        f"Seconds of an epoch of {results['documents']:,} reviews: rnnlab and {against}",
        [
            {
                "": row["cell"],
                "rnnlab": spread(row["seconds_per_epoch"]["rnnlab"], "{:.1f}"),
                "Keras": spread(row["seconds_per_epoch"]["keras"], "{:.1f}"),
                "times": spread(row["times_as_fast"], "{:.2f}"),
                "last losses": " and ".join(f"{row['loss'][name][-1]:.3f}" for name in ("rnnlab", "keras")),
            }
            for row in results["rows"]
        ],
    )


def logging_table(results: Mapping[str, Any]) -> Table:
    """Return what logging costs trainings."""
    model, rows = results["model"], []
    for name, seconds in results["seconds"].items():
        ratios = {part: spread(found, "{:.3f}") for part, found in results["ratios"].get(name, {}).items()}
        by_silent = {
            "by silent": ratios.get("whole", ""),
            "an epoch's steps by silent": ratios.get("epoch", ""),
        }
        rows.append({"": name, "seconds": spread(seconds, "{:.1f}"), **by_silent})
    return filled_table(f"Trainings of {model['cell']} {model['hidden_size']} with logging and without", rows)


def sweep_table(found: Mapping[str, Any]) -> Table:
    """Return how long a sweep takes, several jobs at once and one after the other."""
    rows = []
    for way, shown in (("joblib", "several at once"), ("basic", "one after the other")):
        faster = spread(found["times_as_fast"], "{:.2f}") if way == "basic" else ""
        rows.append({"": shown, "seconds": spread(found["seconds"][way], "{:.1f}"), "times": faster})
    return filled_table(f"Seconds of the sweep {found['sweep']}", rows)


def kernels_table(rows: list[dict[str, Any]], title: str) -> Table:
    """Return the fused scans, what stands beside each, and what bounds it."""
    return filled_table(
        f"{title}: thousands of real tokens a second through one layer",
        [
            {
                "": row["cell"],
                "in, hidden, batch, time": f"{row['input_size']}, {row['hidden_size']}, {row['batch']}, "
                f"{row['time'] if row['lengths'] is None else 'of ' + row['lengths']}",
                "fused": thousands(row["fused_tokens_per_second"]),
                "times": f"{row['ratio']:.2f} {row['beside']}",
                "matmul": f"{100 * row['matmul_share']:.0f} %",
                "memory": "" if row["memory_share"] is None else f"{100 * row['memory_share']:.0f} %",
                "bound by": row["bound"],
            }
            for row in rows
        ],
    )


def spread(found: Mapping[str, Any], form: str) -> str:
    """Return median, lowest and highest.

    >>> spread({"median": 2.0, "lowest": 1.0, "highest": 4.0}, "{:.1f}")
    '2.0 (1.0-4.0)'
    """
    middle, lowest, highest = (form.format(found[name]) for name in ("median", "lowest", "highest"))
    return f"{middle} ({lowest}-{highest})"


def thousands(rate: float) -> str:
    """Return a rate in thousands.

    >>> thousands(152_340.0), thousands(3_210.0)
    ('152', '3.2')
    """
    return f"{rate / 1e3:.0f}" if rate >= 1e5 else f"{rate / 1e3:.1f}"


def times(row: Mapping[str, Any], stage: str, name: str) -> str:
    """Return how many times as fast as this contestant the Trainer is."""
    found = row["times_as_fast"].get(stage, {}).get(name)
    return f"{found['median']:.2f}" if found else ""


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
