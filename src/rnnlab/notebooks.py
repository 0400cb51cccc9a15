"""Notebooks executed from top to bottom by this very Python: for their kept outputs, and for their tests.

What is kept is the same for whoever executes them: no times of cells, no name of an environment.
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnlab.atomic import write_text
from rnnlab.errors import RnnlabError

PARAMETERS = "parameters"
"""The tag of the cell whose names :func:`executed` can set anew."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PATIENCE = 900  # seconds for a cell


def executed(
    notebook: Path,
    settings: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Return the notebook with the outputs of all its cells; its file stays as it is.

    Args:
        notebook: the file.
        settings: names and plain values, which a cell inserted behind the one tagged ``parameters`` sets.
        folder: where it is executed; None takes its own folder, as Jupyter does.
        environment: variables of the kernel beside this process's own.

    Raises:
        RnnlabError: if a cell fails: says which, and why.
        ValueError: if there are settings, and no cell is tagged ``parameters``.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    try:
        content = nbformat().read(notebook, as_version=4)
    except ValueError as error:  # no JSON, or another kind of it
        raise RnnlabError(f"{notebook} is no notebook: {str(error)[:200]}") from error
    if settings:
        insert(content, settings)
    client = NotebookClient(
        content,
        km=AsyncKernelManager(kernel_name=KERNEL["name"], kernel_spec_manager=own_kernels()),
        timeout=PATIENCE,
        record_timing=False,
        resources={"metadata": {"path": str(folder or notebook.parent)}},
    )
    try:
        client.execute(cleanup_kc=True, env={**os.environ, **(environment or {})})
    except CellExecutionError as error:
        raise RnnlabError(f"{notebook}: a cell failed.\n{error}") from error
    return normalised(content)


def own_kernels() -> Any:
    """Return what knows one kernel: this Python, whatever kernels are installed."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class OwnKernels(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            # Its warnings are about who else may listen on this machine.
            command = [
                sys.executable,
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                "--log-level=40",
            ]
            return KernelSpec(argv=command, display_name=KERNEL["display_name"], language=KERNEL["language"])

    return OwnKernels()


def nbformat() -> Any:
    """Return the package, which comes with the extra ``notebooks`` and has no types."""
    return importlib.import_module("nbformat")


def insert(content: Any, settings: Mapping[str, Any]) -> None:
    """Put a cell that sets some names behind the one tagged ``parameters``.

    Raises:
        ValueError: if there is none.
    """
    tagged = [at for at, cell in enumerate(content.cells) if PARAMETERS in cell.metadata.get("tags", ())]
    if not tagged:
        raise ValueError(f"no cell is tagged {PARAMETERS}.")
    source = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    content.cells.insert(tagged[0] + 1, nbformat().v4.new_code_cell(source))


def normalised(content: Any) -> Any:
    """Return the notebook without what differs between machines; neighbouring pieces of text as one."""
    content.metadata.clear()
    content.metadata.update(kernelspec=dict(KERNEL), language_info={"name": "python"})
    for number, cell in enumerate(content.cells):
        tags = cell.metadata.get("tags")
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return content


def joined(outputs: Sequence[Any]) -> list[Any]:
    """Return a cell's outputs, pieces of one stream that follow each other put together."""
    found: list[Any] = []
    for output in outputs:
        if found and output.output_type == "stream" and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def execute_in_place(notebook: Path) -> None:
    """Execute a notebook and keep its outputs in its file.

    Raises:
        RnnlabError: if a cell fails, and the file stays as it is; or if the disk is full.
    """
    write_text(notebook, nbformat().writes(executed(notebook)).rstrip() + "\n")
