import sys

import pytest
import torch

from rnnlab.benchmarks.child_process import PeakMemory, forget_peak

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_peak_is_that_of_the_work_inside_and_not_of_the_work_before() -> None:
    if not forget_peak():
        pytest.skip("this system does not let a process reset its peak")
    mebibytes = 300
    with PeakMemory(CPU) as large:
        torch.zeros(mebibytes * 2**18).sum()
    with PeakMemory(CPU) as small:
        torch.zeros(1).sum()
    assert large.bytes is not None
    assert small.bytes is not None
    assert large.bytes - small.bytes > 0.8 * mebibytes * 2**20
