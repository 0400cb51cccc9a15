"""What the data of every task shares: splits served as loaders, and what a model must know of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import lightning

from rnnlab.data.batch import first_of
from rnnlab.data.loader import FirstBatches, ResumableLoader
from rnnlab.errors import ConfigError
from rnnlab.text.encoded import Progress

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun


class TaskData(lightning.LightningDataModule):
    """The batches of a task.

    A subclass serves three loaders, each a :class:`rnnlab.data.loader.ResumableLoader`, by :meth:`loader` or
    by a method for each; what else there is to say of the data has defaults.

    Args:
        corpus: where they come from: whatever the task reads, with a ``name`` and a ``fingerprint``, a digest
            of all that decides its content (see :func:`rnnlab.corpora.corpus.fingerprint_of`).
        seed: fixes the order of the batches.
        overfit: if given, train on this many batches only, the same in every epoch.

    Attributes:
        corpora: what kind of class the corpus must be of.
        reads_text: whether the constructor takes a ``tokenizer`` and a ``vocabulary``, too.
        out_of_vocabulary: the share of a prepared split's tokens that the vocabulary lacks; None without
            text.
    """

    corpora: Any = object
    reads_text: bool = False
    out_of_vocabulary: float | None = None

    def __init__(self, *, corpus: Any, seed: int, overfit: int | None = None) -> None:
        super().__init__()
        self.corpus = corpus
        self.seed = seed
        self.overfit = overfit

    @classmethod
    def rehearsal(cls, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return arguments as of :meth:`model_arguments`, made up, to try a task with before data are read.

        None where only the data tells, or they cost nothing.

        Args:
            config: the run's configuration.
        """
        return None

    def loader(self, split: str) -> ResumableLoader[Any, Any]:
        """Return the batches of ``train``, ``validation`` or ``test``, this process's share of them."""
        raise NotImplementedError(f"{type(self).__name__} defines no loader(split), which gives its batches.")

    def train_loader(self) -> ResumableLoader[Any, Any]:
        """Return the training batches."""
        return self.loader("train")

    def val_dataloader(self) -> ResumableLoader[Any, Any]:
        """Return the validation batches."""
        return self.loader("validation")

    def test_dataloader(self) -> ResumableLoader[Any, Any]:
        """Return the test batches."""
        return self.loader("test")

    def prepare(self, progress: Progress | None = None) -> None:
        """Make the data ready to be served; called once, before all else.

        Raises:
            RnnlabError: if they are missing, damaged, or not what the task needs.
        """

    def prepare_split(
        self, split: str, run: "OpenedRun", labels: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        """Make one split ready, as a trained model reads it; called once, instead of :meth:`prepare`.

        Args:
            split: ``validation`` or ``test``.
            run: the model.
            labels: what the data calls the model's classes, in their order, where it calls them otherwise.
            progress: hears how far it is.

        Raises:
            ConfigError: if the data is not of the model's kind.
            DataError: if it is missing, damaged or empty.
        """
        if labels:
            raise ConfigError(f"labels={','.join(labels)}: task={run.task_name} tells no classes of texts.")
        self.prepare(progress)
        own = plain(self.model_arguments())
        if own != run.model_arguments:
            raise ConfigError(
                f"The model was trained on {run.config['data']['name']} and {self.corpus.name} has other "
                f"inputs or answers ({run.model_arguments} and {own})."
            )

    def corpus_facts(self) -> dict[str, str]:
        """Return the name and the fingerprint of the corpus, by which a run knows it again.

        Raises:
            ConfigError: if it has none.
        """
        for name in ("name", "fingerprint"):
            if not hasattr(self.corpus, name):
                raise ConfigError(
                    f"data.corpus: {type(self.corpus).__name__} has no {name}. A corpus needs a name, and a "
                    "fingerprint by which a run that goes on notices changed data: a digest of all that "
                    "decides its content, as rnnlab.corpora.corpus.fingerprint_of makes it."
                )
        return {"name": str(self.corpus.name), "fingerprint": str(self.corpus.fingerprint)}

    def describe(self) -> str:
        """Return a line or two on the data: their name, how much there is, what was left out."""
        return f"{self.corpus.name}."

    def warnings(self) -> Sequence[str]:
        """Return sentences on the data that a person should read before training."""
        return ()

    def advice(self) -> str:
        """Return what to say of settings that hardly suit the data; nothing of others."""
        return ""

    def labels(self) -> Sequence[str]:
        """Return the names of the classes that documents are told apart by, none elsewhere."""
        return ()

    def describe_batches(self) -> str:
        """Return a line on the training batches."""
        return f"{len(self.train_loader())} training batches."

    def model_arguments(self) -> dict[str, Any]:
        """Return what the model must know of the data, as arguments of its constructor: plain values."""
        return {}

    def metadata(self) -> dict[str, Any]:
        """Return what a checkpoint must keep of the data besides, to answer without them: plain data."""
        return {}

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what simple methods reach on the same test split: ``{name: {metric: value}}``."""
        return {}

    def size_of(self, split: str) -> int:
        """Return how many sequences, or documents, a prepared split has."""
        return sum(sequences_in(batch) for batch in self.loader_of(split))

    def loader_of(self, split: str) -> ResumableLoader[Any, Any]:
        """Return the loader of ``validation`` or ``test``."""
        return self.val_dataloader() if split == "validation" else self.test_dataloader()

    def probe_batch(self, sequences: int) -> Any:
        """Return one batch of at most so many sequences of the validation split, always the same."""
        return first_of(next(iter(self.val_dataloader())), sequences)

    def rank_and_size(self) -> tuple[int, int]:
        """Return this process's rank and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> ResumableLoader[Any, Any]:
        """Return the training batches."""
        loader = self.train_loader()
        return loader if self.overfit is None else FirstBatches(loader, self.overfit)


def sequences_in(batch: Any) -> int:
    """Return how many sequences of a batch count: of ``valid (batch, time)`` those with a step that does."""
    rows = len(batch.inputs)
    return rows if batch.valid is None else int(batch.valid.reshape(rows, -1).any(dim=1).sum())


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as a checkpoint keeps them: a tuple comes back as a list."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
