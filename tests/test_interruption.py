"""Ctrl-C and SIGTERM: noted by the handler, asked for by the work."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rnnlab import interruption
from rnnlab.interruption import Interrupted, check, listening, waiting

ROOT = Path(__file__).resolve().parents[1]


def send(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_noted_and_raised_where_the_work_asks(number: signal.Signals) -> None:
    with listening():
        send(number)  # raises nothing
        assert interruption.asked_by() == number
        with pytest.raises(Interrupted, match=f"Stopped by {number.name}") as stop:
            check()
        assert stop.value.status == 128 + number
    assert interruption.asked_by() is None
    check()


def test_a_lock_that_a_signal_falls_into_is_given_back() -> None:
    """The handler used to raise within TensorBoard's queue, whose lock was then held for good."""
    lock = threading.Lock()
    with listening():
        lock.acquire()
        send()
        lock.release()  # what a handler raises would have left this out
    assert lock.acquire(blocking=False)


def test_a_callback_of_a_weak_reference_swallows_no_signal() -> None:
    class Thing:
        def __del__(self) -> None:
            send()

    with listening():
        Thing()
        with pytest.raises(Interrupted):
            check()


def test_a_second_signal_does_not_end_a_process_that_is_not_a_commands() -> None:
    with listening():
        send()
        with pytest.raises(KeyboardInterrupt):
            send()


def test_waiting_ends_at_once() -> None:
    def wait() -> None:
        with listening(), waiting():
            threading.Timer(0.2, send).start()  # not before: somebody must listen, on a busy machine, too
            time.sleep(60)

    with pytest.raises(Interrupted):
        wait()


def test_the_innermost_listener_tells_and_all_pass_on() -> None:
    passed: list[tuple[str, int, bool]] = []
    outer = listening(lambda: Interrupted("outer"), lambda number, again: passed.append(("o", number, again)))
    inner = listening(lambda: Interrupted("inner"), lambda number, again: passed.append(("i", number, again)))
    with outer, inner:
        send(signal.SIGTERM)
        with pytest.raises(Interrupted, match="inner"):
            check()
    assert passed == [("o", signal.SIGTERM, False), ("i", signal.SIGTERM, False)]


def given(*words: str | Path, beside: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python, which finds rnnlab and the modules in ``beside``, and return what came of it."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{beside}"}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_signal_while_a_command_is_imported_ends_it_with_a_line(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import rnnlab.commands\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = given(script)
    assert (done.returncode, done.stderr) == (130, "Stopped by SIGINT before anything began.\n")


def test_a_signal_while_the_work_imports_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('no')"
    )
    program = "from rnnlab.command_line import exit_by\nexit_by(lambda: __import__('slow_to_import'))"
    done = given("-c", program, beside=tmp_path)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Stopped by SIGINT before anything began.\n"


@pytest.mark.parametrize(("fails", "status"), [("False", 0), ("True", 2)])
def test_a_signal_while_python_ends_says_nothing(fails: str, status: int, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import atexit, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from rnnlab.commands import exit_by, refuse\n"
        f"exit_by(lambda: {fails} and refuse('anything'))\n"
    )
    done = given(script)
    assert done.returncode == status
    assert "Traceback" not in done.stderr


PROGRAM = """
import time
from rnnlab.command_line import exit_by
from rnnlab.interruption import check

def work():
    print("at work", flush=True)
    while True:
        time.sleep(0.05)
        {asks}

exit_by(work)
"""


@pytest.mark.parametrize(("asks", "signals"), [("check()", 1), ("pass", 2)])
def test_a_command_ends_by_its_first_signal_where_it_asks_and_by_its_second_anywhere(
    asks: str, signals: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(asks=asks)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert ("Stopped by SIGINT." if signals == 1 else "Stopped at once.") in told
