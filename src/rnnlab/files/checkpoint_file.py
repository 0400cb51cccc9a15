"""Checkpoints: plain data and tensors, checked against the sums within the file, bounded, never executed."""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from rnnlab.errors import DamagedFileError, RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.plain_file import DEEPEST, NotPlainError, check_plain, check_shape
from rnnlab.renamed import up_to_date

CHECKPOINT_FORMAT = 1
SHAPE = {
    "rnnlab": {
        "format": int,
        "config": {str: object},
        "labels?": [str],
        "facts?": {str: object},
        "model_arguments?": {str: object},
    },
    "state_dict": {str: Tensor},
    **{"epoch": int, "global_step": int, "loops?": {str: object}, "callbacks?": {str: {str: object}}},
    **{"optimizer_states?": [{"state": dict, "param_groups": [dict]}], "lr_schedulers?": [dict]},
}
"""What every checkpoint holds, beside what belongs to Lightning."""
_ERRORS = (RuntimeError, EOFError, OSError, ValueError, TypeError, AttributeError, AssertionError)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint, on the CPU, executing nothing of it.

    Raises:
        RunError: if it is missing, damaged, no checkpoint of rnnlab's, of a later format, or if it holds
            anything but plain data, or more of that than the file has bytes.
    """
    if not path.exists():
        raise RunError(f"There is no checkpoint {path}.")
    check_sums(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RunError(
            f"{path} is refused: it is damaged, or holds more than plain data and would run code when "
            f"loaded{named_by(error)}."
        ) from error
    except (*_ERRORS, LookupError, ArithmeticError, MemoryError, ImportError) as error:
        raise damaged(path, reason_of(error)) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("rnnlab"), dict):
        raise RunError(f"{path} is no checkpoint of rnnlab's: it lacks the configuration and vocabulary.")
    found = checkpoint["rnnlab"].get("format")
    if not isinstance(found, int) or found > CHECKPOINT_FORMAT:
        raise RunError(
            f"{path} has checkpoint format {found}; this rnnlab reads up to {CHECKPOINT_FORMAT}: upgrade it."
        )
    try:
        check_unfolded(checkpoint, most=path.stat().st_size)
        check_shape(checkpoint, SHAPE)
        check_plain(checkpoint["rnnlab"]["config"])
        check_counts({name: checkpoint.get(name, 0) for name in ("epoch", "global_step", "loops")})
    except NotPlainError as error:
        raise damaged(path, error) from error
    checkpoint["rnnlab"]["config"] = up_to_date(checkpoint["rnnlab"]["config"])
    return checkpoint


def check_counts(counts: Mapping[str, Any]) -> None:
    """Check that no count of epochs, batches and steps is below 0: a training would go on for as many more.

    Raises:
        NotPlainError: naming the count.
    """
    for name, count in counts.items():
        if isinstance(count, Mapping):
            check_counts(count)
        elif isinstance(count, list):
            check_counts({f"{name}[{number}]": inner for number, inner in enumerate(count)})
        elif isinstance(count, int) and count < 0:
            raise NotPlainError(f"its count of {name!r} is {count}")


def named_by(error: UnpicklingError) -> str:
    """Return what a refused file names; PyTorch's own message goes on to say how to load it all the same.

    >>> named_by(UnpicklingError("Weights only load failed. Unsupported global: GLOBAL posix.system was not"))
    ' (it names posix.system)'
    """
    found = re.search(r"GLOBAL (\S+)", str(error))
    return f" (it names {found[1]})" if found else ""


def check_sums(path: Path) -> None:
    """Check a checkpoint file against the checksums within it: ``torch.load`` looks at none of them.

    Raises:
        DamagedFileError: if the file was cut short or altered, is no file, or is packed: rnnlab packs
            none, and little may become much.
    """
    try:
        if not path.is_file():
            raise OSError("it is no file")
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            packed = any(part.compress_type != zipfile.ZIP_STORED for part in parts)
            if packed or sum(part.file_size for part in parts) > path.stat().st_size:
                raise ValueError("its parts are larger than the file")
            altered = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DamagedFileError(
            f"{path} is refused: it is damaged, cut short, or no checkpoint at all ({reason_of(error)}); "
            "nothing of it was run."
        ) from error
    if altered is not None:
        raise damaged(path, f"its part {altered} does not match its checksum")


def check_unfolded(content: Any, most: int) -> None:
    """Check that what a file holds is no more than its bytes can have said, each part counted wherever it is.

    Args:
        content: dictionaries, lists, tuples and sets of tensors and plain values.
        most: the file's size; each value took a byte of it at least.

    Raises:
        NotPlainError: if it is more, nested too deep, or has tensors that are larger than what
            is stored of them.
    """
    count = 0
    waiting: list[tuple[Any, int]] = [(content, 0)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, Tensor):
            check_stored(part)
            continue
        if not isinstance(part, dict | list | tuple | set):
            continue
        count += len(part)
        if depth > DEEPEST or count > most:
            raise NotPlainError("its content is nested too deep, or unfolds to more than the file has bytes")
        inside = part.values() if isinstance(part, dict) else part
        waiting.extend((one, depth + 1) for one in inside if type(one) not in (str, int, float))


def check_stored(tensor: Tensor) -> None:
    """Check that all of a tensor's numbers are there.

    Raises:
        NotPlainError: if it is sparse, on no device, or larger than what is stored of it.
    """
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        raise NotPlainError(f"it holds a tensor of layout {tensor.layout} on {tensor.device}")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise NotPlainError(
            f"it holds a tensor of size {tuple(tensor.shape)}, of which not all numbers are there"
        )


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor], where: Path) -> Iterator[None]:
    """Let no network be built within that has far more parts or numbers than the weights that it is to take.

    Ten million layers are quickly written into a configuration, and take hours to build only to be found not
    to fit.

    Args:
        weights: of the checkpoint.
        where: what is named if they don't fit.

    Raises:
        RunError: from within, as soon as it has more than twice as many.
    """
    # Some are made and replaced, such as an embedding that is tied or wrapped.
    most = 2 * sum(weight.numel() for weight in weights.values()) + 1000
    most_parts = 16 * len(weights) + 200
    numbers, parts = 0, 0

    def refuse() -> None:
        raise RunError(
            f"{where} is damaged: its configuration describes a far larger network than its weights are of."
        )

    def count_numbers(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal numbers
        is_known = parameter is not None and not isinstance(parameter, nn.UninitializedParameter)
        numbers += parameter.numel() if is_known and parameter is not None else 0
        if numbers > most:
            refuse()

    def count_parts(module: nn.Module, name: str, part: nn.Module | None) -> None:
        nonlocal parts
        parts += 1
        if parts > most_parts:
            refuse()

    hooks = (
        registration.register_module_parameter_registration_hook(count_numbers),
        registration.register_module_module_registration_hook(count_parts),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
