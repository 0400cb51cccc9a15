"""What a language model writes after each validation, always from the same prompt and seed."""

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from rnnlab.errors import ConfigError, DataError
from rnnlab.figures.markdown import escaped
from rnnlab.tasks.language_model.generation import TextGenerator
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.text.tokenizer_identity import tokenizer_of
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import Vocabulary

TOKENS = 60
SEED = 1


class TextSamples(Callback):
    """Writes a text to TensorBoard after each validation.

    What is drawn comes from a generator of its own, and the state carried through training stays where it
    is: training is the same to the last bit with samples and without.

    Args:
        task: the language model.
        tokenizer: what its text was tokenized with.
        vocabulary: what its ids stand for.
        prompt: how the text begins; without one a document begins.

    Raises:
        ConfigError: if the prompt has words, but none that the vocabulary knows.
    """

    def __init__(
        self, task: LanguageModel, tokenizer: Tokenizer, vocabulary: Vocabulary, prompt: str = ""
    ) -> None:
        self.generator = TextGenerator(task, tokenizer, vocabulary)
        self.prompt = prompt
        try:
            self.generator.known(prompt)
        except DataError as error:
            raise ConfigError(f"logger.prompt: {error}") from error

    @classmethod
    def of(cls, task: LanguageModel, prompt: str) -> "TextSamples":
        """Return the samples of a task that knows its data."""
        tokenizer = tokenizer_of(task.metadata, "The run")
        return cls(task, tokenizer, Vocabulary.from_dict(task.metadata["vocabulary"]), prompt)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write a text."""
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                (text,) = self.generator.texts(self.prompt, seed=SEED, max_tokens=TOKENS)
                logger.experiment.add_text("samples/text", escaped(text), trainer.global_step)
