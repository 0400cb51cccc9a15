"""Figures in the house's style: their colours, words and lines, and how they are shown and saved."""

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from rnnlab.atomic import written_beside
from rnnlab.files.bounded import within
from rnnlab.visible import visible

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5b5b5b")
"""Of lines and bars, in this order: Okabe and Ito 2008, without the yellow that white paper swallows."""
SPLITS = {"train": "#D55E00", "validation": "#0072B2", "test": "#009E73"}
"""The same colour for the same split in every figure."""
INK, FAINT, GRID = "#262626", "#767676", "#e4e4e4"
SEQUENTIAL, INTENSITY = "viridis", "Blues"
"""Colour maps: of a quantity over two axes, and of counts with their figures written on them."""

Place = Literal["best", "upper right", "lower left", "lower right"]
FEW, MANY = 3, 10
"""Lines up to which their names find room within the axes, and are written at full size beside them."""
POINTS_BESIDE = 45
"""What a legend beside the axes takes besides its words."""

WIDTH, HEIGHT = 5.0, 3.75  # inches
DPI = 160
PIXELS = 96  # of an inch on a page: what a browser takes it for

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 11,
    "text.color": INK,
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "lines.linewidth": 2.0,
    "legend.frameon": True,  # without an edge: it keeps curves behind the words from crossing them
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": 10,
    "text.parse_math": False,  # a label with dollar signs is a label
    "svg.fonttype": "path",  # letters look alike where the font is missing
    "svg.hashsalt": "rnnlab",  # the same figure has the same identifiers, and so the same bytes
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw or save in the house style; as ``@house_style()`` it also decorates a function that draws."""
    with matplotlib.rc_context(RC):
        yield


class HouseFigure(Figure):
    """A figure that a notebook shows by itself, as large as its inches say and sharp on a fine screen."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the bitmap, in 256 colours to keep notebooks small, and how large a page shows it."""
        canvas = FigureCanvasAgg(self)
        with house_style():
            canvas.draw()  # type: ignore[no-untyped-call]
        png = io.BytesIO()
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        bitmap = Image.fromarray(pixels).convert("RGB")
        bitmap.quantize(256).save(png, "PNG", optimize=True)
        width, height = self.get_size_inches()
        return png.getvalue(), {"width": round(PIXELS * width), "height": round(PIXELS * height)}


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> HouseFigure:
    """Return an empty figure of so many inches, which makes room for its labels by itself."""
    return HouseFigure(figsize=(width, height), layout="constrained")


def new_panel(
    title: str, across: str, up: str, *, width: float = WIDTH, height: float = HEIGHT
) -> tuple[Figure, Axes]:
    """Return a new figure with one panel, and the panel.

    Args:
        title: what the figure shows.
        across: name and unit of what goes from left to right.
        up: name and unit of what goes upwards.
        width: of the figure, in inches.
        height: of the figure, in inches.
    """
    figure = new_figure(width, height)
    panel = figure.add_subplot()
    panel.set(title=title, xlabel=across, ylabel=up)
    return figure, panel


def colour(number: int) -> str:
    """Return the colour of the line with that number; they begin again when there are no more.

    >>> colour(0) == colour(len(COLOURS))
    True
    """
    return COLOURS[number % len(COLOURS)]


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name: the split's, or that of the cell in it, else what is left in order.

    Of several names with the same cell each is lighter than the one before, the cell's own the darkest.

    >>> colours_of(["lstm", "gru seed=1", "gru seed=2", "bag of bigrams"])
    {'lstm': '#0072B2', 'gru seed=1': '#009E73', 'gru seed=2': '#59C0A4', 'bag of bigrams': '#D55E00'}
    """
    wanted = list(names)
    if all(name in SPLITS for name in wanted):
        return {name: SPLITS[name] for name in wanted}
    of_cells = colours_of_cells()
    cells = {name: cell_in(name, of_cells) for name in wanted}
    found: dict[str, str] = {}
    for cell in dict.fromkeys(filter(None, cells.values())):
        alike = sorted((name for name in wanted if cells[name] == cell), key=lambda name: name != cell)
        found |= shades(of_cells[cell], alike)
    taken = {of_cells[cell] for cell in cells.values() if cell}
    left = [each for each in COLOURS if each not in taken]
    others = [name for name in wanted if name not in found]
    found |= {name: left[number % len(left)] for number, name in enumerate(others)}
    return {name: found[name] for name in wanted}


def cell_in(name: str, cells: Iterable[str]) -> str | None:
    """Return the cell that a run's name has in it, such as ``gru seed=1``.

    >>> cells = ["gru", "mingru", "lstm", "layernorm_lstm"]
    >>> [cell_in(name, cells) for name in ("mingru", "layernorm_lstm 2", "bag of bigrams")]
    ['mingru', 'layernorm_lstm', None]
    """
    longest_first = sorted(cells, key=len, reverse=True)
    found = (cell for cell in longest_first if re.search(rf"(?<![a-z0-9]){cell}(?![a-z0-9])", name.lower()))
    return next(found, None)


def shades(base: str, names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each name, from as it is to lighter by two thirds."""
    found = {}
    for number, name in enumerate(names):
        red, green, blue = (part + (1 - part) * 0.7 * number / len(names) for part in to_rgb(base))
        found[name] = to_hex((red, green, blue)).upper()
    return found


