"""The fused scan of the gated recurrent unit; the equations are in ``cells/gru.py``.

With m = W_hn h + b_hn, what it recalls of the past, and on the way back d for the gradient of the loss, and d
of a gate taken before its activation function::

    dn = dh' * (1 - z) * (1 - n * n)
    dz = dh' * (h - n) * z * (1 - z)
    dm = dn * r
    dr = dn * m * r * (1 - r)
    dh = dh' * z + dr W_hr + dz W_hz + dm W_hn
"""

from typing import Any

from rnnlab.kernels.compiler import compiled, compiled_apart
from rnnlab.kernels.entry import ScanKernels, backward_kernel, forward_kernel
from rnnlab.kernels.product import add_product, affine
from rnnlab.kernels.vectors import flat, sigmoid, tanh

RESET, UPDATE, NEW, RECALL = 0, 1, 2, 3
PLANES, STATES = 4, 1
INPUT_PLANES = (RESET, UPDATE, NEW)
RECURRENT_PLANES = (RESET, UPDATE, RECALL)


@compiled
def step(planes: Any, states: Any, here: Any, hidden: int, panels: Any) -> None:
    """Compute one step: from the inputs' shares of r, z and n in ``planes`` and h to r, z, n, m and h'."""
    tokens = slice(here.token, here.token + here.active)
    reset, update = planes[RESET, tokens], planes[UPDATE, tokens]  # (active, width), as all matrices here
    new, recall = planes[NEW, tokens], planes[RECALL, tokens]
    before = states[0, here.before : here.before + here.active]
    after = states[0, here.after : here.after + here.active]

    add_product(reset, before, hidden, panels.recurrent[0])
    add_product(update, before, hidden, panels.recurrent[1])
    affine(recall, panels.recurrent_bias[2], before, hidden, panels.recurrent[2])
    _gates(flat(reset), flat(update), flat(new), flat(recall), flat(before), flat(after))


@compiled_apart
def _gates(reset: Any, update: Any, new: Any, recall: Any, before: Any, after: Any) -> None:
    """From what r, z and n are computed of, m and h to r, z, n and h', number by number."""
    for i in range(len(reset)):
        r = sigmoid(reset[i])
        z = sigmoid(update[i])
        n = tanh(new[i] + r * recall[i])
        reset[i], update[i], new[i] = r, z, n
        after[i] = n + z * (before[i] - n)


@compiled
def step_back(
    planes: Any, states: Any, planes_slope: Any, flowing: Any, here: Any, hidden: int, panels: Any
) -> None:
    """Go back over one step: from dh' in ``flowing`` to dr, dz, dn, dm in ``planes_slope`` and dh."""
    tokens = slice(here.token, here.token + here.active)
    reset, update = planes[RESET, tokens], planes[UPDATE, tokens]  # (active, width), as all matrices here
    new, recall = planes[NEW, tokens], planes[RECALL, tokens]
    before = states[0, here.before : here.before + here.active]
    slots = slice(here.slot, here.slot + here.active)
    reset_slope, update_slope = planes_slope[RESET, slots], planes_slope[UPDATE, slots]
    new_slope, recall_slope = planes_slope[NEW, slots], planes_slope[RECALL, slots]
    h_slope = flowing[0, : here.active]

    _gates_back(
        flat(reset), flat(update), flat(new), flat(recall), flat(before),
        flat(reset_slope), flat(update_slope), flat(new_slope), flat(recall_slope), flat(h_slope),
    )  # fmt: skip
    add_product(h_slope, reset_slope, hidden, panels.recurrent[0])
    add_product(h_slope, update_slope, hidden, panels.recurrent[1])
    add_product(h_slope, recall_slope, hidden, panels.recurrent[2])


@compiled_apart
def _gates_back(
    reset: Any, update: Any, new: Any, recall: Any, before: Any,
    reset_slope: Any, update_slope: Any, new_slope: Any, recall_slope: Any, h_slope: Any,
) -> None:  # fmt: skip
    """From dh' to dr, dz, dn, dm and the first term of dh, number by number."""
    one = reset.dtype.type(1)
    for i in range(len(reset)):
        r, z, n, dh = reset[i], update[i], new[i], h_slope[i]
        dn = dh * (one - z) * (one - n * n)
        update_slope[i] = dh * (before[i] - n) * z * (one - z)
        new_slope[i] = dn
        recall_slope[i] = dn * r
        reset_slope[i] = dn * recall[i] * r * (one - r)
        h_slope[i] = dh * z


SCAN = ScanKernels(
    forward_kernel("gru", step, INPUT_PLANES, RECURRENT_PLANES),
    backward_kernel("gru", step_back, INPUT_PLANES, RECURRENT_PLANES),
    PLANES,
    planes_are_kept=True,
    states=STATES,
)
