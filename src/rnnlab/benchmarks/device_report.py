"""One report on a device, in a given number of minutes: is it right, how fast is it, does it learn.

Made for a GPU that is at hand for a short while. Each section is measured within its share of the time, the
most telling figures first, and after each row the report is written whole: whatever ends it, what was
measured is kept. Nothing is downloaded: what is read is made up, but for Penn Treebank where the data folder
has it.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import lightning
import numpy as np
import torch
from hydra import compose
from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf
from torch import Tensor, nn

import rnnlab
from rnnlab import interruption
from rnnlab.benchmarks import made_up
from rnnlab.benchmarks.device_figures import draw
from rnnlab.benchmarks.settings import matrix_multiply_rate, seconds_a_call
from rnnlab.benchmarks.tables import keep
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Repeated
from rnnlab.cells import cell_classes, cell_named
from rnnlab.data.batch import moved
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import RnnlabError
from rnnlab.folders import data_folder
from rnnlab.interruption import Interrupted
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.training.clock import TrainingClock
from rnnlab.training.fit import assemble_task, assemble_trainer, prepared_data
from rnnlab.training.hardware import check_cuda_graph
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

PRECISIONS = ("float32", "tf32", "bf16")
WAYS = ("padded", "packed", "masked")
"""How ragged batches are walked."""
FIRST = ("gru", "lstm", "rnn")
"""Cells that are measured before the others."""
TRAINING = 3
"""What going forward and back costs, going forward being 1."""
EQUAL = 1e-4
"""How far a device may be from the CPU, relative to the largest number."""
PUBLISHED = {"AWD-LSTM, test, after some 500 epochs (Merity et al. 2018)": 58.8}
MARK = "pytest.mark.gpu"


class Size(NamedTuple):
    """How large what is measured is.

    Attributes:
        units: of the layers.
        batch: sequences.
        steps: of each.
        seconds: that a rate is measured for, at least.
        windows: of a language model in a turn of its step.
        vocabulary: of that language model.
        words: of the text that is made up.
        backend: of the encoders.
        smaller: overrides that make AWD-LSTM small; none where it is as published.
    """

    units: tuple[int, ...]
    batch: int
    steps: int
    seconds: float
    windows: int
    vocabulary: int
    words: int
    backend: str
    smaller: tuple[str, ...]


SMALL_AWD = (
    *("model.hidden_size=32", "model.layers=2", "task.embedding_size=16", "model.backend=torch"),
    *("batches.bptt=20", "batches.random_lengths=false"),
)
ON_GPU = Size((128, 512, 1024), 64, 128, 0.2, 60, 10_000, 1_000_000, "auto", ())
ON_CPU = Size((16, 32), 8, 16, 0.02, 4, 500, 20_000, "torch", SMALL_AWD)
"""A dry run, which shows that the report works; nothing is compiled for it."""


class Report:
    """What is measured, kept whole on disk after each row.

    Args:
        results: takes the sections, by name.
        folder: where they are kept.
        minutes: that all may take.
        device: what is measured.
    """

    def __init__(self, results: dict[str, Any], folder: Path, minutes: float, device: torch.device) -> None:
        self.results, self.folder, self.device = results, folder, device
        self.size = ON_CPU if device.type == "cpu" else ON_GPU
        self.began = time.monotonic()
        self.seconds = 60 * minutes
        self.until = self.began

    @contextmanager
    def section(self, name: str, share: float) -> Iterator[dict[str, Any]]:
        """Yield what a section fills; what goes wrong in it is kept, too, and ends that section alone.

        Args:
            name: of the section.
            share: of all the time, that will have passed at its end.
        """
        self.until = self.began + self.seconds * share
        started = time.monotonic()
        found: dict[str, Any] = {"rows": []}
        self.results[name] = found
        log.info("%s: %.0f s at most", name, self.left())
        try:
            yield found
        except (RuntimeError, OSError, RnnlabError) as error:
            found["failed"] = told(error)
            log.warning("%s failed: %s", name, found["failed"])
        found["seconds"] = time.monotonic() - started
        self.keep()
        draw(self.results, self.folder / "benchmark.png")

    def left(self) -> float:
        """Return the seconds that the section has left; a second at least."""
        return max(1.0, self.until - time.monotonic())

    def is_over(self) -> bool:
        """Return whether the section's time is; end all if that was asked for."""
        interruption.check()
        return time.monotonic() >= self.until

    @contextmanager
    def row(self, section: dict[str, Any], **row: Any) -> Iterator[dict[str, Any]]:
        """Yield a row of a section, to be filled and then kept; what goes wrong is kept in it, too."""
        try:
            yield row
        except (RuntimeError, RnnlabError) as error:
            row["failed"] = told(error)
        section["rows"].append(row)
        self.keep()

    def keep(self) -> None:
        """Write what there is."""
        keep(self.results, self.folder)


