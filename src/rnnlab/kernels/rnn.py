"""The fused scan of the simple recurrent network; the equations are in ``cells/rnn.py``.

On the way back, with d for the gradient of the loss and a for what tanh is applied to::

    da = dh' * (1 - h' * h')                        with relu: dh' where h' > 0, else 0
    dh = da W_h

The same weight is used at every step, so its gradient is a sum over the steps: that is all there is to
backpropagation through time (Werbos 1990).
"""

from typing import Any

from rnnlab.kernels.compiler import compiled_for
from rnnlab.kernels.entry import ScanKernels, backward_kernel, forward_kernel
from rnnlab.kernels.product import add_product
from rnnlab.kernels.rows import clear
from rnnlab.kernels.vectors import flat, relu, relu_slope, tanh, tanh_slope

PLANES, STATES = 1, 1
INPUT_PLANES = RECURRENT_PLANES = (0,)


def _step(name: str, activation: Any) -> Any:
    @compiled_for(name)
    def step(planes: Any, states: Any, here: Any, hidden: int, panels: Any) -> None:
        """Compute one step: from the inputs' share in ``planes`` and h to h'."""
        share = planes[0, here.token : here.token + here.active]  # (active, width), as all matrices here
        before = states[0, here.before : here.before + here.active]
        after = states[0, here.after : here.after + here.active]

        add_product(share, before, hidden, panels.recurrent[0])
        flat_share, flat_after = flat(share), flat(after)
        for i in range(len(flat_share)):
            flat_after[i] = activation(flat_share[i])

    return step


def _step_back(name: str, derivative: Any) -> Any:
    @compiled_for(name)
    def step_back(
        planes: Any, states: Any, planes_slope: Any, flowing: Any, here: Any, hidden: int, panels: Any
    ) -> None:
        """Go back over one step: from dh' in ``flowing`` to da in ``planes_slope`` and dh."""
        after = states[0, here.after : here.after + here.active]  # (active, width), as all matrices here
        slope = planes_slope[0, here.slot : here.slot + here.active]
        h_slope = flowing[0, : here.active]

        flat_slope, flat_h_slope, flat_after = flat(slope), flat(h_slope), flat(after)
        for i in range(len(flat_slope)):
            flat_slope[i] = flat_h_slope[i] * derivative(flat_after[i])
        clear(h_slope)
        add_product(h_slope, slope, hidden, panels.recurrent[0])

    return step_back


def _scan(name: str, activation: Any, derivative: Any) -> ScanKernels:
    forward = forward_kernel(f"rnn {name}", _step(name, activation), INPUT_PLANES, RECURRENT_PLANES)
    backward = backward_kernel(f"rnn {name}", _step_back(name, derivative), INPUT_PLANES, RECURRENT_PLANES)
    return ScanKernels(forward, backward, PLANES, planes_are_kept=False, states=STATES)


TANH, RELU = _scan("tanh", tanh, tanh_slope), _scan("relu", relu, relu_slope)
