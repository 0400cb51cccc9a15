"""A model as a folder for a hub of models: weights as safetensors, what they mean as JSON, and a card.

Hugging Face's own tool pushes it as it is: ``hf upload <name> <folder>``. ``rnnlab.load`` opens it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnlab.atomic import write_text, written_beside
from rnnlab.errors import ConfigError, RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.checkpoint_file import CHECKPOINT_FORMAT, SHAPE
from rnnlab.files.plain_file import read_json
from rnnlab.renamed import up_to_date
from rnnlab.runs.load import HUB_WEIGHTS, is_hub, open_run
from rnnlab.training.run_folder import RunFolder

WEIGHTS, MEANING, CARD = HUB_WEIGHTS, "config.json", "README.md"
LARGEST = 512 << 20  # bytes: a vocabulary of millions of tokens


def read_hub(folder: Path) -> dict[str, Any]:
    """Return what a folder holds, as a checkpoint's content; nothing of it is executed.

    Raises:
        RunError: if it is damaged, or of a later format.
        ConfigError: if safetensors is not installed.
    """
    metadata = read_json(folder / MEANING, SHAPE["rnnlab"], largest=LARGEST)
    if metadata["format"] > CHECKPOINT_FORMAT:
        raise RunError(
            f"{folder} has format {metadata['format']}; this rnnlab reads up to {CHECKPOINT_FORMAT}."
        )
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise lacking(folder) from error
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise damaged(folder / WEIGHTS, reason_of(error)) from error
    return {"rnnlab": {**metadata, "config": up_to_date(metadata["config"])}, "state_dict": weights}


def lacking(place: Path) -> ConfigError:
    """Return the error for the package that reads and writes the weights."""
    return ConfigError(f"{place} needs safetensors: pip install 'rnnlab[hub]' (or safetensors alone).")


def write_hub(run: str, folder: Path, overwrite: bool, trust: tuple[str, ...]) -> float:
    """Write a run's best network as a folder; return the largest difference after reading it again.

    Args:
        run: a run folder or a checkpoint file.
        folder: to write; it is made where it is missing.
        overwrite: whether it may hold such files already.
        trust: packages besides rnnlab whose classes the checkpoint may name.

    Raises:
        RunError: if the run can't be used, or the folder holds something and may not be overwritten.
        ConfigError: if safetensors is not installed.
        RnnlabError: if the disk is full.
    """
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise lacking(folder) from error
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (overwrite and is_hub(folder)))
    ):
        raise RunError(f"{folder} exists. Name another folder, or pass overwrite=true for one of such files.")
    opened = open_run(run, trust)
    weights = {name: part.detach().clone().contiguous() for name, part in opened.task.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(folder / WEIGHTS) as unfinished:
        unfinished.write_bytes(save(weights, metadata={"format": "pt"}))
    metadata = {**opened.metadata, "config": without_places(opened.config)}
    write_text(folder / CARD, card(metadata, figures_of(Path(run))))
    write_text(folder / MEANING, json.dumps(metadata, ensure_ascii=False) + "\n")  # last: now it is one
    read = open_run(folder, trust).task.state_dict()
    return max(float((read[name].double() - part.double()).abs().max()) for name, part in weights.items())


def without_places(config: Any) -> Any:
    """Return a configuration in which files of this machine have their names alone.

    >>> without_places({"train": "/home/me/mine.csv", "lr": 0.1, "files": ["/a/b.csv"]})
    {'train': 'mine.csv', 'lr': 0.1, 'files': ['b.csv']}
    """
    if isinstance(config, Mapping):
        return {key: without_places(value) for key, value in config.items()}
    if isinstance(config, list):
        return [without_places(value) for value in config]
    return Path(config).name if isinstance(config, str) and Path(config).is_absolute() else config


def figures_of(run: Path) -> dict[str, Any]:
    """Return the figures of a finished run; none of a checkpoint alone."""
    folder = RunFolder(run if run.is_dir() else run.parent.parent)
    return folder.metrics() if folder.metrics_file.is_file() else {}


def card(metadata: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return the model card: task, data, figures beside simple methods, commands, an empty licence."""
    config = metadata["config"]
    task, data, model = config["task"]["name"], config["data"]["name"], config["model"]
    kind = str(model.get("cell") or model.get("_target_"))
    classes = ", ".join(f"`{label}`" for label in metadata.get("labels", ()))
    lines = [
        *(
            "---",
            "library_name: rnnlab",
            "license: other  # fill in",
            "tags:",
            "- rnnlab",
            f"- {kind}",
            "---",
        ),
        *("", f"# {kind} for {task.replace('_', ' ')} on {data}", ""),
        f"A recurrent network ({kind}, layers: {model.get('layers', 1)}, units: {model.get('hidden_size')}), "
        "trained with rnnlab.",
        *(["", f"Classes: {classes}."] if classes else []),
        *("", "## Figures", "", *table(metrics)),
        *("", "## Use", "", "```python", "import rnnlab", "", 'model = rnnlab.load("<this folder>")', "```"),
        *("", "## Training", "", "```bash"),
        f"rnnlab train task={task} data={data} model={kind} seed={config['seed']}",
        *("```", "", f"`{MEANING}` holds all other settings, the vocabulary and the tokenizer."),
        *(
            "",
            "## Licence",
            "",
            "To be filled in by whoever publishes it, with that of the data in mind.",
            "",
        ),
    ]
    return "\n".join(lines)


def table(metrics: Mapping[str, Any]) -> list[str]:
    """Return the figures of the test split as Markdown."""
    test = {name: value for name, value in (metrics.get("test") or {}).items() if "/" not in name}
    if not test:
        return ["None are kept beside this checkpoint."]
    rows = {"this model": test, **(metrics.get("baselines") or {})}
    body = [
        f"| {name} | {' | '.join(f'{row[key]:.4f}' if key in row else '' for key in test)} |"
        for name, row in rows.items()
    ]
    return [f"| test split | {' | '.join(test)} |", f"|{' --- |' * (len(test) + 1)}", *body]
