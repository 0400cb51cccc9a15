"""Scoring that adapts to the text it has scored: by the neural cache, by dynamic evaluation, or by both.

What there is to choose for them is chosen on the validation text. Figures of a scoring that adapts do not
compare with those of one that does not.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from rnnlab import interruption
from rnnlab.atomic import written_beside
from rnnlab.cells.cell import State
from rnnlab.data.streams import StreamBatch, StreamLoader
from rnnlab.encoder.encoder import as_state, mapped
from rnnlab.errors import DamagedFileError
from rnnlab.files.checkpoint_file import check_sums, check_unfolded
from rnnlab.files.plain_file import NotPlainError
from rnnlab.tasks.baselines import Arrays, Reals, best_weight, mixed_losses
from rnnlab.tasks.language_model.adapting import Cache, Dynamic, Pair, gradient_sizes, scored
from rnnlab.tasks.language_model.baselines import figures_of, mixed, perplexity
from rnnlab.tasks.language_model.data import LanguageData
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.terminal import console

WINDOWS, FLATNESSES = (200, 1000, 3000), (0.05, 0.1, 0.2, 0.4, 0.8)
"""What is tried for the cache: tokens it remembers, and what a likeness is multiplied by."""
RATES, DECAYS = (3e-5, 1e-4, 3e-4, 1e-3), (0.0, 1e-3, 1e-2)
"""What is tried for dynamic evaluation: learning rate and decay."""
STEPS = 5
"""Tokens of a column between two steps on the weights, as in the paper."""
TRIED = 400
"""Windows of the validation text on which they are tried; the whole of it chooses the cache."""
SAVED_EVERY = 60.0  # seconds


class Losses(NamedTuple):
    """What a pass over a text found, of every token in the order of the text.

    Attributes:
        network: ``(tokens,)`` in nats.
        cache: of each of the cache's choices ``(choices, tokens)``; that of the network where it is empty.
    """

    network: Reals
    cache: Reals


class Kept:
    """What is known so far of an adaptive scoring, in a file beside the run.

    Args:
        path: the file; None keeps nothing.
        key: what decides the figures; a file of another key is begun anew.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self.path, self.key, self.saved = path, key, time.monotonic()
        self.content: dict[str, Any] = {"key": key, "passes": {}, "place": None}
        if path is None or not path.exists():
            return
        try:
            found = read_kept(path)
        except DamagedFileError as error:
            console.print(f"{error} It is begun anew.", style="yellow")
            return
        if found["key"] == key:
            self.content = found

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.saved = time.monotonic()
        if self.path is not None:
            with written_beside(self.path) as unfinished:
                torch.save(self.content, unfinished)

    @property
    def is_due(self) -> bool:
        """Whether what is known should be saved again."""
        return time.monotonic() - self.saved > SAVED_EVERY


