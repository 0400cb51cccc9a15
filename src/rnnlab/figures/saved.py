"""A figure as PNG and SVG in a folder, and as an image in TensorBoard."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from rnnlab.atomic import written_beside
from rnnlab.figures.style import house_style
from rnnlab.folders import within
from rnnlab.visible import visible

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


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
        if visible(text.get_text(), lines=True) != text.get_text():
            text.set_text(visible(text.get_text(), lines=True))


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


def publish(
    figure: Figure,
    folder: Path,
    name: str,
    writer: "SummaryWriter | None",
    step: int,
    *,
    group: str = "figures",
) -> None:
    """Write a figure's files, as :func:`save` does, and show it in TensorBoard under the same name.

    Args:
        figure: what to show.
        folder: of a run, its ``figures``.
        name: of the files and in TensorBoard.
        writer: TensorBoard's; ``None`` where there is none.
        step: of the training.
        group: what TensorBoard shows together.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    found = save(figure, folder, name)
    if writer is not None:
        show(found, f"{group}/{name}", writer, step)


def show(found: Rendered, tag: str, writer: "SummaryWriter", step: int) -> None:
    """Show a bitmap in TensorBoard as it is; ``SummaryWriter.add_image`` would pack it anew."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    image = Summary.Image(
        height=found.height, width=found.width, colorspace=4, encoded_image_string=found.png
    )
    summary = Summary(value=[Summary.Value(tag=tag, image=image)])
    writer._get_file_writer().add_summary(summary, step)  # type: ignore[no-untyped-call]
