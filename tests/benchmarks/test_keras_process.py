import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlab.benchmarks.keras_speed import KerasProcess, is_there
from rnnlab.errors import RunError
from rnnlab.text.encoded import EncodedSplit

FAKE = Path(__file__).with_name("fake_keras.py")


def documents(count: int) -> EncodedSplit:
    """Documents whose class is their every word."""
    labels = np.arange(count) % 2
    return EncodedSplit(
        tokens=np.repeat(labels + 5, 3).astype(np.int32),
        offsets=np.arange(count + 1) * 3,
        labels=labels.astype(np.int64),
    )


def test_epochs_are_had_one_by_one(tmp_path: Path) -> None:
    with KerasProcess(documents(7), tmp_path, program=FAKE) as keras:
        process = keras.process
        assert keras.versions["keras"] == "0.fake"
        keras.build("rnn", 1)
        assert [keras.turn().loss for _ in range(2)] == [1.0, 0.5]
        keras.build("gru", 1)
        assert keras.turn().loss == 1.0
        assert process.poll() is None
    assert process.returncode == 0


def test_a_program_that_ends_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    fails = tmp_path / "fails.py"
    fails.write_text(f"import sys; sys.argv.insert(1, 'fails')\nexec(open({str(FAKE)!r}).read())")
    with (
        pytest.raises(RunError, match=r"(?s)status 1.*keras\.log.*broke on purpose.*keras=false"),
        KerasProcess(documents(2), tmp_path, program=fails) as keras,
    ):
        keras.build("rnn", 1)


def test_a_python_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=r"keras_python=.*no-python"),
        KerasProcess(documents(2), tmp_path, python=str(tmp_path / "no-python")),
    ):
        pass


def test_an_error_here_ends_the_process(tmp_path: Path) -> None:
    keras = KerasProcess(documents(2), tmp_path, program=FAKE)
    with pytest.raises(ZeroDivisionError), keras:
        raise ZeroDivisionError
    assert keras.process.poll() is not None


@pytest.mark.skipif(not is_there(None), reason="keras and tensorflow are not installed")
def test_the_real_program_learns(tmp_path: Path) -> None:
    with KerasProcess(documents(640), tmp_path, python=sys.executable) as keras:
        keras.build("rnn", 1)
        turns = [keras.turn() for _ in range(3)]
    assert turns[-1].loss < turns[0].loss
    assert turns[-1].accuracy == 1.0
