"""Checks that the machine can do what the configuration asks for: nothing is silently substituted."""

import os

import torch

from rnnlab.errors import ConfigError
from rnnlab.models.task import Task

AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def check_accelerator(accelerator: str) -> None:
    """Check that the machine has the accelerator.

    Raises:
        ConfigError: if a GPU is asked for and there is none.
    """
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(
            "trainer=gpu, but PyTorch sees no CUDA GPU here. Use trainer=cpu, or trainer=auto, "
            "which takes a GPU where there is one."
        )
    note_that_no_gpu_is_there()


def note_that_no_gpu_is_there() -> None:
    """Spare the optimizer the search for a GPU at every step, where there is none.

    PyTorch's optimizers ask before each step whether CUDA is there. Lightning has them ask the driver's
    library, which leaves other processes' use of CUDA alone; where there is no driver, the library is looked
    for on disk each time, which takes a tenth of a small network's step. PyTorch's own answer is remembered.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def check_precision(task: Task, precision: str, device: torch.device) -> None:
    """Check, by one step on two tokens, that the device's kernels do the precision for this encoder.

    Raises:
        ConfigError: if they don't; oneDNN's LSTM, for one, needs a CPU with bf16 units for bf16.
    """
    if precision not in AUTOCAST:
        return
    encoder = task.get_submodule("encoder")
    size = int(encoder.input_size)  # type: ignore[arg-type]
    inputs = torch.zeros(1, 2, size, device=device)
    try:
        with torch.autocast(device.type, dtype=AUTOCAST[precision]):
            outputs, _ = encoder.to(device)(inputs, None)
        outputs.float().sum().backward()
        encoder.zero_grad(set_to_none=True)
    except RuntimeError as error:
        raise ConfigError(
            f"trainer.precision={precision}: this {device.type.upper()} can't do it for this encoder "
            f"({str(error).splitlines()[0]}). Use trainer.precision=32-true."
        ) from error
