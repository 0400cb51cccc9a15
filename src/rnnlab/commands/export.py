"""Write a trained model for use without rnnlab."""

import sys
from dataclasses import asdict, dataclass

from rnnlab.command_line import exit_by, explained
from rnnlab.folders import conf_folder
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    r"""Export a trained model, its vocabulary and tokenizer, for use without rnnlab.

    python scripts/export.py run=<run> format=onnx output=film.onnx
    python scripts/export.py run=<run> format=int8 data=mine.csv
    python scripts/export.py run=<run> format=torchscript output=film.pt \
        overwrite=true
    """

    run: str = option("a run folder, or a checkpoint file")
    format: str = option(
        "onnx, int8 (a smaller onnx), torchscript, keras, safetensors (the weights alone), hub (a folder)",
        "onnx",
    )
    output: str | None = option("the file, of hub the folder; null: model.onnx, model.pt… here", None)
    overwrite: bool = option("whether the files may exist", False)
    split: str | None = option("int8 is scored on it beside the original: test, validation or null", "test")
    data: str | None = option("other data to score int8 on, as scripts/evaluate.py takes it", None)
    labels: str | None = option("what the other data calls the model's classes, in their order: a,b", None)
    trust: str | None = option("packages besides rnnlab whose classes the checkpoint may name: a,b", None)


def export_model(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    data_keys = [word for word in words if word.startswith("data.")]
    options = asdict(parsed(Arguments, [word for word in words if word not in data_keys]))
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.runs.data_section import data_section
    from rnnlab.runs.exports.export import export

    options["data"] = data_section(conf_folder(), options["data"], data_keys)
    export(**options)


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: export_model(sys.argv[1:]), lambda error: explained(error, conf_folder(), "train"))
