"""Language modelling: embedding, recurrent encoder, decoder, and a state carried from window to window."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from rnnlab.cells.cell import State
from rnnlab.data.streams import StreamBatch
from rnnlab.encoder.dropout import LockedDropout, check_shares
from rnnlab.encoder.dry_pass import check_causal
from rnnlab.encoder.embedding import WordEmbedding
from rnnlab.encoder.encoder import CarriedStates, as_state, build_encoder, mapped
from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model import OBJECTIVE
from rnnlab.tasks.language_model.decoders import build_decoder
from rnnlab.tasks.language_model.token_scores import TokenScores
from rnnlab.tasks.loss_watch import check_weights
from rnnlab.tasks.running_mean import RunningMean, StageScores
from rnnlab.tasks.task import Task
from rnnlab.terminal import shown
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rnnlab.tasks.figures import Recorder
    from rnnlab.tasks.language_model.answers import TrainedLanguageModel
    from rnnlab.tasks.language_model.figures import LanguageFigures
    from rnnlab.tasks.language_model.graphed import WindowGraph

log = logging.getLogger(__name__)

LARGE_VOCABULARY = 200_000  # words, from which a full softmax is warned of


class LanguageModel(StageScores, Task):
    """The next token from those before it, trained by truncated backpropagation through time.

    ``tokens (batch, time) -> embedding (batch, time, embedding_size) -> encoder (batch, time, output_size)
    -> decoder: the probability of every id at every place``. The encoder's state goes from one window to
    the next with its gradient cut off; training, validation and test have one each, and an epoch's first
    window starts from zero.

    Args:
        model: the encoder's configuration.
        vocabulary_size: ids to choose from.
        characters: whether a token is a character, for bits per character.
        reads_backward: whether the text comes from its end to its beginning.
        embedding_size: components of a token's vector.
        head: ``full`` (softmax) or ``adaptive`` (adaptive softmax), see
            :mod:`rnnlab.tasks.language_model.decoders`.
        cutoffs: where the adaptive head's clusters begin; ``None`` for a tenth and three tenths.
        tie_weights: predict tokens by the vectors they are read by.
        word_dropout: share of the vocabulary's vectors hidden from a window.
        input_dropout: share of the vectors' components dropped before the encoder.
        output_dropout: share of the hidden components dropped before the decoder.
        locked_dropout: drop the same components at every step of a window (Gal and Ghahramani 2016), not
            anew at each (Zaremba et al. 2014).
        activation_regularisation: weight of the mean square of the dropped hidden states, AWD-LSTM's alpha.
        temporal_regularisation: weight of the mean square of their changes from step to step, its beta.
        initial_range: start every weight uniform within plus and minus this; ``None`` for each layer's own.
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.

    Raises:
        ConfigError: if the encoder reads backwards or ahead, or an option is out of range.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode
    keeps_all_memory = True  # the logits of each window, several large blocks, are all of one shape

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        vocabulary_size: int,
        characters: bool = False,
        reads_backward: bool = False,
        embedding_size: int = 200,
        head: str = "full",
        cutoffs: Sequence[int] | None = None,
        tie_weights: bool = True,
        word_dropout: float = 0.0,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        locked_dropout: bool = True,
        activation_regularisation: float = 0.0,
        temporal_regularisation: float = 0.0,
        initial_range: float | None = None,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        check_shares(
            "task", word_dropout=word_dropout, input_dropout=input_dropout, output_dropout=output_dropout
        )
        self.reads_backward = reads_backward
        self.full_head = head == "full"
        kind = LockedDropout if locked_dropout else nn.Dropout
        self.embedding = WordEmbedding(vocabulary_size, embedding_size, word_dropout=word_dropout)
        self.input_dropout = kind(input_dropout)
        self.encoder = build_encoder(model, input_size=embedding_size)
        if self.encoder.is_bidirectional:
            raise ConfigError(
                "task=language_model predicts each token from those before it; a bidirectional encoder has "
                "already read it. Set model.bidirectional=false."
            )
        check_causal(self.encoder, embedding_size)
        self.output_dropout = kind(output_dropout)
        self.decoder = build_decoder(
            head,
            input_size=self.encoder.output_size,
            vocabulary_size=vocabulary_size,
            tied=self.embedding.weight if tie_weights else None,
            cutoffs=cutoffs,
        )
        self.activation_regularisation = activation_regularisation
        self.temporal_regularisation = temporal_regularisation
        if initial_range is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -initial_range, initial_range)
        self.learning_rate_scale = 1.0
        self.carried = CarriedStates()
        self.graph: WindowGraph | None = None
        self.train_loss = RunningMean()
        self.scores = nn.ModuleDict({stage: TokenScores(characters) for stage in ("validation", "test")})

    def prepare(self, config: Mapping[str, Any], data: Any) -> None:
        """Say which key has no effect."""
        if config["task"].get("cutoffs") is not None and config["task"]["head"] != "adaptive":
            log.warning("task.cutoffs has no effect: its clusters are those of task.head=adaptive.")

    def setup(self, stage: str) -> None:
        """Warn, before a training, of a softmax over so many words that each step is mostly theirs."""
        words, width = self.embedding.weight.shape
        if stage == "fit" and self.full_head and words > LARGE_VOCABULARY:
            log.warning(
                "A vocabulary of %s under task.head=full: %.1f GB of logits for each thousand tokens of a "
                "batch, and the optimizer moves %.0f million weights of words in every step. "
                "task.head=adaptive or tokenizer=bpe takes a tenth of that.",
                f"{words:,}",
                words * 4e3 / 1e9,
                words * width / 1e6,
            )

    @classmethod
    def trained_model(cls) -> "type[TrainedLanguageModel]":
        """Return a model that writes, and tells how probable a text is."""
        from rnnlab.tasks.language_model.answers import TrainedLanguageModel

        return TrainedLanguageModel

    def questions(self, run: Path) -> Sequence[Sequence[str]]:
        """Return the words of a command that lets it write, from words that it knows."""
        from rnnlab.tasks.language_model.generation import familiar_prompt

        if "tokenizer" not in self.metadata:  # data of one's own, without text
            return ()
        vocabulary = Vocabulary.from_dict(self.metadata["vocabulary"])
        prompt = familiar_prompt(tokenizer_of(self.metadata, run), vocabulary)
        return (("generate", f"run={shown(run)}", f"prompt={prompt}"),)

    def logging_callbacks(self, logger: Mapping[str, Any]) -> list[Callback]:
        """Return what writes a text after each validation."""
        from rnnlab.tasks.language_model.generation import TextSamples

        return [TextSamples(self, logger.get("prompt", ""))]

    def figures(self, data: Any, words: int) -> "LanguageFigures":
        """Return what shows which words the model finds hard, and where it was surprised most."""
        from rnnlab.tasks.language_model.figures import LanguageFigures  # matplotlib takes a while to import

        return LanguageFigures(self, data, words)

    def recorder(self, data: Any, split: str) -> "Recorder":
        """Return what keeps the losses of each token."""
        from rnnlab.tasks.language_model.figures import RecordedTokens  # matplotlib takes a while to import

        return RecordedTokens()

    def together(
        self, data: Any, recorders: "Mapping[str, Recorder]", weight: float | None = None
    ) -> dict[str, dict[str, float]]:
        """Return the figures of the network and the trigrams as one: the mean of their probabilities."""
        from rnnlab.tasks.language_model.baselines import mixed

        answers = data.trigram_answers()
        if answers is None:
            return {}
        losses = {split: recorder.scored.in_order() for split, recorder in recorders.items()}
        return {"with the trigrams": mixed(losses, answers, weight).as_row()}

    def adapted(self, data: Any, split: str, ways: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
        """Return the figures of a split, scored with a cache or with steps on the weights, or both."""
        from rnnlab.tasks.language_model.adaptive import Ways, adapted  # few ask

        return adapted(self, data, split, Ways(**ways), file)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the hidden states ``(batch, time, output_size)`` and the state after the last token.

        Args:
            tokens: ids ``(batch, time)``.
            state: what the encoder returned for the tokens before them; ``None`` at a text's beginning.
        """
        embedded = self.input_dropout(self.embedding(tokens))  # (batch, time, embedding_size)
        return self.encoder(embedded, None, state)

    def validation_metrics(self) -> list[str]:
        """Return the names of all that a validation logs."""
        return [f"validation/{name}" for name in cast(TokenScores, self.scores["validation"]).names]

    def encoder_inputs(self, batch: StreamBatch) -> tuple[Tensor, None]:
        """Return the vectors that the encoder reads, ``(batch, time, embedding_size)``; none is padded."""
        return self.input_dropout(self.embedding(batch.inputs)), None

    def loss_of_outputs(self, outputs: Tensor, batch: StreamBatch) -> Tensor:
        """Return the sum of the tokens' losses from the encoder's outputs; nothing is counted or carried."""
        hidden = self.output_dropout(outputs).flatten(0, 1)
        losses = self.decoder.losses(hidden, batch.targets.flatten())
        return (losses if batch.valid is None else losses * batch.valid.flatten()).sum()

    def before(self, batch: StreamBatch, stage: str) -> State | None:
        """Return the state carried to a window; None before the first."""
        return None if batch.starts else self.carried.of(stage, like=self.embedding.weight)

    def training_step(self, batch: StreamBatch, batch_index: int) -> Tensor:
        """Return the window's mean loss in nats a token, with the regularisation of the activations."""
        state = self.before(batch, "train")
        if self.graph is not None and self.graph.takes(batch):
            given = self.encoder.initial_state(len(batch.inputs)) if state is None else state
            objective, total, after = self.graph(batch, given)
        else:
            count = max(1, batch.predicted)
            objective, total, after = self.objective(batch.inputs, batch.targets, state, count, batch.valid)
        self.carried.keep("train", after)
        self.train_loss.update(total.detach(), self.tokens_in(batch))
        return objective

    def objective(
        self, inputs: Tensor, targets: Tensor, state: State | None, count: int, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Return what training makes small, the sum of the tokens' losses, and the state after the window.

        Args:
            inputs: ids ``(batch, time)``.
            targets: the ids to predict ``(batch, time)``.
            state: before the window; None at a text's beginning.
            count: places that count.
            valid: ``(batch, time)``, False where a column has ended; None where none has.
        """
        hidden, after = cast(tuple[Tensor, State], self(inputs, state))
        dropped = self.output_dropout(hidden)  # (batch, time, output_size)
        losses = self.decoder.losses(dropped.flatten(0, 1), targets.flatten())  # (batch * time,)
        total = (losses if valid is None else losses * valid.flatten()).sum()
        return total / count + self.regularisation(hidden, dropped, valid), total, after

    def graph_refusal(self, config: Mapping[str, Any]) -> str | None:
        """Return why its steps can't be recorded as CUDA graphs; None where they can."""
        from rnnlab.tasks.language_model.graphed import refusal

        return refusal(self, config)

    def record_steps(self) -> None:
        """Let training steps be recorded, and launched as a whole."""
        from rnnlab.tasks.language_model.graphed import WindowGraph

        self.graph = WindowGraph(self)

    def regularisation(self, hidden: Tensor, dropped: Tensor, valid: Tensor | None) -> Tensor | float:
        """Return AWD-LSTM's penalties on large and on fast changing hidden states (Merity et al. 2017b).

        Args:
            hidden: the encoder's outputs ``(batch, time, output_size)``.
            dropped: the same after dropout.
            valid: ``(batch, time)``, False where a column has ended; None where none has.
        """
        penalty: Tensor | float = 0.0
        if self.activation_regularisation:
            size = mean_over(dropped.pow(2).mean(dim=2), valid)
            penalty = penalty + self.activation_regularisation * size
        if self.temporal_regularisation and hidden.shape[1] > 1:
            changes = (hidden[:, 1:] - hidden[:, :-1]).pow(2).mean(dim=2)
            change = mean_over(changes, None if valid is None else valid[:, 1:])
            penalty = penalty + self.temporal_regularisation * change
        return penalty

    def on_train_batch_start(self, batch: StreamBatch, batch_index: int) -> None:
        """Note the window's length."""
        self.learning_rate_scale = batch.learning_rate_scale

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Take a step, at a rate that follows the window's length (Merity et al. 2018, section 5)."""
        before = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * self.learning_rate_scale
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        for group, rate in zip(optimizer.param_groups, before, strict=True):
            group["lr"] = rate

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training loss and perplexity (with dropout on)."""
        loss = self.train_loss.value_and_reset()
        self.log_dict({"train/loss": loss, "train/perplexity": loss.exp()})

    def validation_step(self, batch: StreamBatch, batch_index: int) -> Tensor:
        """Count the window into the validation scores; return its losses ``(batch, time)`` in nats."""
        return self.count(batch, "validation")

    def test_step(self, batch: StreamBatch, batch_index: int) -> Tensor:
        """Count the window into the test scores; return its losses ``(batch, time)`` in nats."""
        return self.count(batch, "test")

    def count(self, batch: StreamBatch, stage: str) -> Tensor:
        """Add the window's tokens to the scores of ``stage``; return the losses of all ``(batch, time)``."""
        outputs, after = cast(tuple[Tensor, State], self(batch.inputs, self.before(batch, stage)))
        self.carried.keep(stage, after)
        hidden = outputs.flatten(0, 1)
        targets = batch.targets.flatten()
        losses, best = self.decoder.losses_and_best(hidden, targets)
        valid = None if batch.valid is None else batch.valid.flatten()
        cast(TokenScores, self.scores[stage]).update(losses, best == targets, valid)
        return losses.view_as(batch.targets)

    def forget(self, stage: str) -> None:
        """Empty the scores of ``stage``."""
        cast(TokenScores, self.scores[stage]).reset()

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores.

        Raises:
            RnnlabError: if training has left weights that are no numbers.
        """
        super().on_validation_epoch_end()
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            check_weights(self, self.global_step)

    def report(self, stage: str) -> None:
        """Log the scores of ``stage``."""
        scores = cast(TokenScores, self.scores[stage]).compute()
        self.carried.drop(stage)
        self.log_dict({f"{stage}/{name}": value.float() for name, value in scores.items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state carried through training, of all processes' columns, and the epoch's loss so far."""
        super().on_save_checkpoint(checkpoint)
        state = self.carried.of("train", like=self.embedding.weight)
        if state is not None and self.trainer.world_size > 1:
            state = mapped(state, lambda part: torch.cat(tuple(cast(Tensor, self.all_gather(part))), dim=1))
        checkpoint["carried_state"] = state
        checkpoint["epoch_loss"] = self.train_loss.counted

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the state carried through training, and the epoch's loss so far."""
        super().on_load_checkpoint(checkpoint)
        self.train_loss.take_up(checkpoint.get("epoch_loss", {}))
        state = checkpoint["carried_state"]
        if state is not None:
            rank, processes = self.trainer.global_rank, self.trainer.world_size
            own = mapped(as_state(state), lambda part: part.chunk(processes, dim=1)[rank].contiguous())
            self.carried.keep("train", own)

    def tokens_in(self, batch: StreamBatch) -> Tensor:
        """Return how many tokens the window predicts."""
        return torch.tensor(batch.predicted)


def mean_over(values: Tensor, valid: Tensor | None) -> Tensor:
    """Return the mean of ``values (batch, time)`` over the places that count."""
    if valid is None:
        return values.mean()
    return (values * valid).sum() / valid.sum().clamp(min=1)
