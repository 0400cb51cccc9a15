"""What lies on the disk may be anything: each door refuses it at once, and says what is wrong."""

import io
import json
import os
import pickle
import sqlite3
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from torch import nn

from rnnlab.errors import DamagedFileError, RunError
from rnnlab.files.array_file import Kind, open_array, read_packed
from rnnlab.files.bounded import content_of, glimpse
from rnnlab.files.checkpoint_file import no_larger_than, read_checkpoint
from rnnlab.files.database_file import check_database
from rnnlab.files.event_file import records_in
from rnnlab.files.plain_file import NotPlainError, parsed_yaml, read_json, read_yaml
from rnnlab.text.sealed_folder import damage, seal

ANY = {str: object}


def bomb(levels: int) -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (bomb(9), "unfolds to more than"),
        ("a: &a {<<: *a}", "within itself"),
        ("a: &a [*a]", "within itself"),
        ("[" * 100_000, "nest"),
        ("- " * 5000 + "1", "nested deeper"),
        ("{a: " * 500 + "1" + "}" * 500, "nested deeper"),
        ("n: " + "1:" * 50_000 + "1", "number of hundreds of digits"),
        ("n: 0x" + "f" * 900, "number of hundreds of digits"),
        ("a: !!python/object/apply:os.system [true]", "it is no YAML"),
        ("a: 2024-01-01", "it holds a date"),
        ("a: !!int ''", "a value that is none"),
        ("a: !!timestamp soon", "a value that is none"),
        ("{1: 2}", "which is no text"),
        ("{[1]: 2}", "it is no YAML"),
        ("a: [", "it is no YAML in line "),
        ("--- 1\n--- 2", "it is no YAML"),
        ("a: !!set {b}", "it holds a set"),
    ],
)
def test_yaml_that_rnnlab_never_writes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotPlainError, match=reason):
        parsed_yaml(text)


def test_aliases_that_unfold_to_little_are_read() -> None:
    shared = {"size": 1}
    assert parsed_yaml(yaml.safe_dump({"a": shared, "b": shared})) == {"a": shared, "b": shared}


def test_half_a_letter_is_replaced_on_reading(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"name": "a\udcffb"}), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps({"na\ud800me": ["a\udcffb"]}), encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml", ANY) == {"name": "a\ufffdb"}
    assert read_json(tmp_path / "a.json", ANY) == {"na\ufffdme": ["a\ufffdb"]}


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "{", "", '{"a": 1e}', "\ufeff{}"])
def test_json_that_rnnlab_never_writes_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"a\.json is damaged: .*\. Remove it\."):
        read_json(tmp_path / "a.json", object, mend="Remove it.")


def test_whatever_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    for name in ("folder", "pipe", "device", "loop", "large"):
        with pytest.raises(DamagedFileError, match=f"{name} is damaged: it "):
            content_of(tmp_path / name, 1000)
        assert len(glimpse(tmp_path / name, 1000)) <= 1000
    with pytest.raises(FileNotFoundError):
        content_of(tmp_path / "nothing", 1000)


def record(claimed: int, content: bytes) -> bytes:
    head = struct.pack("<Q", claimed)
    return head + struct.pack("<I", masked_crc32c(head)) + content


@pytest.mark.parametrize("claimed", [8 << 30, 1 << 40, (1 << 64) - 1])
def test_an_event_files_record_is_believed_as_far_as_the_file_goes(tmp_path: Path, claimed: int) -> None:
    (tmp_path / "events").write_bytes(record(claimed, b"x" * 1000))
    with pytest.raises(DamagedFileError, match="record 1: the file ends within it"):
        list(records_in(tmp_path / "events"))


def npy(shape: tuple[int, ...], descr: str = "<i8", content: bytes = b"") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


@pytest.mark.parametrize(
    "content", [npy((7 << 40,)), npy((1 << 62, 1 << 62)), npy((-1,)), b"", npy((2,))[:9]]
)
def test_an_array_that_claims_what_is_not_there_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("labels.npy", content)
    for mapped in (True, False):
        with pytest.raises(DamagedFileError, match=r"a\.npy is damaged"):
            open_array(tmp_path / "a.npy", np.int64, mapped=mapped)
    with pytest.raises(DamagedFileError, match=r"a\.npz is damaged"):
        read_packed(tmp_path / "a.npz", {"labels": Kind("i", 1)})


def test_packed_arrays_that_unpack_to_gigabytes_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("labels.npy", npy((70 << 20,), content=bytes(560 << 20)))
    with pytest.raises(DamagedFileError, match="claim more than"):
        read_packed(tmp_path / "a.npz", {"labels": Kind("i", 1)})


