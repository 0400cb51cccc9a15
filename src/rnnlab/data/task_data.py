"""What the data of every task shares: splits served as loaders, and what a model must know of them."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import lightning
from torch.utils.data import DataLoader

from rnnlab.text.encoded import Progress


class TaskData(lightning.LightningDataModule):
    """The batches of a task.

    Args:
        seed: fixes the order of the batches.
        overfit: if given, train on this many batches only, the same in every epoch.
    """

    def __init__(self, *, seed: int, overfit: int | None = None) -> None:
        super().__init__()
        self.seed = seed
        self.overfit = overfit

    @abstractmethod
    def encode(self, progress: Progress | None = None) -> None:
        """Make the data ready to be served; called once, before all else.

        Raises:
            RnnlabError: if they are missing, damaged, or not what the task needs.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return a line or two on the data: their name, how much there is, what was left out."""

    def warnings(self) -> Sequence[str]:
        """Return sentences on the data that a person should read before training."""
        return ()

    @abstractmethod
    def passport(self) -> dict[str, Any]:
        """Return what a model must keep of the data to answer without them, as plain data."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what the model must know of the data, as arguments of its constructor."""

    @abstractmethod
    def train_loader(self) -> Any:
        """Return the loader of the training batches: ``set_epoch``, ``state_dict``, ``load_state_dict``."""

    @abstractmethod
    def probe_batch(self, sequences: int) -> Any:
        """Return one batch of at most so many sequences of the validation split, always the same."""

    @abstractmethod
    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what simple methods reach on the same test split: ``{name: {metric: value}}``."""

    def advice(self) -> str:
        """Return what to say of settings that hardly suit the data; nothing of others."""
        return ""

    def labels(self) -> Sequence[str]:
        """Return the names of the classes that documents are told apart by, none elsewhere."""
        return ()

    def describe_batches(self) -> str:
        """Return a line on the training batches."""
        return f"{len(self.train_loader())} training batches."

    def rank_and_size(self) -> tuple[int, int]:
        """Return this process's rank and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> Any:
        """Return the training batches."""
        loader = self.train_loader()
        return loader if self.overfit is None else FirstBatches(loader, self.overfit)


class FirstBatches:
    """The first ``count`` batches of a loader's first epoch, again and again."""

    def __init__(self, loader: DataLoader[Any] | Iterable[Any], count: int) -> None:
        self.batches = list(islice(loader, count))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)