def measure(results: dict[str, Any], minutes: float, folder: Path, device: torch.device) -> None:
    """Fill ``results``, a section after the other, and keep them in ``folder``.

    Args:
        results: takes the sections.
        minutes: that all may take.
        folder: of the report.
        device: what is measured.

    Raises:
        Interrupted: if Ctrl-C or SIGTERM ended it; what was measured is kept.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS does not repeat itself
    report = Report(results, folder, minutes, device)
    report.keep()
    words = f"Stopped; what was measured until then is in {folder / 'benchmark.json'}."
    share = 0.0
    with interruption.listening(partial(Interrupted, words)):
        for name, (section, own) in SECTIONS.items():
            share += own
            with report.section(name, share) as found:
                section(report, found)


def tests(report: Report, found: dict[str, Any]) -> None:
    """Run the tests that are marked ``gpu``, where this is a checkout."""
    root = Path(rnnlab.__file__).resolve().parents[2]
    files = sorted((root / "tests").rglob("test_*.py"))
    marked = [str(file) for file in files if MARK in file.read_text(encoding="utf-8")]
    if not marked:
        found["failed"] = "no tests here: rnnlab is installed without them"
        return
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "--no-header"]
    try:
        done = subprocess.run(
            [*words, *marked], cwd=root, capture_output=True, text=True, check=False, timeout=report.left()
        )
    except subprocess.TimeoutExpired:
        found["failed"] = "they took longer than their share of the time"
        return
    lines = done.stdout.strip().splitlines()
    found.update(status=done.returncode, summary=lines[-1] if lines else "", told=lines[-40:])


def equality(report: Report, found: dict[str, Any]) -> None:
    """Compare losses and gradients of each task and cell with the CPU's; and two trainings bit for bit."""
    with precise("float32"):
        for name, make in compared(report.size.backend).items():
            if report.is_over():
                return
            with report.row(found, of=name) as row:
                row["off"] = largest_difference(make, report.device)
                row["is_equal"] = row["off"] <= EQUAL
                row["repeats"] = repeats_itself(make, report.device)


def compared(backend: str) -> dict[str, Callable[[], made_up.MadeUp]]:
    """Return what makes each task, and a task with each cell."""
    encoder = partial(made_up.encoder, hidden_size=32, layers=2, backend=backend)
    both = partial(encoder, bidirectional=True)
    return {
        "sentiment": lambda: made_up.sentiment(both(), dropout=0.0),
        "language_model": lambda: made_up.language_model(encoder("lstm"), 50, 16),
        "memory": lambda: made_up.memory(encoder("rnn")),
        "forecasting": lambda: made_up.forecaster(both()),
        "speech": lambda: made_up.speech(both("lstm")),
        **{f"cell {name}": partial(made_up.memory, encoder(name)) for name in in_order(cell_classes())},
    }


