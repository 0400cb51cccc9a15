"""What a recurrent layer is like: gates stuck open or shut, tanh at its limits, spectral radius."""

import torch
from torch import Tensor

from rnnlab.encoder.trace import LayerTrace

SHUT, OPEN = 0.1, 0.9


def saturation(
    layer: LayerTrace, lengths: Tensor | None = None
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Measure the gates and tanh units of a layer; padding does not count.

    Args:
        layer: of a trace.
        lengths: ``(batch,)`` as given for the trace; None where every sequence fills the time axis.

    Returns:
        For each gate its ``mean`` value and the shares of values below 0.1 (``shut``) and above 0.9
        (``open``), over all units and real tokens; and for each tanh the share of values beyond plus or minus
        0.9, where little gradient passes.
    """

    def share(holds: Tensor) -> float:
        return float(holds.double().mean())

    gates, squashed = (
        {name: _real(values, lengths) for name, values in shown.items()}
        for shown in (layer.gates, layer.squashed)
    )
    return (
        {
            name: {"mean": share(values), "shut": share(values < SHUT), "open": share(values > OPEN)}
            for name, values in gates.items()
        },
        {name: share(values.abs() > OPEN) for name, values in squashed.items()},
    )


def _real(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the values of the real tokens, ``(tokens, hidden)``."""
    if lengths is None:
        return values.flatten(0, 1)
    places = torch.arange(values.shape[1], device=values.device)
    return values[places < lengths.to(values.device).unsqueeze(1)]


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
