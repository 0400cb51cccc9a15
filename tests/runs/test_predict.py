"""Tables are predicted whole, in order, or not at all."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.corpora.rows import Row
from rnnlab.corpora.tables import Table
from rnnlab.runs import prediction
from rnnlab.runs.prediction import predict_table, windows
from rnnlab.runs.text_tables import read_texts
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from tests.runs.conftest import Finished

Command = Callable[..., int]
TEXTS = ["fine, lovely", 'a "dull"\nfilm', "", "warm"]


def table_of(path: Path, texts: list[str] = TEXTS, delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "text", "label"])
        writer.writerows([i, text, "given"] for i, text in enumerate(texts))
    return path


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def loaded(run: Finished) -> TrainedClassifier:
    model = rnnlab.load(run.folder)
    assert isinstance(model, TrainedClassifier)
    return model


@pytest.mark.parametrize("window", [1, 3, 4096])
def test_a_table_keeps_its_columns_and_order(
    window: int, sentiment: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "WINDOW", window)
    texts = [" ".join(["fine", "dull", "film"][: i % 4] * (i % 5)) for i in range(40)]
    model = loaded(sentiment)
    source, target = table_of(tmp_path / "in.csv", texts), tmp_path / "out.csv"
    tally = predict_table(model, source, target)
    found = rows_of(target)
    assert [(row["id"], row["text"], row["label"]) for row in found] == [
        (str(i), text, "given") for i, text in enumerate(texts)
    ]
    assert [row["predicted_label"] for row in found] == model.predict(texts)
    for row, expected in zip(found, model.predict_proba(texts), strict=True):
        shares = [float(row[f"probability_{label}"]) for label in model.labels]
        assert shares == pytest.approx(expected.tolist(), abs=1e-6)
    assert tally.texts == 40
    assert tally.empty == texts.count("")
    assert any("lone <eos>" in note for note in tally.notes(500))


def test_every_format(sentiment: Finished, tmp_path: Path, command: Command) -> None:
    table_of(tmp_path / "in.tsv", delimiter="\t")
    records = [{"id": i, "tags": ["a", i], "text": text} for i, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    (tmp_path / "in.txt").write_text("fine lovely\n\nwarm\n", encoding="utf-8")
    for source, target in (
        ("in.tsv", "a.jsonl"),
        ("in.jsonl", "b.tsv"),
        ("in.txt", "c.csv"),
        ("in.jsonl", "d.jsonl"),
    ):
        words = [f"input={tmp_path / source}", f"output={tmp_path / target}"]
        assert command("predict", f"run={sentiment.folder}", *words) == 0
    expected = loaded(sentiment).predict(TEXTS)
    as_json = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["text"] for row in as_json] == TEXTS
    assert [row["predicted_label"] for row in as_json] == expected
    as_tsv = rows_of(tmp_path / "b.tsv", "\t")
    assert [(row["text"], row["tags"], row["predicted_label"]) for row in as_tsv] == [
        (text, json.dumps(["a", i]), label)
        for i, (text, label) in enumerate(zip(TEXTS, expected, strict=True))
    ]
    assert [row["text"] for row in rows_of(tmp_path / "c.csv")] == ["fine lovely", "", "warm"]
    kept = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text().splitlines()]
    assert [row["tags"] for row in kept] == [record["tags"] for record in records]


def test_standard_input_and_one_text(
    sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"fine lovely\n\nd\xc3\xbcll\n")))
    assert command("predict", f"run={sentiment.folder}") == 0
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [row["text"] for row in rows] == ["fine lovely", "", "düll"]
    assert "1 without a word" in shown.err
    assert command("predict", f"run={sentiment.folder}", "text=fine unheard") == 0
    shown = capsys.readouterr()
    assert shown.out.split()[1] == rows[0]["predicted_label"]
    assert "read as <unk>: unheard" in shown.err


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (b"id,review\n1,fine\n", (), "line 1: no column 'text'"),
        (b"id;text\n1;fine\n", (), "separated by semicolons"),
        (b"id,text\n1,fine\n2,d\xfcll\n", (), "line 3: byte 4"),
        (b"id,text\n1,fine\n2\n", (), "line 3: 1 fields"),
        (b'id,text\n1,"fine\n', (), "row from line 2"),
        (b"", (), "is empty"),
        (b"text\n", (), "has no rows"),
        (b"text,predicted_label\nfine,x\n", (), "already has a column 'predicted_label'"),
        (b"text,text\na,b\n", (), "2 columns are named 'text'"),
        (b"text\nfine\n", ("output=out.xml",), "must end in"),
        (b"text\nfine\n", ("output=out.txt",), "ends in .csv, .tsv or .jsonl"),
        (b"text\nfine\n", ("text=fine",), "both given"),
        (b"text\nfine\n", ("explain=true",), "explain=true needs text"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    content: bytes,
    words: tuple[str, ...],
    message: str,
    sentiment: Finished,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.chdir(room)
    (tmp_path / "in.csv").write_bytes(content)
    output = () if any(word.startswith("output") for word in words) else ("output=out.csv",)
    assert command("predict", f"run={sentiment.folder}", f"input={tmp_path / 'in.csv'}", *output, *words) == 2
    assert message in capsys.readouterr().err
    assert list(room.iterdir()) == []


def test_an_existing_output_is_kept(
    sentiment: Finished, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = table_of(tmp_path / "in.csv"), tmp_path / "out.csv"
    target.write_text("precious")
    words = ["predict", f"run={sentiment.folder}", f"input={source}"]
    assert command(*words, f"output={target}") == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert target.read_text() == "precious"
    assert command(*words, f"output={target}", "overwrite=true") == 0
    assert len(rows_of(target)) == len(TEXTS)
    assert command(*words, f"output={source}", "overwrite=true") == 2
    assert "is the input itself" in capsys.readouterr().err
    assert command(*words, f"output={tmp_path}") == 2
    assert command(*words) == 2
    assert "needs output=…, the file for the predictions. Or without input=…" in capsys.readouterr().err
    assert command(*words[:2], "input=nowhere.txt") == 2
    assert "There is no file nowhere.txt." in capsys.readouterr().err


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_stopping_half_way_leaves_no_output(
    end: BaseException, sentiment: Finished, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = table_of(tmp_path / "in.csv", ["fine"] * 50)
    plain = prediction.predicted

    def ending(*arguments: Any) -> Iterator[Any]:
        for number, row in enumerate(plain(*arguments)):
            if number == 20:
                raise end
            yield row

    monkeypatch.setattr(prediction, "predicted", ending)
    status = command(
        "predict", f"run={sentiment.folder}", f"input={source}", f"output={tmp_path / 'o' / 'out.csv'}"
    )
    assert status == (130 if isinstance(end, KeyboardInterrupt) else 2)
    assert list((tmp_path / "o").iterdir()) == []


def test_a_language_model_is_refused(
    language: Finished, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", f"run={language.folder}", "text=the rose") == 2
    assert "scripts/generate.py" in capsys.readouterr().err


def test_a_row_with_more_keys_than_the_first_is_not_cut(
    sentiment: Finished, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "fine"}\n{"text": "dull", "id": 2}\n')
    words = [f"run={sentiment.folder}", f"input={tmp_path / 'in.jsonl'}"]
    assert command("predict", *words, f"output={tmp_path / 'out.csv'}") == 2
    assert "'id', which the first row has not" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert command("predict", *words, f"output={tmp_path / 'out.jsonl'}") == 0
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["id"] == 2


FORMULAS = ["=1+1", "@SUM(A1)", "-2+3", "\t=1", "\uff1d1"]


@pytest.mark.parametrize(
    ("safe_cells", "labels", "texts"), [(None, "'", ""), (True, "'", "'"), (False, "", "")]
)
def test_spreadsheets_run_no_cell(
    safe_cells: bool | None, labels: str, texts: str, sentiment: Finished, tmp_path: Path
) -> None:
    model = loaded(sentiment)
    model.labels = ("=bad()", "-1")
    source = table_of(tmp_path / "in.csv", [*FORMULAS, "-1.5", "fine"])
    tally = predict_table(model, source, tmp_path / "out.csv", safe_cells=safe_cells)
    rows = rows_of(tmp_path / "out.csv")
    assert [row["text"] for row in rows] == [*(f"{texts}{text}" for text in FORMULAS), "-1.5", "fine"]
    assert {row["predicted_label"] for row in rows} <= {f"{labels}=bad()", "-1"}
    assert ("apostrophe" in " ".join(tally.notes(None))) == (tally.safe.changed > 0)
    predict_table(model, source, tmp_path / "out.jsonl", safe_cells=safe_cells)
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["text"] == "=1+1"


@pytest.mark.usefixtures("own_folders")
def test_halves_of_letters_are_replaced_on_reading(
    sentiment: Finished, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "fine \\ud800 film"}\n', encoding="utf-8")
    assert command("predict", f"run={sentiment.folder}", f"input={source}", f"output={target}") == 0
    assert json.loads(target.read_text(encoding="utf-8"))["text"] == "fine \ufffd film"
    assert command("predict", f"run={sentiment.folder}", "text=fine \udcff", "explain=true") in (0, 2)


def test_windows_are_bounded_by_rows_and_by_characters() -> None:
    rows = [*[Row("x" * (5 << 20), None, {}, 1)] * 2, *[Row("x", None, {}, 3)] * 5]
    assert [len(window) for window in windows(iter(rows), 3)] == [1, 3, 3]


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b"text\n" + b"fine\n" * 3 + b"\xff\n")
    rows = read_texts(file)
    assert [next(rows).line for _ in range(3)] == [2, 3, 4]


def test_quotation_marks_that_swallow_rows(
    sentiment: Finished, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.tsv").write_text('id\ttext\n1\tfine\n2\t"dull\n3\twarm\n4\tfine"\n')
    words = ["predict", f"run={sentiment.folder}", f"input={tmp_path / 'in.tsv'}"]
    assert command(*words, f"output={tmp_path / 'a.csv'}") == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "lines 3 to 5: a field between quotation marks" in shown
    assert "set quotes=false" in shown
    for key in ("quotes=false", "data.corpus.quotes=false"):
        assert command(*words, f"output={tmp_path / 'a.csv'}", "overwrite=true", key) == 0
        assert [row["text"] for row in rows_of(tmp_path / "a.csv")] == ["fine", '"dull', "warm", 'fine"']
    assert command(*words, f"output={tmp_path / 'b.csv'}", "quotes=true") == 0
    assert [row["id"] for row in rows_of(tmp_path / "b.csv")] == ["1", "2"]
    assert command("predict", f"run={sentiment.folder}", "text=fine", "quotes=false") == 2


def test_a_single_column_whose_texts_span_lines_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in.csv").write_text('text\nfine\n"dull\nwarm"\n')
    assert [row.text for row in read_texts(tmp_path / "in.csv")] == ["fine", "dull\nwarm"]
    assert "lines 3 to 4" in caplog.text
    assert len(list(read_texts(tmp_path / "in.csv", quotes=False))) == 3


def test_what_training_reads_is_predicted(sentiment: Finished, tmp_path: Path, command: Command) -> None:
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbfsep=,\r\n,,text,id,id\r\n0,7,fine,a,b\r\n")
    assert Table(str(tmp_path / "in.csv"), label_column=None).labels == ()
    words = [f"run={sentiment.folder}", f"input={tmp_path / 'in.csv'}", f"output={tmp_path / 'out.csv'}"]
    assert command("predict", *words) == 0
    (row,) = rows_of(tmp_path / "out.csv")
    assert list(row.values())[:5] == ["0", "7", "fine", "a", "b"]
    assert list(row)[:5] == ["", "_2", "text", "id", "id_2"]