def largest_difference(make: Callable[[], made_up.MadeUp], device: torch.device) -> float:
    """Return how far loss and gradients on the device are from those on the CPU, relative to the largest."""
    expected, found = (loss_and_gradients(make, where) for where in (torch.device("cpu"), device))
    return max(
        float((one - other).abs().max() / one.abs().max().clamp(min=1e-3))
        for one, other in zip(expected, found, strict=True)
    )


def loss_and_gradients(make: Callable[[], made_up.MadeUp], device: torch.device) -> list[Tensor]:
    """Return a training step's loss and gradients, on the CPU in float64."""
    torch.manual_seed(1)
    task, batch = make()
    task.to(device)
    loss = cast(Tensor, task.training_step(moved(batch, device), 0))
    torch.autograd.backward(loss)
    slopes = [weight.grad for weight in task.parameters() if weight.grad is not None]
    return [tensor.detach().cpu().double() for tensor in (loss, *slopes)]


def repeats_itself(make: Callable[[], made_up.MadeUp], device: torch.device) -> bool | str:
    """Return whether three steps end in the same bits twice, as ``trainer.deterministic=true`` has them.

    Where an operation can't do so, what PyTorch says of it.
    """
    was = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (trained(make, device) for _ in range(2))
    except RuntimeError as error:
        return told(error)
    finally:
        torch.use_deterministic_algorithms(was)
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def trained(make: Callable[[], made_up.MadeUp], device: torch.device) -> list[Tensor]:
    """Return a task's weights after three steps."""
    torch.manual_seed(2)
    task, batch = make()
    task.to(device)
    optimizer, here = task.configure_optimizers(), moved(batch, device)
    for _ in range(3):
        optimizer.zero_grad()
        torch.autograd.backward(cast(Tensor, task.training_step(here, 0)))
        optimizer.step()
    return [weight.detach().cpu() for weight in task.parameters()]


def rates(report: Report, found: dict[str, Any]) -> None:
    """Measure each cell's tokens a second, forward and back: full batches, and ragged ones in every way."""
    found["matrix_multiply_rate"] = machine = {name: matrix_rate(name, report.device) for name in PRECISIONS}
    others = [cell for cell in in_order(cell_classes()) if cell not in FIRST]
    work = list(product(FIRST, report.size.units, PRECISIONS, ["full"]))
    work += product(FIRST, report.size.units, ["float32"], WAYS)
    work += product(others, report.size.units, PRECISIONS, ["full"])
    for cell, units, precision, way in work:
        found["left_out"] = len(work) - len(found["rows"])
        if report.is_over():
            return
        with report.row(found, cell=cell, units=units, precision=precision, way=way) as row:
            row.update(rate_of(cell, units, precision, way, report.size, report.device))
            work_done = TRAINING * cell_named(cell).operations_per_token(units, units)
            row["share"] = row["tokens_per_second"] * work_done / machine[precision]
    found["left_out"] = 0


def matrix_rate(precision: str, device: torch.device) -> float:
    """Return the operations a second of a product of large matrices."""
    with precise(precision):
        narrow = torch.bfloat16 if precision == "bf16" else torch.float32
        return matrix_multiply_rate(device, narrow, size=256 if device.type == "cpu" else None)