def test_objects_in_an_array_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", labels=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedFileError, match=r"a\.npz is damaged"):
        read_packed(tmp_path / "a.npz", {"labels": Kind("i", 1)})


@pytest.mark.parametrize("name", ["/dev/zero", "../outside", "", "a/b"])
def test_a_manifest_names_files_of_its_folder_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("content")
    seal(tmp_path)
    assert damage(tmp_path) is None
    (tmp_path / "manifest.json").write_text(json.dumps({name: {"bytes": 1, "crc32": 2}}))
    assert "no file of the folder" in str(damage(tmp_path))


@pytest.mark.parametrize(
    "manifest", ["[]", '{"file": 1}', '{"file": {"bytes": "7", "crc32": 1}}', "[" * 9999]
)
def test_an_odd_manifest_is_damaged(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "manifest.json").write_text(manifest)
    assert "manifest.json is damaged" in str(damage(tmp_path))
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").mkdir()
    assert "it is a folder" in str(damage(tmp_path))


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.sqlite").write_bytes(content)
    if not content:  # a database that holds nothing yet
        check_database(tmp_path / "a.sqlite", "")
        return
    with pytest.raises(DamagedFileError, match=r"a\.sqlite is damaged: .* Start over\."):
        check_database(tmp_path / "a.sqlite", "Start over.")


def test_a_database_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.sqlite") as opened:
        opened.execute("create table trials (value text)")
        opened.executemany("insert into trials values (?)", [("x" * 1000,)] * 100)
    opened.close()
    check_database(tmp_path / "a.sqlite", "")
    whole = (tmp_path / "a.sqlite").read_bytes()
    (tmp_path / "a.sqlite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFileError, match=r"a\.sqlite is damaged"):
        check_database(tmp_path / "a.sqlite", "")


def checkpoint(**parts: Any) -> dict[str, Any]:
    passport = {"format": 1, "config": {"model": {"layers": 1}}, "labels": ["bad"]}
    return {
        "rnnlab": passport,
        "state_dict": {"weight": torch.zeros(3)},
        "epoch": 1,
        "global_step": 2,
        **parts,
    }


def unfolding(levels: int) -> list[Any]:
    found: list[Any] = [1]
    for _ in range(levels):
        found = [found] * 10
    return found


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"state_dict": {"weight": torch.zeros(1).expand(1 << 40)}}, "not all numbers are there"),
        ({"optimizer_states": unfolding(30)}, "unfolds to more"),
        ({"optimizer_states": endless()}, "nested too deep"),
        ({"state_dict": [1]}, "state_dict is a list, not a mapping"),
        ({"state_dict": {"weight": 1}}, r"state_dict\.weight is a whole number, not Tensor"),
        ({"epoch": "one"}, "epoch is a text, not a whole number"),
        ({"rnnlab": {"format": 1, "config": {"model": {1: 2}}}}, "the key 1, which is no text"),
        ({"rnnlab": {"format": 1}}, r"lacks rnnlab\.config"),
        ({"rnnlab": 3}, "no checkpoint of rnnlab's"),
        ({"state_dict": {"weight": torch.eye(2).to_sparse()}}, "layout torch.sparse_coo"),
    ],
)
def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path, parts: dict[str, Any], reason: str) -> None:
    torch.save(checkpoint(), tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["epoch"] == 1
    torch.save(checkpoint(**parts), tmp_path / "a.ckpt")
    with pytest.raises(RunError, match=rf"a\.ckpt is .*{reason}"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_a_packed_checkpoint_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps(bytes(1 << 24)))
    with pytest.raises(DamagedFileError, match="its parts are larger than the file"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_a_network_far_larger_than_its_weights_is_not_built() -> None:
    weights = nn.LSTM(4, 8, 2).state_dict()
    with no_larger_than(weights, Path("a.ckpt")):
        nn.LSTM(4, 8, 2)
    for make in (lambda: nn.LSTM(4, 8, 10_000_000), lambda: nn.Linear(2_000, 2_000)):
        with no_larger_than(weights, Path("a.ckpt")), pytest.raises(RunError, match=r"a\.ckpt is damaged"):
            make()
    with no_larger_than(weights, Path("a.ckpt")), pytest.raises(RunError, match="far larger network"):
        nn.ModuleList(nn.Identity() for _ in range(10_000_000))
    nn.Linear(1000, 1000)  # outside, whatever one likes is built
