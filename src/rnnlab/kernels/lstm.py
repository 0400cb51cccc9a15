"""The fused scan of long short-term memory; the equations are in ``cells/lstm.py``.

On the way back, with d for the gradient of the loss, and d of a gate taken before its activation function::

    do = dh' * tanh(c') * o * (1 - o)
    dm = dc' + dh' * o * (1 - tanh(c')^2)           all that reaches the memory c'
    di = dm * g * i * (1 - i)
    df = dm * c * f * (1 - f)
    dg = dm * i * (1 - g * g)
    dc = dm * f
    dh = di W_hi + df W_hf + dg W_hg + do W_ho
"""

from typing import Any

from rnnlab.kernels.compiler import compiled, compiled_apart
from rnnlab.kernels.entry import ScanKernels, backward_kernel, forward_kernel
from rnnlab.kernels.product import add_product
from rnnlab.kernels.rows import clear
from rnnlab.kernels.vectors import flat, sigmoid, tanh

INPUT, FORGET, CANDIDATE, OUTPUT = 0, 1, 2, 3
PLANES, STATES = 4, 2
INPUT_PLANES = (INPUT, FORGET, CANDIDATE, OUTPUT)
RECURRENT_PLANES = INPUT_PLANES


@compiled
def step(planes: Any, states: Any, here: Any, hidden: int, panels: Any) -> None:
    """Compute one step: from the inputs' shares in ``planes``, h and c to i, f, g, o, h' and c'."""
    tokens = slice(here.token, here.token + here.active)
    inlet, forget = planes[INPUT, tokens], planes[FORGET, tokens]  # (active, width), as all matrices here
    candidate, outlet = planes[CANDIDATE, tokens], planes[OUTPUT, tokens]
    before, after = slice(here.before, here.before + here.active), slice(here.after, here.after + here.active)
    h_before, c_before = states[0, before], states[1, before]
    h_after, c_after = states[0, after], states[1, after]

    for gate in range(PLANES):
        add_product(planes[gate, tokens], h_before, hidden, panels.recurrent[gate])
    _gates(
        flat(inlet), flat(forget), flat(candidate), flat(outlet),
        flat(c_before), flat(c_after), flat(h_after),
    )  # fmt: skip


@compiled_apart
def _gates(
    inlet: Any, forget: Any, candidate: Any, outlet: Any, c_before: Any, c_after: Any, h_after: Any
) -> None:
    """From what the gates are computed of and c to i, f, g, o, c' and h', number by number."""
    for at in range(len(inlet)):
        i, f = sigmoid(inlet[at]), sigmoid(forget[at])
        g, o = tanh(candidate[at]), sigmoid(outlet[at])
        c = f * c_before[at] + i * g
        inlet[at], forget[at], candidate[at], outlet[at] = i, f, g, o
        c_after[at] = c
        h_after[at] = o * tanh(c)


@compiled
def step_back(
    planes: Any, states: Any, planes_slope: Any, flowing: Any, here: Any, hidden: int, panels: Any
) -> None:
    """Go back over one step: from dh', dc' in ``flowing`` to di, df, dg, do in ``planes_slope``, dh, dc."""
    tokens = slice(here.token, here.token + here.active)
    inlet, forget = planes[INPUT, tokens], planes[FORGET, tokens]  # (active, width), as all matrices here
    candidate, outlet = planes[CANDIDATE, tokens], planes[OUTPUT, tokens]
    c_before = states[1, here.before : here.before + here.active]
    c_after = states[1, here.after : here.after + here.active]
    slots = slice(here.slot, here.slot + here.active)
    inlet_slope, forget_slope = planes_slope[INPUT, slots], planes_slope[FORGET, slots]
    candidate_slope, outlet_slope = planes_slope[CANDIDATE, slots], planes_slope[OUTPUT, slots]
    h_slope, c_slope = flowing[0, : here.active], flowing[1, : here.active]

    _gates_back(
        flat(inlet), flat(forget), flat(candidate), flat(outlet), flat(c_before), flat(c_after),
        flat(inlet_slope), flat(forget_slope), flat(candidate_slope), flat(outlet_slope),
        flat(h_slope), flat(c_slope),
    )  # fmt: skip
    clear(h_slope)
    for gate in range(PLANES):
        add_product(h_slope, planes_slope[gate, slots], hidden, panels.recurrent[gate])


@compiled_apart
def _gates_back(
    inlet: Any, forget: Any, candidate: Any, outlet: Any, c_before: Any, c_after: Any,
    inlet_slope: Any, forget_slope: Any, candidate_slope: Any, outlet_slope: Any, h_slope: Any, c_slope: Any,
) -> None:  # fmt: skip
    """From dh' and dc' to di, df, dg, do and dc, number by number."""
    one = inlet.dtype.type(1)
    for at in range(len(inlet)):
        i, f, g, o = inlet[at], forget[at], candidate[at], outlet[at]
        dh, seen = h_slope[at], tanh(c_after[at])
        dm = c_slope[at] + dh * o * (one - seen * seen)
        inlet_slope[at] = dm * g * i * (one - i)
        forget_slope[at] = dm * c_before[at] * f * (one - f)
        candidate_slope[at] = dm * i * (one - g * g)
        outlet_slope[at] = dh * seen * o * (one - o)
        c_slope[at] = dm * f


SCAN = ScanKernels(
    forward_kernel("lstm", step, INPUT_PLANES, RECURRENT_PLANES),
    backward_kernel("lstm", step_back, INPUT_PLANES, RECURRENT_PLANES),
    PLANES,
    planes_are_kept=True,
    states=STATES,
)