def rate_of(
    cell: str, units: int, precision: str, way: str, size: Size, device: torch.device
) -> dict[str, Any]:
    """Return a layer's real tokens a second, forward and back, and the peak of the device's memory.

    Args:
        cell: which.
        units: of it, and features of its inputs.
        precision: of :data:`PRECISIONS`.
        way: ``full``, where every sequence fills the time axis; else how a batch like one of film reviews is
            walked: ``packed`` and ``masked`` as :mod:`rnnlab.encoder.backends` says, ``padded`` by PyTorch's
            module over all of the padding.
        size: of the batches.
        device: what computes.
    """
    torch.manual_seed(1)
    backend = way if way in ("packed", "masked") else size.backend
    encoder = RecurrentEncoder(units, cell, units, backend=backend).to(device)
    lengths = None if way == "full" else review_lengths(size)
    steps = size.steps if lengths is None else int(lengths.max())
    inputs = torch.randn(size.batch, steps, units, device=device, requires_grad=True)
    slope = torch.randn(size.batch, steps, encoder.output_size, device=device)

    def walk() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            padded = cast(nn.RNNBase, encoder.network)
            outputs = padded(inputs)[0] if way == "padded" else encoder(inputs, lengths)[0]
        torch.autograd.backward(outputs.float(), slope)

    tokens = size.batch * steps if lengths is None else int(lengths.sum())
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with precise(precision):
        walk()  # warms up
        seconds = seconds_a_call(walk, size.seconds, device)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"tokens_per_second": tokens / seconds, "tokens": tokens, "peak_memory_bytes": peak}


def review_lengths(size: Size) -> Tensor:
    """Return the lengths of a batch of made-up documents, the longest first.

    Lengths of IMDB's reviews are lognormal, about; a batch has similar ones, as rnnlab's buckets do.
    """
    drawn = np.sort(np.random.default_rng(1).lognormal(mean=5.2, sigma=0.65, size=50 * size.batch))
    bucket = drawn[30 * size.batch : 31 * size.batch][::-1] * (size.steps / 256)
    return torch.from_numpy(np.maximum(1, bucket.astype(np.int64)))


def step(report: Report, found: dict[str, Any]) -> None:
    """Compare a language model's step in a bare loop, in the Trainer, and there as a CUDA graph."""
    for units, cell, way in product(report.size.units, ("lstm", "gru"), ("bare", "trainer", "graph")):
        if report.is_over():
            return
        with report.row(found, cell=cell, units=units, way=way) as row:
            row["seconds"] = step_seconds(way, cell, units, report)


def step_seconds(way: str, cell: str, units: int, report: Report) -> float:
    """Return the seconds of a training step of a language model, tied, of windows of 35 in 20 columns."""
    size, device = report.size, report.device
    torch.manual_seed(1)
    model = made_up.encoder(cell, hidden_size=units, layers=2, backend=size.backend)
    task, batch = made_up.language_model(model, size.vocabulary, units, columns=20, bptt=35)
    windows = [batch._replace(starts=number == 0) for number in range(size.windows)]
    if way == "bare":
        walk = partial(bare_loop, task.to(device), [moved(window, device) for window in windows])
        walk()  # warms up
        return seconds_a_call(walk, size.seconds, device) / len(windows)
    training = composed(["task=language_model", "logger=none", "scheduler=none"], device)
    training["trainer"]["cuda_graph"] = way == "graph"
    check_cuda_graph(training["trainer"])
    turns = TrainerPath(training, task, report.folder / "steps" / f"{way}-{cell}-{units}", device)
    predicted = attrgetter("predicted")
    turns.turn(Repeated(windows[:4], predicted))
    return turns.turn(Repeated(windows, predicted)).training.seconds / len(windows)


def bare_loop(task: Any, windows: list[Any]) -> None:
    """Train on windows, with nothing in the loop that the arithmetic does not need."""
    optimizer, parameters = task.configure_optimizers(), list(task.parameters())
    for window in windows:
        optimizer.zero_grad()
        torch.autograd.backward(task.training_step(window, 0))
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()


