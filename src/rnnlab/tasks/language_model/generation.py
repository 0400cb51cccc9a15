"""Text from a language model, token by token with the state carried along.

Which token comes next: greedy, temperature, top-k, top-p. And what is written after each validation.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import TYPE_CHECKING, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from rnnlab.cells.cell import State
from rnnlab.errors import ConfigError, DataError
from rnnlab.figures.markdown import escaped
from rnnlab.tasks.task import evaluating
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import EOS, EOS_ID, SPECIALS, UNK_ID, Vocabulary
from rnnlab.visible import well_formed

if TYPE_CHECKING:
    from rnnlab.tasks.language_model.task import LanguageModel


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the model's distribution; the filters apply in the order given here.

    Attributes:
        temperature: 1 draws as the model says, less prefers what is probable; 0 always takes the most
            probable (greedy).
        top_k: draw among that many most probable tokens only; ``None`` for all.
        top_p: draw among the fewest tokens that together have this probability (Holtzman et al. 2020);
            ``None`` or 1 for all.

    Raises:
        ConfigError: if a value is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ConfigError(f"temperature={self.temperature}: expected 0 (greedy) or a number above it.")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k={self.top_k}: expected at least 1.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p}: expected a probability above 0 and up to 1.")

    def draw(self, log_probabilities: Tensor, generator: torch.Generator) -> int:
        """Return an id drawn from ``log_probabilities (vocabulary,)``, which need not sum to one."""
        if self.temperature == 0:
            return int(log_probabilities.argmax())
        probabilities = self.filtered(log_probabilities.double().cpu())
        return int(torch.multinomial(probabilities, 1, generator=generator))

    def filtered(self, log_probabilities: Tensor) -> Tensor:
        """Return the probabilities ``(vocabulary,)`` that are drawn from, after temperature and filters."""
        if self.temperature == 0:
            return torch.zeros_like(log_probabilities).index_fill(0, log_probabilities.argmax(), 1.0)
        scores = log_probabilities / self.temperature
        if self.top_k is not None and self.top_k < len(scores):
            kept = scores.topk(self.top_k).indices
            scores = torch.full_like(scores, -torch.inf).index_copy(0, kept, scores[kept])
        probabilities = torch.softmax(scores, dim=0)
        if self.top_p is not None:
            ordered, ids = probabilities.sort(descending=True, stable=True)
            beyond = ordered.cumsum(0) - ordered >= self.top_p
            probabilities = probabilities.index_fill(0, ids[beyond], 0.0)
            probabilities = probabilities / probabilities.sum()
        return probabilities


SAMPLED = 60
"""Tokens of what is written after a validation."""
_UNFINISHED = "\ufffd"  # what bytes decode to before their character is whole


class TextGenerator:
    """Goes on with a prompt.

    Args:
        model: the trained language model.
        tokenizer: what its text was tokenized with.
        vocabulary: what its ids stand for.
    """

    def __init__(self, model: "LanguageModel", tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary

    def streams(
        self,
        prompt: str = "",
        *,
        samples: int = 1,
        seed: int = 1,
        max_tokens: int = 100,
        sampling: Sampling | None = None,
        whole_document: bool = False,
    ) -> Iterator[Iterator[str]]:
        """Yield for each sample its text in pieces, as the tokens come; read one before the next.

        Args:
            prompt: how the text begins; it is part of what is yielded. Without one a document begins. A
                model that reads backwards writes what comes before it.
            samples: how many texts.
            seed: decides what is drawn; the same on every device whose arithmetic agrees.
            max_tokens: the most tokens after the prompt.
            sampling: how they are drawn; ``None`` as the model says.
            whole_document: stop where the model ends the document.

        Raises:
            ConfigError: if ``samples`` or ``max_tokens`` is below one.
            DataError: if the prompt has words, but none that the vocabulary knows.
        """
        for name, value in (("samples", samples), ("max_tokens", max_tokens)):
            if value < 1:
                raise ConfigError(f"{name}={value}: expected at least 1.")
        tokens = self.known(prompt)
        random = torch.Generator().manual_seed(seed)

        def written(given: Sequence[str]) -> Iterator[str]:
            for number in self.ids(given, sampling or Sampling(), random, max_tokens, whole_document):
                yield self.vocabulary.tokens[number]

        def in_order() -> Iterator[str]:
            if self.model.reads_backward:
                yield from reversed(list(written(tokens[::-1])))
                yield from tokens
            else:
                yield from tokens
                yield from written(tokens)

        def pieces() -> Iterator[str]:
            stream = TextStream(self.tokenizer)
            for token in in_order():
                yield stream.add(token)
            yield stream.end()

        return (pieces() for _ in range(samples))

    def known(self, prompt: str) -> list[str]:
        """Return the prompt's tokens.

        Raises:
            DataError: if it has some, but none that the vocabulary knows.
        """
        tokens = self.tokenizer.encode(well_formed(prompt))
        unknown = self.vocabulary.missing(tokens)
        if tokens and len(unknown) == len(set(tokens)):
            lower = [word for word in tokens if word.lower() in self.vocabulary]
            hint = " It knows lower-case words: write them so." if lower else ""
            raise DataError(f"The model knows no word of the prompt {prompt!r}.{hint}")
        return tokens

    def ids(
        self,
        tokens: Sequence[str],
        sampling: Sampling,
        random: torch.Generator,
        max_tokens: int,
        whole_document: bool = False,
    ) -> Iterator[int]:
        """Yield the ids that follow ``tokens``; never that of ``<unk>``."""
        given = self.beginning(tokens)
        state: State | None = None
        for _ in range(max_tokens):
            scores, state = self.scores(given, state)
            number = sampling.draw(scores, random)
            if whole_document and number == EOS_ID:
                return
            yield number
            given = torch.tensor([[number]], device=self.model.device)

    def next_probabilities(self, prompt: str = "", sampling: Sampling | None = None) -> Tensor:
        """Return the probabilities ``(vocabulary,)`` that the token after ``prompt`` is drawn from.

        Args:
            prompt: how the text begins; for a model that reads backwards, how it ends.
            sampling: how the token is drawn; ``None`` as the model says.

        Raises:
            DataError: if the prompt has words, but none that the vocabulary knows.
        """
        tokens = self.known(prompt)
        scores, _ = self.scores(self.beginning(tokens[::-1] if self.model.reads_backward else tokens), None)
        return (sampling or Sampling()).filtered(scores.double().cpu())

    def beginning(self, tokens: Sequence[str]) -> Tensor:
        """Return the ids of a text's first tokens, ``(1, tokens + 1)``, the ``<eos>`` before them first."""
        ids = [EOS_ID, *(self.vocabulary.id_of(token) for token in tokens)]
        return torch.tensor([ids], device=self.model.device)

    def scores(self, given: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return the log-probabilities ``(vocabulary,)`` of what follows, and the state after ``given``.

        That of ``<unk>`` is minus infinity: it is never drawn.

        Args:
            given: ids ``(1, tokens)``.
            state: before them; ``None`` at a text's beginning.
        """
        with evaluating(self.model):
            hidden, state = self.model(given, state)
            scores: Tensor = self.model.decoder.log_probabilities(hidden[:, -1])[0]
        scores[UNK_ID] = -torch.inf
        return scores, cast(State, state)


class TextStream:
    """Gives out text as soon as no later token can change it.

    How a token is written may depend on the next one (an apostrophe joins what follows, a byte waits for
    the rest of its character), so text comes one token late.

    Args:
        tokenizer: puts tokens together.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._line: list[str] = []  # tokens since the last <eos>, after which decoding starts anew
        self._decoded = ""
        self._given = 0  # characters of this line

    def add(self, token: str) -> str:
        """Take the next token and return the text that is settled now, perhaps none."""
        if token == EOS:
            return self.end() + "\n"
        self._line.append(token)
        before, self._decoded = self._decoded, self._tokenizer.decode(self._line)
        common = takewhile(lambda pair: pair[0] == pair[1], zip(before, self._decoded, strict=False))
        settled = "".join(letter for letter, _ in common).rstrip(_UNFINISHED)
        new = settled[self._given :]
        self._given += len(new)
        return new

    def end(self) -> str:
        """Return the rest of the line, and begin a new one."""
        rest = self._decoded[self._given :]
        self._line, self._decoded, self._given = [], "", 0
        return rest


class TextSamples(Callback):
    """Writes a text to TensorBoard after each validation, always from the same prompt and seed.

    What is drawn comes from a generator of its own, and the state carried through training stays where it
    is: training is the same to the last bit with samples and without.

    Args:
        task: the language model, which knows its data.
        prompt: how the text begins; without one a document begins.

    Raises:
        ConfigError: if the prompt has words, but none that the vocabulary knows.
    """

    def __init__(self, task: "LanguageModel", prompt: str) -> None:
        vocabulary = Vocabulary.from_dict(task.metadata["vocabulary"])
        self.generator = TextGenerator(task, tokenizer_of(task.metadata, "The run"), vocabulary)
        self.prompt = prompt
        try:
            self.generator.known(prompt)
        except DataError as error:
            raise ConfigError(f"logger.prompt: {error}") from error

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write a text."""
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                (pieces,) = self.generator.streams(self.prompt, max_tokens=SAMPLED)
                logger.experiment.add_text("samples/text", escaped("".join(pieces)), trainer.global_step)


def familiar_prompt(tokenizer: Tokenizer, vocabulary: Vocabulary) -> str:
    """Return a beginning that a model knows: the usual, else its most frequent word; empty without words."""
    words = (token for token in vocabulary.tokens[len(SPECIALS) :] if token.isalpha())
    known = (text for text in chain(("The film",), words) if not vocabulary.missing(tokenizer.encode(text)))
    return next(known, "")