def name_lines(panel: Axes, within: Place) -> None:
    """Say what the lines are: within the axes where they are few, else beside them, in a wider figure.

    Args:
        panel: of which the figure is made; its lines have labels.
        within: where the names of a few lines cover none.
    """
    _, names = panel.get_legend_handles_labels()
    if len(names) <= FEW:
        panel.legend(loc=within)
        return
    size = 10 if len(names) <= MANY else 7
    figure = panel.figure
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches()
    beside = POINTS_BESIDE + 0.6 * size * max(map(len, names))  # points; a letter is 0.6 of its height wide
    figure.set_size_inches(width + beside / 72, max(height, 1.5 * size * len(names) / 72))
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=size)


def colours_of_cells() -> dict[str, str]:
    """Return each cell's colour, the same in every figure: what its file says."""
    from rnnlab.cells import cell_classes  # torch is needed for that, and for no other figure

    return {name: cell.colour for name, cell in cell_classes().items() if cell.colour is not None}


def note(figure: Figure, *lines: str) -> None:
    """Write small lines at the figure's foot, on its right; nothing where they are empty."""
    text = "\n".join(filter(None, lines))
    if text:
        figure.supxlabel(text, x=0.99, ha="right", fontsize=9, color=FAINT)


def write(panel: Axes, across: float, up: float, text: str, size: float, ink: str = INK) -> None:
    """Write a text around a place."""
    panel.text(across, up, text, ha="center", va="center", fontsize=size, color=ink)


def logarithmic(axis: Axis) -> None:
    """Make an axis logarithmic, with powers of ten written out, and 2 and 5 where there is room."""
    axis._set_axes_scale("log")  # type: ignore[attr-defined]
    low, high = axis.get_data_interval()
    steps = (1.0, 2.0, 5.0) if low <= 0 or high / low < 300 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def shortened(text: str, most: int = 16) -> str:
    """Return a name that fits beside an axis.

    >>> shortened("negative"), shortened("an endless name of a class")
    ('negative', 'an endless name…')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True)
class Rendered:
    """A figure as bytes; the same figure always has the same.

    Attributes:
        png: the bitmap.
        svg: the drawing.
        width: of the bitmap, in pixels.
        height: of the bitmap, in pixels.
    """

    png: bytes
    svg: bytes
    width: int
    height: int


@house_style()
def rendered(figure: Figure) -> Rendered:
    """Draw the figure as a bitmap and as a drawing; it should not be changed afterwards.

    Each is drawn once by its canvas: ``Figure.savefig`` draws both twice, and works out the layout again.
    """
    spell_out(figure)
    png, svg = io.BytesIO(), io.BytesIO()
    bitmap = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands for it
        bitmap.print_png(png)  # type: ignore[no-untyped-call]
        width, height = bitmap.get_width_height()
        figure.set_layout_engine("none")  # keep the places that the bitmap needed worked out
        dpi = figure.dpi
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})  # type: ignore[no-untyped-call]
        figure.dpi = dpi
    return Rendered(png.getvalue(), svg.getvalue(), width, height)


def spell_out(figure: Figure) -> None:
    """Let all texts of a figure show what can't be seen: labels are anybody's, and XML bears no controls."""
    for axis in (axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)):
        for formatter in (axis.get_major_formatter(), axis.get_minor_formatter()):
            if isinstance(formatter, FuncFormatter):  # what ``set_xticks`` with labels makes, too
                formatter.func = spelt(formatter.func)
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        if (spelt_out := visible(text.get_text(), lines=True)) != text.get_text():
            text.set_text(spelt_out)


def spelt(label_of: Callable[..., str]) -> Callable[..., str]:
    """Return what makes a tick's label, with what can't be seen spelt out."""
    return lambda *place: visible(label_of(*place), lines=True)


def save(figure: Figure, folder: Path, name: str) -> Rendered:
    """Write ``NAME.png`` and ``NAME.svg`` into ``folder``, each whole or not at all.

    Args:
        figure: what to write.
        folder: of a run, its ``figures``; it is made where it is missing.
        name: of the files, without ending; ``lstm/gates`` goes into the subfolder ``lstm``.

    Returns:
        What was written.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written, or the name leads out of it: some are
            of what files say, as the layers in ``diagnostics.json``.
    """
    found = rendered(figure)
    for ending, content in (("png", found.png), ("svg", found.svg)):
        target = within(folder, f"{name}.{ending}", "The figure")
        with written_beside(target) as unfinished:
            unfinished.write_bytes(content)
    return found


def as_file(name: str) -> str:
    """Return a name as a part of a file's name.

    >>> as_file("f1/good"), as_file("loss of single steps")
    ('f1-good', 'loss_of_single_steps')
    """
    return re.sub(r"[^\w.=,+-]+", "-", name.replace(" ", "_"))


def publish(figure: Figure, folder: Path, name: str, writer: "SummaryWriter | None", step: int) -> None:
    """Write a figure's files, as :func:`save` does, and show it in TensorBoard under the same name.

    Args:
        figure: what to show.
        folder: of a run, its ``figures``.
        name: of the files and in TensorBoard.
        writer: TensorBoard's; ``None`` where there is none.
        step: of the training.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    found = save(figure, folder, name)
    if writer is None:
        return
    from tensorboard.compat.proto.summary_pb2 import Summary

    # The bitmap as it is; ``SummaryWriter.add_image`` would pack it anew.
    size = {"height": found.height, "width": found.width}
    image = Summary.Image(**size, colorspace=4, encoded_image_string=found.png)
    summary = Summary(value=[Summary.Value(tag=f"figures/{name}", image=image)])
    writer._get_file_writer().add_summary(summary, step)  # type: ignore[no-untyped-call]
