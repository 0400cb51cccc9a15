"""A finished language model, ready to write."""

from pathlib import Path

from rnnlab.build import build
from rnnlab.errors import RunError
from rnnlab.models.generation import TextGenerator
from rnnlab.models.language_model import LanguageModel
from rnnlab.text.tokenizers import tokenizer_from_dict
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.assembly import task_arguments
from rnnlab.training.checkpoints import read_checkpoint
from rnnlab.training.run_folder import RunFolder


def text_generator(run: str | Path) -> TextGenerator:
    """Return the generator of a run's best checkpoint, from that file alone.

    Args:
        run: a run folder, or a checkpoint file.

    Raises:
        RunError: if it is neither, has no checkpoint yet, or is no language model's.
    """
    path = Path(run)
    if path.is_dir():
        folder = RunFolder(path)
        config = folder.config()
        if not folder.best.is_file():
            raise RunError(f"{run} has no checkpoint yet: it was stopped before its first validation.")
        path = folder.best
    checkpoint = read_checkpoint(path)
    passport = checkpoint["rnnlab"]
    config = passport["config"]
    task = config["task"]["name"]
    if task != "language_model":
        raise RunError(f"{run} is a run of task={task}; only a language model writes text.")
    vocabulary = Vocabulary.from_dict(passport["vocabulary"])
    model = build(
        task_arguments(config), LanguageModel, "task", model=config["model"], vocabulary_size=len(vocabulary)
    )
    model.load_state_dict(checkpoint["state_dict"])
    return TextGenerator(model.eval(), tokenizer_from_dict(passport["tokenizer"]), vocabulary)