def read_kept(path: Path) -> dict[str, Any]:
    """Return what a file of :class:`Kept` holds, executing nothing of it.

    Raises:
        DamagedFileError: if it is no such file.
    """
    check_sums(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        check_unfolded(found, most=path.stat().st_size)
        is_whole = set(found) == {"key", "passes", "place"} and isinstance(found["passes"], dict)
        if not is_whole or not isinstance(found["key"], str):
            raise NotPlainError("it lacks a part")
    except Exception as error:  # whatever torch says of bytes that are none of its own
        raise DamagedFileError(f"{path} is damaged, or no file of an adaptive scoring.") from error
    return cast(dict[str, Any], found)


class Ways(NamedTuple):
    """How a scoring adapts.

    Attributes:
        cache: by a cache of hidden states.
        dynamic: by steps on the weights.
        columns: columns of the text that are read side by side; None as in training's scoring.
        steps: of a window; None for ``STEPS`` with steps on the weights, else as in training's scoring.
        together: whether the figures of a mixture with the trigrams are told, too.
        weight: of the trigrams in it; None for that which is best on validation.
    """

    cache: bool = False
    dynamic: bool = False
    columns: int | None = None
    steps: int | None = None
    together: bool = False
    weight: float | None = None

    def loader(self, data: LanguageData, stage: str) -> StreamLoader:
        """Return the windows of a stage's text."""
        columns = data.evaluation_batch_size if self.columns is None else self.columns
        steps = self.steps or (STEPS if self.dynamic else data.bptt)
        return StreamLoader(data.stream(stage, columns), steps)

    def __str__(self) -> str:
        return " and ".join(
            name for name, is_on in (("cache", self.cache), ("dynamic", self.dynamic)) if is_on
        )


class Scoring:
    """One adaptive pass over a text.

    Args:
        network: is changed by dynamic evaluation, so a copy of one's own.
        loader: the text's windows.
        cache: remembers; None for no cache.
        dynamic: takes steps on the network; None for none.
    """

    def __init__(
        self, network: LanguageModel, loader: StreamLoader, cache: Cache | None, dynamic: Dynamic | None
    ) -> None:
        self.network, self.loader, self.cache, self.dynamic = network, loader, cache, dynamic
        self.state: State | None = None
        self.windows = 0
        self.found: list[tuple[Tensor, Tensor, Tensor]] = []

    def read(self, batch: StreamBatch) -> None:
        """Score a window, and only then learn from it."""
        batch = batch.to(self.network.device)
        with torch.set_grad_enabled(self.dynamic is not None):
            losses, hidden, self.state = scored(self.network, batch, self.state)
        counted = torch.ones_like(losses) if batch.valid is None else batch.valid.to(losses.dtype)
        beside = losses.new_zeros(0, *losses.shape)
        if self.cache is not None:
            beside = self.cache.losses(hidden, batch.targets)
            beside = torch.where(beside.isnan(), losses.detach(), beside)
        self.found.append((losses.detach().cpu(), beside.cpu(), counted.bool().cpu()))
        if self.dynamic is not None:
            self.dynamic.step((losses * counted).sum() / counted.sum())
        self.windows += 1

    def run(self, name: str, kept: Kept, most: int | None = None) -> Losses:
        """Score the text, or what is left of it, and keep what is found under ``name``.

        Args:
            name: of the pass.
            kept: where it may have got to before, and where it is noted.
            most: windows that are read; None for all.
        """
        if name in kept.content["passes"]:
            return Losses(*(part.numpy() for part in kept.content["passes"][name]))
        plan = self.loader.plan(0)[:most]
        place = kept.content["place"]
        if place is not None and place["name"] == name:
            try:
                self.take(place)
            except (LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
                raise DamagedFileError(f"{kept.path} is damaged: remove it, and begin anew.") from error
        with self.progress(name, len(plan)) as shown:
            for planned in plan[self.windows :]:
                self.stop_if_asked(name, kept)
                self.read(self.loader.batch(planned))
                shown()
        network, cache, counted = (torch.cat(parts, dim=-1) for parts in zip(*self.found, strict=True))
        kept.content["passes"][name] = found = (network[counted], cache[:, counted])
        kept.content["place"] = None
        kept.save()
        return Losses(*(part.numpy() for part in found))

    def stop_if_asked(self, name: str, kept: Kept) -> None:
        """Note the place now and then, and before the work ends here."""
        try:
            interruption.check()
        except interruption.Interrupted:
            self.note(name, kept)
            raise
        if kept.is_due:
            self.note(name, kept)

    def note(self, name: str, kept: Kept) -> None:
        """Keep all that going on from here takes, as plain data."""
        kept.content["place"] = {
            "name": name,
            "windows": self.windows,
            "found": [torch.cat(parts, dim=-1) for parts in zip(*self.found, strict=True)],
            "state": self.state and mapped(self.state, Tensor.cpu),
            "weights": self.dynamic and [weight.detach().cpu() for weight in self.dynamic.weights],
            "keys": self.cache and self.cache.keys,
            "values": self.cache and self.cache.values,
        }
        kept.save()

    def take(self, place: Mapping[str, Any]) -> None:
        """Go on from a place."""
        device = self.network.device
        self.windows, self.found = place["windows"], [tuple(place["found"])] if place["found"] else []
        self.state = place["state"] and mapped(as_state(place["state"]), lambda part: part.to(device))
        if self.cache is not None and place["keys"] is not None:
            self.cache.keys, self.cache.values = place["keys"].to(device), place["values"].to(device)
        if self.dynamic is not None and place["weights"]:
            with torch.no_grad():
                for weight, now in zip(self.dynamic.weights, place["weights"], strict=True):
                    weight.copy_(now)

    @contextmanager
    def progress(self, name: str, total: int) -> Iterator[Callable[[], None]]:
        """Show how far a pass is, how fast, and how long it takes yet; yield what counts a window."""
        tokens = self.loader.stream.columns * self.loader.bptt
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[rate]:,.0f} tokens/s"),
            TimeRemainingColumn(compact=True),
        )
        began, first = time.monotonic(), self.windows
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            row = bar.add_task(name, total=total, completed=first, rate=0.0)

            def shown() -> None:
                rate = (self.windows - first) * tokens / max(1e-9, time.monotonic() - began)
                bar.update(row, completed=self.windows, rate=rate)

            yield shown
        seconds = time.monotonic() - began
        read = (self.windows - first) * tokens
        console.print(f"{name}: {seconds:,.0f} s, {read / max(seconds, 1e-9):,.0f} tokens/s", style="dim")


