"""A GPU that is only pretended: PyTorch's ``meta`` device, whose tensors have shapes and no content.

So a training step runs where no GPU is, forward and back, and shows what one would: tensors of two devices in
one operation, and every place where the host would wait for the device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
READING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "bincount", "argwhere"}
"""What must know numbers that are on the device (item, tolist, bool), or has a shape that they decide."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
COPIES = {"_to_copy", "copy_"}


class HostWaitError(AssertionError):
    """The host would wait for the device."""


class TwoDevicesError(AssertionError):
    """One operation has tensors of two devices."""


class PretendedDevice(TorchDispatchMode):
    """Refuses what lets the host wait for the device, and what mixes devices.

    Attributes:
        operations: the names of those that were done there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do one operation."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        is_there = [tensor.is_meta for tensor in tensors]
        if any(is_there):
            self.operations.add(name)
            refuse_reading(name, args)
        if name in COPIES:
            refuse_patient_copy(name, args, kwargs)
        elif name in BY_LENGTHS:
            return BY_LENGTHS[name](*args)
        elif any(is_there) and any(tensor.dim() for tensor in tensors if not tensor.is_meta):
            raise TwoDevicesError(f"{name} of tensors here and there")
        return func(*args, **kwargs)


class NoNumbersThere(TorchFunctionMode):
    """Refuses to write Python's numbers into a tensor on the device: the copy would be waited for."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call one function of PyTorch's."""
        kwargs = kwargs or {}
        there = kwargs.get(
            "device", getattr(args[0], "device", "cpu") if func is Tensor.new_tensor else "cpu"
        )
        if func in (torch.tensor, torch.as_tensor, Tensor.new_tensor) and torch.device(there) == DEVICE:
            raise HostWaitError(f"{func.__name__} writes numbers to the device")
        return func(*args, **kwargs)


def refuse_reading(name: str, args: Any) -> None:
    """Raise HostWaitError if an operation must know what is on the device."""
    if name in READING or name.startswith(("_unique", "unique")):
        raise HostWaitError(f"{name} reads numbers of the device")
    if name in INDEXING:
        for index in args[1]:
            if index is not None and index.dtype in (torch.bool, torch.uint8):
                raise HostWaitError(f"{name} by a mask, whose count decides the shape")


def refuse_patient_copy(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raise HostWaitError for a copy from the device, or one to it that waits for what it does before."""
    if name == "copy_":
        to, source, *rest = args
        target, is_patient = to.device, bool(rest and rest[0]) or bool(kwargs.get("non_blocking"))
    else:
        source, target = args[0], torch.device(kwargs.get("device") or args[0].device)
        is_patient = bool(kwargs.get("non_blocking"))
    if source.device == DEVICE and target != DEVICE:
        raise HostWaitError("a copy from the device")
    if source.device != DEVICE and target == DEVICE and source.dim() and not is_patient:
        raise HostWaitError("a copy to the device without non_blocking=True")


def packed(inputs: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """Return what packing gives: how many sequences reach each step follows from lengths on the CPU."""
    if lengths.is_meta:
        raise HostWaitError("packing by lengths on the device")
    sizes = (torch.arange(int(lengths[0])).unsqueeze(1) < lengths).sum(dim=1)
    return inputs.new_empty(int(sizes.sum()), inputs.shape[2]), sizes


def ctc_loss(
    log_probabilities: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, *options: Any
) -> tuple[Tensor, Tensor]:
    """Return what CTC's loss gives, which the lengths must be on the CPU for."""
    if lengths.is_meta or target_lengths.is_meta:
        raise HostWaitError("CTC's loss by lengths on the device")
    time, batch, _ = log_probabilities.shape
    return log_probabilities.new_empty(batch), log_probabilities.new_empty(batch, time, 1)


BY_LENGTHS: dict[str, Callable[..., Any]] = {
    "_pack_padded_sequence": packed,
    "_ctc_loss": ctc_loss,
    "_ctc_loss_backward": lambda slope, log_probabilities, *others: torch.empty_like(log_probabilities),
}
"""What reads lengths, which therefore stay on the CPU; without content PyTorch does none of it."""


@contextmanager
def pretended_device() -> Iterator[PretendedDevice]:
    """Refuse what lets the host wait for ``meta`` tensors, and what mixes them with others."""
    mode = PretendedDevice()
    with mode, NoNumbersThere():
        yield mode
