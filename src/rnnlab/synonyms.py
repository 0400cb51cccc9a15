"""Keys and choices that there are not: the nearest ones that there are, and what is called otherwise here.

Users of Lightning, Hugging Face, Keras, fastai and the Hydra template type other names.
"""

import re
from collections.abc import Collection
from pathlib import PurePath

from rnnlab.corpora.rows import FORMAT_OF_SUFFIX
from rnnlab.errors import nearest

ELSEWHERE = {
    # Lightning and the Hydra template
    "ckpt_path": "resume=<run folder> goes on with a run; scripts that ask one take run=<run folder>",
    "checkpoint": "resume=<run folder> goes on with a run; scripts that ask one take run=<run folder>",
    "resume_from_checkpoint": "resume=<run folder>",
    "fast_dev_run": "debug=fast_dev_run",
    "trainer.fast_dev_run": "debug=fast_dev_run",
    "overfit_batches": "debug=overfit, or batches.overfit=4",
    "trainer.overfit_batches": "debug=overfit, or batches.overfit=4",
    "hparams_search": "-m sweep=optuna, with ranges such as 'optimizer.lr=tag(log,interval(1e-4,1e-2))'",
    "num_nodes": "+trainer.num_nodes=2",
    "trainer.num_nodes": "+trainer.num_nodes=2",
    "strategy": "+trainer.strategy=ddp; several devices take it by themselves: trainer.devices=2",
    "trainer.strategy": "+trainer.strategy=ddp; several devices take it by themselves: trainer.devices=2",
    "gpus": "trainer=gpu trainer.devices=1",
    "accelerator": "trainer=cpu or trainer=gpu",
    "devices": "trainer.devices=2",
    "max_epochs": "trainer.max_epochs=10",
    "precision": "trainer.precision=bf16-mixed",
    "task_name": "hydra.run.dir=logs/<name>; task=... says what a run is for",
    "test": "every training scores the test split at its end; later: evaluate",
    "callbacks.model_checkpoint": "callbacks.checkpoint",
    "model.optimizer": "optimizer=adam optimizer.lr=1e-3",
    "model.scheduler": "scheduler=plateau",
    # scikit-learn
    "cv": "-m folds=5",
    "n_splits": "-m folds=5",
    # Hugging Face
    "problem_type": "task=multi_label, with data.corpus.label_separator='|'",
    "dataset_name": "data=hf, with data.corpus.dataset",
    "learning_rate": "optimizer.lr=1e-3",
    "num_train_epochs": "trainer.max_epochs=10",
    "per_device_train_batch_size": "batches.batch_size=32",
    "per_device_eval_batch_size": "batches.batch_size=32",
    "gradient_accumulation_steps": "trainer.accumulate_grad_batches=4",
    "max_grad_norm": "trainer.gradient_clip_val=1.0",
    "weight_decay": "optimizer=adamw optimizer.weight_decay=0.01",
    "warmup_ratio": "scheduler=one_cycle scheduler.pct_start=0.1",
    "lr_scheduler_type": "scheduler=...",
    "output_dir": "hydra.run.dir=<folder>",
    "fp16": "trainer.precision=16-mixed",
    "bf16": "trainer.precision=bf16-mixed",
    "max_length": "batches.max_length=256",
    "max_seq_length": "batches.max_length=256",
    "model_name_or_path": "init_from=<run folder of a language model>",
    "report_to": "logger=wandb, mlflow, csv or tensorboard",
    # Keras
    "epochs": "trainer.max_epochs=10",
    "batch_size": "batches.batch_size=32",
    "units": "model.hidden_size=128",
    "maxlen": "batches.max_length=500 batches.truncate=tail",
    "num_words": "data.vocabulary.max_size=10000 data.vocabulary.min_frequency=1",
    "validation_split": "data.corpus.validation=0.2, of your own tables",
    "clipnorm": "trainer.gradient_clip_val=1.0",
    "class_weight": "task.class_weights=balanced",
    "return_sequences": "task.pooling=..., which sees every step",
    # fastai
    "lr_find": "debug=lr_find",
    "auto_lr_find": "debug=lr_find",
    "lr": "optimizer.lr=1e-3",
    "lr_max": "optimizer.lr=1e-3, the highest of scheduler=one_cycle",
    "bs": "batches.batch_size=32",
    "wd": "optimizer=adamw optimizer.weight_decay=0.01",
    "drop_mult": "model.dropout=0.5, task.dropout=0.5, ...: each dropout has its own key",
    "bptt": "batches.bptt=70",
    # PyTorch
    "hidden_size": "model.hidden_size=128",
    "num_layers": "model.layers=2",
    "model.num_layers": "model.layers=2",
    "bidirectional": "model.bidirectional=true",
    "nonlinearity": "model.nonlinearity=relu, with model=rnn",
    "embedding_dim": "task.embedding_size=100",
    "dropout": "model.dropout=0.5 between layers, task.dropout=0.5 before the classes",
    "grad_clip": "trainer.gradient_clip_val=1.0",
    "random_seed": "seed=1",
    "num_workers": "nothing: batches are made in the process, which takes less than a worker would",
}
"""Keys, and what to type instead."""
CHOICES = {
    "trainer=ddp": "trainer=gpu trainer.devices=2: several devices take ddp by themselves",
    "trainer=ddp_sim": "trainer=cpu trainer.devices=2",
    "trainer=mps": "trainer=auto",
    "trainer=default": "trainer=auto",
    "debug=default": "debug=fast_dev_run",
    "debug=fdr": "debug=fast_dev_run",
    "debug=limit": "trainer.limit_train_batches=0.1",
    "debug=profiler": "+trainer.profiler=simple",
    "logger=many_loggers": "logger=[csv,tensorboard]",
    "optimizer=nadam": "optimizer=custom optimizer._target_=torch.optim.NAdam +optimizer.lr=1e-3",
    "scheduler=cosine": (
        "scheduler=custom scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR +scheduler.T_max=10"
    ),
    "model=simple_rnn": "model=rnn",
}
"""Choices of a group, and what to type instead."""
OF_A_RUN = ("ckpt_path", "checkpoint", "model", "model_path", "run_dir", "weights")
"""What others call the run that is asked."""
_HYDRA = re.compile(
    r"(?:In '(?P<file>[^']+)': )?Could not find '(?P<choice>[^']+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>.*)",
    re.DOTALL,
)


