import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rnnlab.corpora.corpus import Document, fingerprint_of, goes_by
from rnnlab.corpora.labelled_subset import LabelledSubset
from rnnlab.corpora.tables import Table
from rnnlab.corpora.text_files import digest_of
from rnnlab.errors import ConfigError, DataError
from rnnlab.folders import data_folder


def write(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.fixture
def three(tmp_path: Path) -> dict[str, str]:
    """A file for each split, of three classes."""
    return {
        "train": write(tmp_path / "train.csv", "id,text,label\n1,good one,pos\n2,bad one,neg\n3,so so,mid\n"),
        "validation": write(tmp_path / "validation.csv", "text,label\nwell,mid\n"),
        "test": write(tmp_path / "test.csv", "label,text\nneg,never\npos,ever\n"),
    }


def table_of(train: str, **settings: Any) -> Table:
    return Table(train, **settings)


def hundred_rows() -> str:
    return "text,label\n" + "".join(f"text {number},{'ab'[number % 4 == 0]}\n" for number in range(100))


def test_a_file_for_each_split(three: dict[str, str]) -> None:
    table = table_of(**three)
    assert table.labels == ("mid", "neg", "pos")
    assert list(table.documents("train")) == [
        Document("good one", 2),
        Document("bad one", 1),
        Document("so so", 0),
    ]
    assert list(table.documents("validation")) == [Document("well", 0)]
    assert list(table.documents("test")) == [Document("never", 1), Document("ever", 2)]
    assert table.held_out == {}


def test_given_labels_are_ids_in_their_order(three: dict[str, str]) -> None:
    assert table_of(**three, labels=["pos", "mid", "neg"]).labels == ("pos", "mid", "neg")
    assert [d.label for d in table_of(**three, labels=["pos", "mid", "neg"]).documents("train")] == [0, 2, 1]


def test_missing_splits_are_cut_out_of_train(tmp_path: Path) -> None:
    path = write(tmp_path / "all.csv", hundred_rows())
    table = Table(train=path, validation_fraction=0.2, seed=5)
    splits = {split: list(table.documents(split)) for split in table.splits}
    assert {split: Counter(d.label for d in documents) for split, documents in splits.items()} == {
        "train": {0: 52, 1: 18},
        "validation": {0: 15, 1: 5},
        "test": {0: 8, 1: 2},
    }
    texts = [document.text for documents in splits.values() for document in documents]
    assert sorted(texts) == sorted(f"text {number}" for number in range(100))
    assert table.held_out == {"validation": 0.2, "test": 0.1}
    assert list(Table(train=path, validation_fraction=0.2, seed=5).documents("test")) == splits["test"]
    assert list(Table(train=path, validation_fraction=0.2, seed=6).documents("test")) != splits["test"]


def test_one_missing_split_leaves_the_given_one_alone(tmp_path: Path, three: dict[str, str]) -> None:
    train = write(tmp_path / "all.csv", hundred_rows())
    test = write(tmp_path / "t.csv", "text,label\nmine,a\n")
    table = Table(train=train, test=test)
    assert table.held_out == {"validation": 0.1}
    assert list(table.documents("test")) == [Document("mine", 0)]
    assert len(list(table.documents("train"))) + len(list(table.documents("validation"))) == 100


def test_texts_without_labels(three: dict[str, str]) -> None:
    table = table_of(**three, label_column=None)
    assert table.labels == ()
    assert list(table.documents("test")) == [Document("never"), Document("ever")]


def test_quotes_lines_within_texts_empty_texts_and_marks(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbftext,label\r\n"two\nlines, ""quoted""",a\r\n\r\n,b\r\n'
    table = Table(
        write(tmp_path / "x.csv", content),
        test=write(tmp_path / "y.csv", content),
    )
    assert list(table.documents("test")) == [Document('two\nlines, "quoted"', 0), Document("", 1)]


def test_tsv_with_and_without_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", 'text\tlabel\n"Wow" he said, twice\ta\nno\tb\n')
    with pytest.raises(DataError, match=r"x\.tsv, the row from line 2: .* set data\.corpus\.quotes=false"):
        _ = table_of(path).labels
    table = Table(train=path, test=write(tmp_path / "t.tsv", 'text\tlabel\n"Hm\ta\n'), quotes=False)
    assert table.labels == ("a", "b")
    assert list(table.documents("test")) == [Document('"Hm', 0)]


def test_json_lines_with_all_kinds_of_labels(tmp_path: Path) -> None:
    records = [
        {"text": "a\u2028b", "label": 1},
        {"text": "", "label": True},
        {"label": "x", "text": "t", "more": []},
    ]
    content = "\n\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path = write(tmp_path / "x.jsonl", content)
    table = Table(train=path, test=write(tmp_path / "y.jsonl", content))
    assert table.labels == ("1", "true", "x")
    assert list(table.documents("test")) == [Document("a\u2028b", 0), Document("", 1), Document("t", 2)]


def test_format_and_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.data", " review \tstars\ngreat\t5\npoor\t1\n")
    table = table_of(path, format="tsv", text_column="review", label_column="stars")
    assert table.labels == ("1", "5")


def test_files_are_found_by_pattern_and_in_the_data_folder(tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a")):
        write(data_folder() / "parts" / f"{name}.csv", f"text,label\nfrom {name},{number}\n")
    test = write(tmp_path / "t.csv", "text,label\n,1\n")
    table = Table(train="parts/*.csv", test=test, validation=write(tmp_path / "v.csv", "text,label\n,1\n"))
    assert [document.text for document in table.documents("train")] == ["from a", "from b"]
    twice = Table(train=["parts/b.csv", "parts/*.csv"], test=test, validation=test.replace("t.csv", "v.csv"))
    assert [document.text for document in twice.documents("train")] == ["from b", "from a"]


def test_the_fingerprint_follows_content_and_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", hundred_rows())
    fingerprint = table_of(path).fingerprint
    assert table_of(path).fingerprint == fingerprint
    settings: list[dict[str, object]] = [
        {"seed": 1},
        {"test_fraction": 0.2},
        {"label_column": None},
        {"labels": ["b", "a"]},
        {"quotes": False},
        {"text_column": "label"},
    ]
    others = {table_of(path, **setting).fingerprint for setting in settings}
    assert len(others - {fingerprint}) == len(settings)
    write(tmp_path / "x.csv", hundred_rows().replace("text 7,", "text 8,"))
    assert table_of(path).fingerprint != fingerprint


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "x.csv",
            "txt,label\na,b\n",
            r"x\.csv, line 1: no column 'text'. Did you mean txt\?.*data\.corpus\.text_column",
        ),
        ("x.csv", "text,class\na,b\n", r"line 1: no column 'label'. Choose from: class, text\."),
        (
            "x.csv",
            "text;label\na;b\n",
            r"line 1: no column 'text'. .* separated by semicolons: save it with commas",
        ),
        ("x.csv", "text\tlabel\na\tb\n", r"separated by tabs: name it \.tsv"),
        ("x.tsv", "text,label\na,b\n", r"separated by commas: name it \.csv"),
        ("x.csv", "text,label,text\na,b,c\n", "line 1: 2 columns are named 'text'"),
        ("x.csv", "text,label\na,x\nb,\n", r"line 3: label is empty.*data\.corpus\.label_column=null"),
        ("x.csv", "text,label\na,x|y\nb,  \n", r"line 3: label is empty.*data\.corpus\.label_separator='\|'"),
        ("x.csv", "text,label\na,x\n\nb\n", "line 4: 1 fields, but line 1 names 2 columns"),
        ("x.csv", "text,label\na, b,x\n", r"line 2: 3 fields, but line 1 names 2 columns \(text, label\)"),
        ("x.csv", "text,label\na,x\nb,x\n", "all 2 rows have the label 'x'; a classifier needs two classes"),
        ("x.csv", "text,label\n", "no rows, so the train split is empty"),
        ("x.csv", "", "is empty: its first line must name the columns"),
        ("x.csv", b"text,label\na,x\ncaf\xe9,y\n", r"line 3: byte 4 \(0xe9\) is not UTF-8. Save"),
        ("x.csv", "text,label\na,x\n".encode("utf-16"), r"line 1: byte 1 \(0xff\) is not UTF-8"),
        ("x.csv", "text,label\ra,x\rb,y\r", "line 1: it holds a carriage return without a newline"),
        ("x.csv", 'text,label\na,x\n"open,y\nb,z\n', "the row from line 3: a quotation mark opens"),
        (
            "x.csv",
            "text,label\na,x\nb,y\n",
            r"too few rows to cut validation out of them.*data\.corpus\.validation",
        ),
        ("x.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "line 2: not a line of JSON"),
        ("x.jsonl", '{"text": "a", "label": 1}\n[1]\n', "line 2: not a JSON object"),
        ("x.jsonl", "[" * 100_000, "line 1: not a line of JSON"),
        ("x.jsonl", '{"txt": "a", "label": 1}', r"line 1: no column 'text'. Did you mean txt\?"),
        ("x.jsonl", "{}", "line 1: no column 'text'. It is empty"),
        ("x.jsonl", '{"text": 5, "label": 1}', "line 1: text is 5, not a text"),
        ("x.jsonl", '\n{"text": "a", "label": null}', "line 2: label is empty"),
        ("x.jsonl", '{"text": "a", "label": [1]}', r"line 1: label is \[1\], not a name or a number"),
    ],
)
def test_bad_files_are_told_with_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    table = table_of(write(tmp_path / name, content))
    with pytest.raises(DataError, match=said):
        list(table.all_documents(table.splits))


def test_a_label_that_train_does_not_have(tmp_path: Path, three: dict[str, str]) -> None:
    table = table_of(**three | {"test": write(tmp_path / "t.csv", "text,label\na,pos\nb,negg\n")})
    with pytest.raises(
        DataError, match=r"t\.csv, line 3: 'negg' is not one of the classes.*Did you mean neg\?"
    ):
        list(table.documents("test"))
    with pytest.raises(DataError, match=r"train\.csv, line 4: 'mid' is not one of the classes"):
        list(table_of(**three, labels=["neg", "pos"]).documents("train"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"validation_fraction": 1.0}, r"data\.corpus\.validation_fraction is 1\.0"),
        ({"test_fraction": 0.6, "validation_fraction": 0.6}, "leave nothing to train on"),
        ({"format": "xls"}, r"data\.corpus\.format is 'xls'. Choose from: csv, jsonl, tsv"),
        ({"labels": ["a"]}, r"data\.corpus\.labels is \['a'\]; it must be two or more names"),
        ({"labels": ["a", "a"]}, "two or more names, each once"),
        ({"labels": ["a", "b"], "label_column": None}, "label_column is null"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    path = write(tmp_path / "x.csv", hundred_rows())
    with pytest.raises(ConfigError, match=said):
        table_of(path, **settings)


def test_a_format_that_the_name_does_not_tell(tmp_path: Path) -> None:
    table = table_of(write(tmp_path / "x.txt", hundred_rows()))
    with pytest.raises(
        ConfigError, match=r"x\.txt could be anything.* Set data\.corpus\.format to one of csv, tsv"
    ):
        _ = table.labels


def test_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", hundred_rows())
    with pytest.raises(DataError, match=r"no file .*/review\.csv in .*Did you mean reviews\.csv\?"):
        Table(train=str(tmp_path / "review.csv"))
    with pytest.raises(DataError, match=r"is a folder. Name its files, for example .*/\*\.txt"):
        Table(train=str(tmp_path))
    with pytest.raises(DataError, match=r"There is no file nowhere/x\.csv in .* or "):
        Table(train="nowhere/x.csv")
    (tmp_path / "LICENSE").touch()
    with pytest.raises(DataError, match=r"no file .*/nothing\.csv in .*Choose from: reviews\.csv\.$"):
        Table(train=str(tmp_path / "nothing.csv"))


def test_a_file_named_for_two_splits(three: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"train\.csv is named both for train and for test"):
        table_of(**three | {"test": three["train"]})


def test_runs_of_an_earlier_version_know_a_table_unless_its_copies_were_parted(tmp_path: Path) -> None:
    def known(content: str) -> tuple[Table, str]:
        file = Path(write(tmp_path / "train.csv", content))
        held_out = {"validation": 0.1, "test": 0.1}
        facts: dict[str, Any] = {"content": {"train": digest_of([file])}, "formats": [".csv"]}
        facts |= {"reading": [None, "text", "label", True], "labels": None, "held_out": held_out, "seed": 0}
        return table_of(str(file)), fingerprint_of(name="csv", version=1, **facts)

    table, before = known(hundred_rows())
    subset = fingerprint_of(name="labelled_subset", corpus=before, labelled=5, seed=1)
    assert goes_by(LabelledSubset(table, 5, seed=1), subset)
    assert table.fingerprint != before
    assert goes_by(table, before)
    assert not goes_by(table_of(str(tmp_path / "train.csv"), seed=1), before)
    assert not goes_by(*known(hundred_rows() + "text 7,a\n"))
