from rnnlab.benchmarks.pace import FEWEST, MOST, pace


def test_the_slowest_decides_how_many_batches_and_the_fast_repeat_them() -> None:
    found = pace({"slow": 10_000.0, "fast": 80_000.0}, tokens_per_batch=1_000, seconds=1.0)
    assert found.batches == 10
    assert found.sweeps == {"slow": 1, "fast": 8}


def test_batches_stay_within_bounds() -> None:
    slow = pace({"slow": 1.0, "fast": 1e5}, tokens_per_batch=1_000, seconds=1.0)
    assert slow.batches == FEWEST
    assert slow.sweeps["slow"] == 1
    fast = pace({"fast": 1e7}, tokens_per_batch=1_000, seconds=1.0)
    assert fast.batches == MOST
    assert fast.sweeps["fast"] * MOST * 1_000 / 1e7 < 1.1
