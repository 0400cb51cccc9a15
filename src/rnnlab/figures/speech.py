"""Sound with what is heard in it: the spectrogram, the probabilities at each step, errors by length."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.drawing import (
    COLOURS,
    FAINT,
    INK,
    SEQUENTIAL,
    colours_of,
    house_style,
    name_lines,
    new_figure,
    new_panel,
    shortened,
)

MOST_SYMBOLS = 12
"""Symbols whose probabilities are drawn, where they reach ``LEAST`` anywhere."""
LEAST = 0.1
STYLES = ("-", "--")
"""Of lines: when the colours are used up, they come once more, dashed."""


@house_style()
def spectrogram_figure(
    frames: npt.NDArray[np.float32],
    seconds: float,
    heard: Sequence[tuple[float, str]],
    said: str,
) -> Figure:
    """Draw a recording's bands over time, and below each symbol where it is told.

    Args:
        frames: log energies ``(frames, bands)``.
        seconds: how long the recording is.
        heard: when each symbol is told, in seconds, and the symbol.
        said: the transcript.
    """
    figure = new_figure(8.0, 3.2)
    panel = figure.add_subplot()
    panel.set_title(shortened(said, 80))
    panel.imshow(
        frames.T, origin="lower", aspect="auto", cmap=SEQUENTIAL, extent=(0, seconds, 0, frames.shape[1])
    )
    panel.set(xlabel="seconds", ylabel="band", xlim=(0, seconds))
    for time, symbol in heard:
        panel.text(
            *(time, -0.02, "␣" if symbol == " " else symbol),
            transform=panel.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=9,
            color=INK,
        )
    if heard:
        panel.tick_params(axis="x", pad=16)
    return figure


@house_style()
def posterior_figure(
    probabilities: npt.NDArray[np.floating], seconds: float, symbols: Sequence[str], said: str
) -> Figure:
    """Draw the probability of each symbol at each step: the blank, and those that are probable anywhere,
    in the order in which they are heard.

    Args:
        probabilities: ``(steps, symbols + 1)``, the blank last.
        seconds: how long the recording is.
        symbols: by id, without the blank.
        said: the transcript.
    """
    figure, panel = new_panel(shortened(said, 60), "seconds", "probability")
    times = (np.arange(len(probabilities)) + 0.5) * seconds / len(probabilities)
    panel.plot(times, probabilities[:, -1], color=FAINT, linewidth=1, linestyle=":", label="blank")
    best = probabilities[:, :-1].max(axis=0)
    chosen = [number for number in np.argsort(-best, kind="stable")[:MOST_SYMBOLS] if best[number] >= LEAST]
    chosen.sort(key=lambda number: int(probabilities[:, number].argmax()))
    for place, number in enumerate(chosen):
        name = "␣" if symbols[number] == " " else symbols[number]
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS)]
        panel.plot(times, probabilities[:, number], linewidth=1.2, label=name, color=colour, linestyle=style)
    panel.set(ylim=(0, 1.02), xlim=(0, seconds))
    name_lines(panel, "best")
    return figure


@house_style()
def errors_by_length_figure(groups: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw the word error rate against length for each name.

    Args:
        groups: by name, median seconds and word error rate of recordings of similar length.
    """
    figure, panel = new_panel("Errors by length", "seconds of the recording", "word error rate")
    colours = colours_of(groups)
    for name, points in groups.items():
        panel.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colours[name], label=name)
    panel.set_ylim(bottom=0)
    panel.grid(True)
    name_lines(panel, "best")
    return figure