class Adaptive:
    """An adaptive scoring: what is tuned on validation, and then asked of a split.

    Args:
        network: a trained language model; it is not changed.
        data: prepared, its vocabulary the network's.
        ways: how the scoring adapts.
        kept: what is known of it so far.
    """

    def __init__(self, network: LanguageModel, data: LanguageData, ways: Ways, kept: Kept) -> None:
        self.network, self.data, self.ways, self.kept = network, data, ways, kept
        self.sizes = gradient_sizes(network, ways.loader(data, "train")) if ways.dynamic else {}

    def scored(
        self, stage: str, name: str, dynamic: Pair | None, choices: Sequence[Pair], most: int | None = None
    ) -> Losses:
        """Score a stage's text with a rate and a decay, or none, and for each of the cache's choices."""
        network = copy.deepcopy(self.network).eval()
        steps = None if dynamic is None else Dynamic(network, *dynamic, self.sizes)
        cache = Cache(choices) if choices else None
        return Scoring(network, self.ways.loader(self.data, stage), cache, steps).run(name, self.kept, most)

    def best_steps(self) -> Pair:
        """Return the rate, and for it the decay, of the least loss on the first windows of validation."""

        def loss(rate: float, decay: float) -> float:
            name = f"rate={rate:g} decay={decay:g}"
            value = float(self.scored("validation", name, (rate, decay), (), TRIED).network.mean())
            console.print(f"  {name}: perplexity {perplexity(value):.2f}")
            return value

        columns = self.ways.loader(self.data, "validation").stream.columns
        console.print(
            f"Dynamic evaluation, on the first {TRIED:,} windows of validation, {columns} columns:",
        )
        rate = min(RATES, key=lambda rate: loss(rate, DECAYS[1]))
        decay = min(DECAYS, key=lambda decay: loss(rate, decay))
        return rate, decay

    def figures(self, split: str, answers: Arrays | None) -> dict[str, Any]:
        """Return the figures of a split, and what was tuned for them on validation.

        Args:
            split: ``validation`` or ``test``.
            answers: losses of the trigrams of both texts ``(tokens,)``, to mix with; None for no mixture.
        """
        tuned: dict[str, float] = {}
        dynamic = self.best_steps() if self.ways.dynamic else None
        if dynamic is not None:
            tuned |= {"rate": dynamic[0], "decay": dynamic[1]}
        choices = list(product(WINDOWS, FLATNESSES)) if self.ways.cache else []
        tried = self.scored("validation", "validation", dynamic, choices)
        found, chosen = tried.network, 0
        if choices:
            chosen, weight = best_choice(tried, choices)
            window, flatness = choices[chosen]
            tuned |= {"window": window, "flatness": flatness, "weight": weight}
            found = mixed_losses(tried.network, tried.cache[chosen], weight)
        losses = {"validation": found}
        if split == "test":
            asked = self.scored("test", "test", dynamic, [choices[chosen]] if choices else [])
            losses["test"] = (
                mixed_losses(asked.network, asked.cache[0], tuned["weight"]) if choices else asked.network
            )
        result = {"ways": str(self.ways), "tuned": tuned, **figures_of(losses[split])}
        if answers is not None:
            result["together"] = mixed(losses, answers, self.ways.weight, split).as_row()
        return result


def adapted(
    network: LanguageModel, data: LanguageData, split: str, ways: Ways, file: Path | None
) -> dict[str, Any]:
    """Return the figures of a split whose scoring adapts, and what was tuned for them on validation.

    Args:
        network: a trained language model, in evaluation mode; it is not changed.
        data: prepared, its vocabulary the network's.
        split: ``validation`` or ``test``.
        ways: how the scoring adapts.
        file: keeps what is known of it so far; None for none.

    Returns:
        ``ways``, ``tuned``, ``perplexity``, ``loss``, and perhaps ``together``.
    """
    answers = data.trigram_answers() if ways.together else None
    digest = sha256(data.encoded.key.encode())
    for name, weight in network.state_dict().items():
        digest.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    asked = ways._replace(together=False, weight=None)
    key = f"{asked!r} {split} {data.bptt} {data.evaluation_batch_size} {digest.hexdigest()}"
    return Adaptive(network, data, ways, Kept(file, key)).figures(split, answers)


def best_choice(tried: Losses, choices: Sequence[Pair]) -> tuple[int, float]:
    """Return the number and the weight of the cache that is best on a text; print what each reaches."""
    console.print("Cache, on validation:")
    best = (math.inf, 0, 0.0)
    for number, ((window, flatness), cache) in enumerate(zip(choices, tried.cache, strict=True)):

        def loss(share: float, cache: Reals = cache) -> float:
            return float(mixed_losses(tried.network, cache, share).mean())

        weight = best_weight(loss)
        best = min(best, (loss(weight), number, weight))
        console.print(
            f"  window={window:g} flatness={flatness:g} weight={weight:.3f}: "
            f"perplexity {perplexity(loss(weight)):.2f}",
        )
    return best[1], best[2]
