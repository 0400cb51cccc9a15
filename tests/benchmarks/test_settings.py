from typing import Any

import pytest

from rnnlab.benchmarks.settings import Settings
from rnnlab.errors import ConfigError

GOOD: dict[str, Any] = {
    "cells": ["rnn", "gru"],
    "hidden_sizes": [8],
    "contestants": ["bare"],
    "backend": "auto",
    "repeats": 2,
    "turn_seconds": 0.5,
    "batches_per_turn": None,
    "keras": False,
    "keras_python": None,
    "keras_epochs": 1,
    "kernels": False,
    "logging": False,
    "prediction": None,
    "jobs": None,
    "device": None,
    "minutes": 8,
    "beside": 0,
}


def test_one_of_a_list_may_stand_alone() -> None:
    found = Settings.of({**GOOD, "cells": "lstm", "hidden_sizes": 32})
    assert found.cells == ("lstm",)
    assert found.hidden_sizes == (32,)


def test_everything_wrong_is_said_at_once() -> None:
    wrong = {"cells": ["gur"], "hidden_sizes": [0], "contestants": ["bear"], "repeats": 0, "turn_seconds": 0}
    with pytest.raises(ConfigError) as told:
        Settings.of({**GOOD, **wrong, "batches_per_turn": "many", "beside": -1})
    lines = str(told.value).splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in lines] == [
        *("cells", "contestants", "hidden_sizes", "repeats", "batches_per_turn", "beside", "turn_seconds")
    ]
    assert "gru" in lines[0]
    assert "bare" in lines[1]
