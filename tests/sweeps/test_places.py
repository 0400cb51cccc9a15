"""Places that are never idle while there is work, whatever the slowest is at."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rnnlab.errors import ConfigError
from rnnlab.sweeps.launching import fill
from rnnlab.sweeps.parallelism import together

PATIENCE = 60  # seconds until a test gives up


@dataclass
class Pretended:
    """Pieces of work that are numbers, of which one lasts until all others are done."""

    pieces: int
    slow: int = 0
    given: list[int] = field(default_factory=list)
    busy_when_given: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    all_others_done: threading.Event = field(default_factory=threading.Event)

    def take(self, count: int) -> Sequence[int]:
        with self.lock:
            start = len(self.given)
            new = list(range(start, min(self.pieces, start + count)))
            self.given += new
            self.busy_when_given += [len(self.given) - len(self.told)] * bool(new)
        return new

    def run(self, piece: int) -> int:
        if piece == self.slow:
            assert self.all_others_done.wait(PATIENCE)
        return piece

    def tell(self, piece: int, came: int) -> None:
        assert piece == came
        self.told.append(piece)
        if len(self.told) == self.pieces - 1:
            self.all_others_done.set()


@pytest.mark.parametrize("places", [2, 8])
def test_the_slowest_of_thirty_keeps_no_place_idle(places: int) -> None:
    work = Pretended(30)
    fill(places, work.take, work.run, work.tell)
    assert work.told[-1] == work.slow
    assert sorted(work.told) == list(range(30))
    assert set(work.busy_when_given[:-1]) == {places}  # each time that some were handed out, none stayed free
    assert max(work.busy_when_given) == places


def test_one_place_runs_in_this_thread_in_order() -> None:
    threads = set()
    work = Pretended(5, slow=-1)

    def run(piece: int) -> int:
        threads.add(threading.current_thread())
        return piece

    fill(1, work.take, run, work.tell)
    assert work.told == [0, 1, 2, 3, 4]
    assert threads == {threading.current_thread()}


def test_what_fails_is_raised_when_the_others_are_told() -> None:
    work = Pretended(30, slow=-1)
    failed = threading.Event()

    def run(piece: int) -> int:
        if piece == 0:
            failed.set()
            raise ValueError("no start")
        assert failed.wait(PATIENCE)
        return piece

    with pytest.raises(ValueError, match="no start"):
        fill(2, work.take, run, work.tell)
    assert 1 in work.told
    assert set(work.told) == set(work.given) - {0}


@pytest.mark.parametrize(
    ("launcher", "said", "jobs", "places", "one_by_one"),
    [
        ({"_target_": "x.BasicLauncher"}, None, 30, 1, True),
        ({"_target_": "x.JoblibLauncher", "n_jobs": 4}, None, 30, 4, True),
        ({"_target_": "x.JoblibLauncher", "n_jobs": 4}, 100, 30, 30, True),
        ({"_target_": "x.LocalLauncher", "cpus_per_task": 1000}, None, 30, 1, True),
        ({"_target_": "x.SlurmLauncher", "array_parallelism": 256}, None, 1000, 256, False),
        ({"_target_": "x.SlurmLauncher", "array_parallelism": 256}, 100, 1000, 100, True),
    ],
)
def test_places(launcher: dict[str, object], said: int, jobs: int, places: int, one_by_one: bool) -> None:
    found = together(launcher, {"at_once": said, "threads": None}, jobs)
    assert (found.places, found.one_by_one) == (places, one_by_one)


def test_a_network_disk_is_known_by_its_mount(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from rnnlab.sweeps.storage import network_disk

    mounts = tmp_path / "mounts"
    mounts.write_text("root / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\nssd /home/me/ssd ext4 rw 0 0\n")
    kinds = [network_disk(Path(path), mounts) for path in ("/tmp/x", "/home/me/logs", "/home/me/ssd/logs")]
    assert kinds == [None, "nfs4", None]
    assert network_disk(Path("/home"), tmp_path / "nothing") is None


def test_a_launcher_of_one_job_after_the_other_runs_no_two_at_once() -> None:
    with pytest.raises(ConfigError, match="hydra/launcher=joblib runs several"):
        together({"_target_": "x.BasicLauncher"}, {"at_once": 2, "threads": None}, 3)
