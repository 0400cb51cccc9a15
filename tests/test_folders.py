"""A name out of a file stays in the folder that it belongs to."""

from pathlib import Path

import pytest
import yaml
from matplotlib.figure import Figure

from rnnlab.errors import RunError
from rnnlab.figures.drawing import save
from rnnlab.files.bounded import within
from rnnlab.results.found_runs import not_begun
from rnnlab.text.sealed_folder import damage, seal

OUT = [
    "../a",
    "a/../../b",
    "/etc/passwd",
    "..",
    "a\\..\\..\\b",
    "\\\\host\\share",
    "C:a",
    "a\0b",
    "",
    "\ud800",
]


@pytest.mark.parametrize("name", [*OUT, "a" * 300, 3, None, ["a"]])
def test_a_name_that_leads_out_is_refused(name: object, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"The figure would be .* a name was altered"):
        within(tmp_path, name, "The figure")


def test_a_name_that_stays_is_a_place(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "link").symlink_to(tmp_path)
    for name in ("a.json", "a/b..c/d.json", "...", "ø ü"):
        assert within(tmp_path / "room", name, "The figure") == tmp_path / "room" / name
    with pytest.raises(RunError, match="a link there leads out of"):
        within(tmp_path / "room", "link/a.json", "The figure")


def test_figures_jobs_and_the_cache_hold_to_it(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    with pytest.raises(RunError, match="The figure would be"):
        save(Figure(), room, "gradient_flow/../../layer")
    for jobs, waiting in ((["../other", "seed=1"], []), (["/etc"], []), (["seed=1"], [room / "seed=1"])):
        (room / "sweep.yaml").write_text(yaml.safe_dump({"jobs": {name: [] for name in jobs}}))
        assert not_begun(room) == waiting
    (room / "manifest.json").write_text('{"/dev/null": {"bytes": 0, "crc32": 0}}')
    assert damage(room) == "its manifest.json names '/dev/null', which is no file of the folder"
    (room / "manifest.json").unlink()
    seal(room)
    assert damage(room) is None
    assert list(tmp_path.iterdir()) == [room]