def training(report: Report, found: dict[str, Any]) -> None:
    """Train AWD-LSTM on Penn Treebank as long as time is left, and keep its curve."""
    words = ["experiment=awd_lstm_ptb", "logger=none", "baselines=false", *report.size.smaller]
    is_made_up = report.device.type == "cpu" or not (data_folder() / "penn_treebank").is_dir()
    if is_made_up:
        text = made_up_text(report.folder / "made_up.txt", report.size.words)
        words += ["data=text", f"data.corpus.train={text}", "tokenizer=whitespace"]
    found.update(text="a made-up text" if is_made_up else "Penn Treebank", smaller=list(report.size.smaller))
    found.update(published=PUBLISHED, train=[], validation=[])
    settings = composed(words, report.device)
    settings["trainer"]["max_epochs"] = 10_000
    lightning.seed_everything(settings["seed"], workers=True, verbose=False)
    data = prepared_data(settings)
    task, clock = assemble_task(settings, data), TrainingClock()
    trainer = assemble_trainer(settings, task, RunFolder(report.folder / "awd_lstm"), clock)
    trainer.callbacks.append(Curve(report, found, clock))  # type: ignore[attr-defined]
    with suppress(TimeIsUpError):
        trainer.fit(task, datamodule=data)


class TimeIsUpError(RuntimeError):
    """The section's time is over."""


class Curve(Callback):
    """Keeps perplexities while a language model is trained, and ends it when its time is up.

    Args:
        report: says when.
        found: takes ``train`` and ``validation``: seconds, steps and perplexity of each point.
        clock: of the training.
    """

    def __init__(self, report: Report, found: dict[str, Any], clock: TrainingClock) -> None:
        self.report, self.found, self.clock = report, found, clock
        self.every = report.seconds / 40
        self.last = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *others: Any
    ) -> None:
        """Keep a point now and then, and one when the time is up."""
        is_over = self.report.is_over()
        if is_over or time.monotonic() - self.last > self.every:
            self.last = time.monotonic()
            self.keep(trainer, "train", float(cast(LanguageModel, pl_module).train_loss.compute().exp()))
        if is_over:
            raise TimeIsUpError

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep a validation's."""
        self.keep(trainer, "validation", float(trainer.callback_metrics["validation/perplexity"]))

    def keep(self, trainer: lightning.Trainer, split: str, perplexity: float) -> None:
        """Keep a point."""
        seconds, step_seconds = self.clock.wall_seconds(), max(self.clock.seconds_so_far(), 1e-9)
        self.found[split].append({"seconds": seconds, "step": trainer.global_step, "perplexity": perplexity})
        self.found["tokens_per_second"] = self.clock.tokens_so_far() / step_seconds
        self.report.keep()


SECTIONS: dict[str, tuple[Callable[[Report, dict[str, Any]], None], float]] = {
    "equality": (equality, 0.12),
    "rates": (rates, 0.28),
    "step": (step, 0.13),
    "tests": (tests, 0.12),
    "training": (training, 0.35),
}
"""What is measured, and its share of the time; what one leaves over the next ones have."""


def composed(words: list[str], device: torch.device) -> dict[str, Any]:
    """Return a training's configuration, as ``scripts/train.py`` composes it, on the device."""
    found: Any = OmegaConf.to_container(compose("train", words), resolve=True)
    found["trainer"]["accelerator"] = device.type
    return dict(found)


def made_up_text(path: Path, words: int) -> Path:
    """Write a text of so many words, as frequent as Zipf has them, and return its path."""
    drawn = np.minimum(np.random.default_rng(1).zipf(1.3, size=words), 5_000)
    lines = [" ".join(f"w{number}" for number in drawn[at : at + 20]) for at in range(0, words, 20)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@contextmanager
def precise(precision: str) -> Iterator[None]:
    """Let float32 products be computed as they are, or (``tf32``) rounded to TF32 on GPUs that have it."""
    of_products: Any = torch.backends.cuda.matmul
    of_cells: Any = torch.backends.cudnn.rnn
    before = of_products.fp32_precision, of_cells.fp32_precision
    of_products.fp32_precision = of_cells.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        of_products.fp32_precision, of_cells.fp32_precision = before


def in_order(cells: Mapping[str, Any]) -> list[str]:
    """Return the cells, the best known first."""
    return sorted(cells, key=lambda name: (name not in FIRST, name))


def told(error: BaseException) -> str:
    """Return an error in a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
