"""'Where things are' is true: what it names is there, and what is there is named."""

import re

from tests.readme.text import ROOT, blocks

DRAWING = next(block for block in blocks("") if "src/rnnlab/" in block)
PACKAGE = ROOT / "src" / "rnnlab"


def floors() -> dict[str, str]:
    """Return what the drawing says of each folder in the package."""
    found: dict[str, str] = {}
    name = ""
    for line in DRAWING.splitlines():
        begun = re.match(r"  (\w+)/ ", line)
        if begun:
            name = begun[1]
        elif not line.startswith("     "):
            name = ""
        if name:
            found[name] = found.get(name, "") + line
    return found


def test_what_it_names_is_there() -> None:
    for name in re.findall(r"^(\w[\w/]*)/ ", DRAWING, re.MULTILINE):
        assert (ROOT / name).is_dir(), name
    for folder, told in floors().items():
        for file in re.findall(r"\b([\w/]+\.py)\b", told):
            assert (PACKAGE / folder / file).is_file(), f"{folder}/{file}"
    for name in re.findall(r"\b(\w+)/", DRAWING):
        places = [ROOT / name, ROOT / "conf" / name, *(ROOT / "src").rglob(name)]
        assert any(place.is_dir() for place in places), name


def test_every_folder_and_script_is_named() -> None:
    folders = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    assert len(folders) > 10
    assert [name for name in folders if f"{name}/" not in DRAWING] == []
    scripts = [path.stem for path in (ROOT / "scripts").glob("*.py")]
    assert [name for name in scripts if not re.search(rf"\b{name}\b", DRAWING)] == []


def test_a_reader_finds_the_file_at_the_first_try() -> None:
    asked = {
        ("encoder", "pooling"): "pooling.py",
        ("corpora", "another corpus"): "imdb.py",
        ("optimization", "learning rates"): "schedules.py",
        ("tasks", "TensorBoard"): "sentiment/figures.py",
        ("data", "batches of similar length"): "bucketing.py",
        ("training", "Ctrl-C"): "stopping.py",
        ("results", "table"): "tables.py",
        ("cells", "equations"): "gru.py",
    }
    for (folder, words), file in asked.items():
        told = floors()[folder]
        assert words in told
        assert file in told, file
        assert (PACKAGE / folder / file).is_file()