def said_here(key: str) -> str | None:
    """Return the sentence for a key that has another name here; None for any other.

    >>> said_here("epochs")
    'Here that is trainer.max_epochs=10.'
    >>> said_here("model=SimpleRNN")
    'Here that is model=rnn.'
    >>> said_here("seeed")
    """
    name = key.lstrip("+~")
    same = (told for choice, told in CHOICES.items() if bare(choice) == bare(name))
    told = ELSEWHERE.get(name) or next(same, None)
    return None if told is None else f"Here that is {told}."


def bare(choice: str) -> str:
    """Return a choice without capitals and underscores, about which nobody is sure.

    >>> bare("model=Simple_RNN")
    'model=simplernn'
    """
    return choice.replace("_", "").lower()


def asked_here(key: str, known: Collection[str]) -> str | None:
    """Return the sentence for what others call the run, where a command asks one.

    >>> asked_here("ckpt_path", ["run", "text"])
    'Here that is run=<run folder>.'
    >>> asked_here("ckpt_path", ["folder"])
    """
    return "Here that is run=<run folder>." if key in OF_A_RUN and "run" in known else None


def unknown_choice(text: str) -> str | None:
    """Return what a person needs to know of a choice that Hydra did not find.

    Args:
        text: of Hydra's error, without the search path at its end.

    Returns:
        One line; None if the error is another.

    >>> unknown_choice("Could not find 'model/gruu'\\n\\nAvailable options in 'model':\\n\\tgru\\n\\tlstm")
    'model=gruu: there is no such choice. Did you mean gru?'
    """
    found = _HYDRA.search(text)
    if found is None:
        return None
    group = found["group"]
    choice = found["choice"].removeprefix(f"{group}/")
    file = found["file"] or ""
    where = f"{file}.yaml: " if "/" in file else ""  # the main file's own choices are the command's
    hint = own_file(choice) if group == "data" and PurePath(choice).suffix else None
    return f"{where}{group}={choice}: there is no such choice. " + (
        hint or said_here(f"{group}={choice}") or nearest(choice, found["options"].split())
    )


def own_file(name: str) -> str:
    """Return how to train on a file of one's own.

    >>> own_file("mine.csv")
    'A table of your own: data=csv data.corpus.train=mine.csv'
    """
    if PurePath(name).suffix.lower() in FORMAT_OF_SUFFIX:
        return f"A table of your own: data=csv data.corpus.train={name}"
    return f"A text of your own: task=language_model data=text data.corpus.train={name}"
