"""A trained language model: it writes, and tells how probable a text is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.errors import ConfigError, RunError
from rnnlab.figures.explanation import Explanation
from rnnlab.folders import command
from rnnlab.tasks.answers import OpenedRun, TrainedModel
from rnnlab.tasks.language_model.generation import Sampling, TextGenerator
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.task import evaluating
from rnnlab.text.tokenizers import readable, separator
from rnnlab.text.vocabulary import EOS, EOS_ID
from rnnlab.visible import well_formed

if TYPE_CHECKING:
    from rnnlab.tasks.language_model.exports import LanguageModelExports

WINDOW = 256  # tokens that are scored together


class TrainedLanguageModel(TrainedModel):
    """A language model that answers; see :class:`TrainedModel` for what it is made of."""

    task: LanguageModel

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        super().__init__(run, device)
        self.generator = TextGenerator(self.task, self.tokenizer, self.vocabulary)

    @property
    def exports(self) -> "LanguageModelExports":
        """ONNX in float32 and int8, TorchScript, safetensors."""
        from rnnlab.tasks.language_model.exports import LanguageModelExports

        return LanguageModelExports(self)

    def refusal(self, ability: str, tasks: str) -> RunError:
        """Return the error for what it can't do, and what it can."""
        return RunError(
            f"{super().refusal(ability, tasks)} Write with this one ({command('generate')}), or see "
            f"each word's surprise ({command('predict')} text=… explain=true)."
        )

    def streams(self, prompt: str = "", **options: Any) -> Iterator[Iterator[str]]:
        """Yield texts that begin with ``prompt``, each in pieces; see :meth:`TextGenerator.streams`."""
        return self.generator.streams(prompt, **options)

    def next_tokens(
        self, prompt: str = "", *, count: int | None = None, sampling: Sampling | None = None
    ) -> dict[str, float]:
        """Return how probable each token is to come after ``prompt``, the most probable first.

        Args:
            prompt: how the text begins; without one a document begins.
            count: how many tokens; ``None`` for all.
            sampling: how the token is drawn, which changes its probability; ``None`` as the model says.

        Raises:
            DataError: if the prompt has words, but none that the vocabulary knows.
        """
        shares = self.generator.next_probabilities(prompt, sampling)
        ordered, ids = shares.sort(descending=True, stable=True)
        names = (self.vocabulary.tokens[number] for number in ids[:count].tolist())
        return dict(zip(names, ordered[:count].tolist(), strict=True))

    def perplexity(self, text: str) -> float:
        """Return the perplexity of a text as one document: of its tokens and the ``<eos>`` that ends it.

        It is read from the zero state after an ``<eos>``. A token that the vocabulary lacks counts as
        ``<unk>``, which flatters a model whose vocabulary is small.
        """
        return float(np.exp(self.surprisals(self.tokenizer.encode(well_formed(text))).mean()))

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Return the perplexity of each token: how many equally probable choices would surprise as much.

        Raises:
            ConfigError: if a class is named: a language model has none.
        """
        if label is not None:
            raise ConfigError(f"label={label}: a language model has no classes.")
        tokens = self.tokenizer.encode(well_formed(text))
        nats = self.surprisals(tokens)
        return Explanation(
            title=f"Perplexity {np.exp(nats.mean()):,.1f} over {len(nats):,} tokens, the text's end included",
            method="A token's number is its surprisal, -log p(token | those before it), in nats: "
            "1 nat is a perplexity of 2.7, 5 nats of 148.",
            words=readable(self.tokenizer, [*tokens, EOS]),
            values=tuple(nats.tolist()),
            unit="nats",
            total=float(nats.sum()),
            separator=separator(self.tokenizer),
            signed=False,
        )

    def surprisals(self, tokens: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the negative log-probability of each token and of the ``<eos>`` after them, in nats.

        A model that reads backwards predicts each token from those after it, and the ``<eos>`` last of all.
        """
        read = tokens[::-1] if self.task.reads_backward else tokens
        ids = torch.tensor([EOS_ID, *map(self.vocabulary.id_of, read), EOS_ID], device=self.device)
        state, found = None, []
        windows = zip(torch.split(ids[:-1], WINDOW), torch.split(ids[1:], WINDOW), strict=True)
        with evaluating(self.task):
            for inputs, targets in windows:
                hidden, state = self.task(inputs[None], state)
                found.append(self.task.decoder.losses(hidden[0], targets))
        nats = torch.cat(found).double().cpu().numpy()
        return np.append(nats[-2::-1], nats[-1:]) if self.task.reads_backward else nats
