from rnnlab.benchmarks.turns import FEWEST, MOST, PATIENCE, pace


def test_the_slowest_decides_how_many_batches_and_the_fast_repeat_them() -> None:
    found = pace({"packed": 0.5, "bare": 0.02}, turn_seconds=1.0, repeats=5)
    assert found.batches == int(PATIENCE / 0.5)
    assert found.sweeps == {"packed": 1, "bare": round(1.0 / (0.02 * found.batches))}


def test_long_turns_are_fewer_but_not_of_those_compared_to_the_percent() -> None:
    seconds = {"trainer": 6.0, "bare": 6.0, "padded": 1.5, "packed": 6.0}
    found = pace(seconds, turn_seconds=1.0, repeats=5)
    assert found.batches == FEWEST
    assert found.turns == {"trainer": 5, "bare": 5, "padded": 3, "packed": 1}


def test_trainer_and_bare_loop_have_the_same_work() -> None:
    found = pace({"trainer": 0.003, "bare": 0.002}, turn_seconds=1.0, repeats=5)
    assert found.batches == MOST
    assert found.sweeps["trainer"] == found.sweeps["bare"] == round(1.0 / (0.003 * MOST))


def test_a_given_number_of_batches_is_taken_once_in_every_turn() -> None:
    found = pace({"bare": 0.001, "packed": 9.0}, turn_seconds=1.0, repeats=4, batches=7)
    assert found == (7, {"bare": 1, "packed": 1}, {"bare": 4, "packed": 4})
