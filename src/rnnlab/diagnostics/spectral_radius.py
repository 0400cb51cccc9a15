"""The spectral radius of a recurrent matrix: the factor by which it lets a state grow or fade in a step."""

import torch
from torch import Tensor


def spectral_radius(matrix: Tensor) -> float:
    """Return the largest absolute eigenvalue; NaN where the matrix has an entry that is no number.

    Below 1 a linear network forgets, above 1 it explodes; with a squashing function between the steps a
    radius above 1 is necessary, not sufficient, for gradients to grow (Pascanu et al. 2013, section 2.1).

    Args:
        matrix: ``(hidden, hidden)``.

    Raises:
        ValueError: if it is not square.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {tuple(matrix.shape)}; expected (hidden, hidden).")
    fine = matrix.detach().cpu().double()
    if not bool(fine.isfinite().all()):
        return float("nan")
    return float(torch.linalg.eigvals(fine).abs().max())
