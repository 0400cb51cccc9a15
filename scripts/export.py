"""Export a trained model: ``python scripts/export.py run=... format=onnx``; see --help."""

import sys
from dataclasses import asdict, dataclass

from rnnlab.command_line import exit_by
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    """Export a trained model for use without rnnlab, its vocabulary and tokenizer beside it as JSON.

    python scripts/export.py run=<run folder> format=onnx output=film.onnx       (writes film.json, too)
    """

    run: str = option("a run folder, or a checkpoint file")
    format: str = option("onnx (sentiment models) or safetensors (the weights of any)", "onnx")
    output: str | None = option("the file; null: model.onnx or model.safetensors here", None)
    overwrite: bool = option("whether the files may exist", False)
    trust: str | None = option("a package besides rnnlab whose classes the checkpoint may name", None)


def export_model(arguments: Arguments) -> None:
    """Do what the arguments ask."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.runs.export import export

    export(**asdict(arguments))


if __name__ == "__main__":
    exit_by(lambda: export_model(parsed(Arguments, sys.argv[1:])))
