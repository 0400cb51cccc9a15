"""Tables as people have them: plain quotation marks, copies, labels in several spellings, Excel's line."""

import json
import random
import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest

from rnnlab.corpora.corpus import Document
from rnnlab.corpora.rows import told_apart
from rnnlab.corpora.tables import Table
from rnnlab.errors import DataError
from rnnlab.folders import data_folder


def table_of(content: str, name: str = "x.csv", **settings: Any) -> Table:
    """Return the table of a file with this content, and of one for each split that a setting names."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode())
    for split in {"validation", "test"} & settings.keys():
        (folder / f"{split}.csv").write_bytes(settings[split].encode())
        settings[split] = f"{split}.csv"
    return Table(name, **settings)


def labelled(labels: Sequence[str], count: int) -> str:
    """Return a table of texts that all differ, its labels in turns."""
    rows = (f"text {i},{labels[i % len(labels)]}\n" for i in range(count))
    return "text,label\n" + "".join(rows)


SWALLOWED = {
    "x.csv": 'text,label\na,x\n"b,y\nc,x\nd",y\ne,x\n',
    "x.tsv": 'text\tlabel\na\tx\n"b, really\ty\nc\tx\nd"\ty\ne\tx\n',
    "last.csv": 'label,text\nx,a\ny,"b\nx,c\ny,d"\nx,e\n',
    "three.csv": 'id,text,label\n1,a,x\n2,"b,y\n\n3,c,x\n4,d",y\n5,e,x\n',
    "spaced.csv": 'text, label\na, x\n"b, y\nc, x\nd", y\ne, x\n',
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_rows_swallowed_by_a_plain_quotation_mark_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"lines 3 to [56]: .* rows of their own.*data\.corpus\.quotes=false"):
        _ = table_of(SWALLOWED[name], name).labels
    others = {"validation": "text,label\n,x\n", "test": "text,label\n,x\n"}
    plain = list(table_of(SWALLOWED[name], name, quotes=False, **others).documents("train"))
    assert [document.text[:2].strip('"') for document in plain] == ["a", "b", "c", "d", "e"]
    assert len(list(table_of(SWALLOWED[name], name, quotes=True, **others).documents("train"))) == 3


def test_most_lines_tell_what_was_swallowed() -> None:
    with pytest.raises(DataError, match="lines 3 to 5"):
        _ = table_of('text,label\na,x\n"b,y\nc, as ever,x\nd",y\ne,x\n').labels


@pytest.mark.parametrize(
    "text",
    [
        "Great film, really\nIt moved me, too",
        "Roses are red,\nviolets are blue,\nsugar is sweet",
        "one\n\ntwo\n\nthree",
        "It cost 1,000 dollars\nand was worth none of them",
    ],
)
def test_texts_of_several_lines_are_read(text: str) -> None:
    content = f'text,label\n"{text}",a\n"{text} again",b\n'
    table = table_of(content, validation="text,label\n,a\n", test="text,label\n,a\n")
    assert list(table.documents("train")) == [Document(text, 0), Document(f"{text} again", 1)]


@pytest.mark.parametrize("line", ["sep=,", "\ufeffsep=,\r", '"sep=,"', "SEP=,", "sep=;"])
def test_excels_line_that_names_the_separator_is_skipped(line: str) -> None:
    assert table_of(f"{line}\ntext,label\na,x\nb,y\n").labels == ("x", "y")
    with pytest.raises(DataError, match="line 4: label is empty"):
        _ = table_of(f"{line}\ntext,label\na,x\nb,\n").labels
    with pytest.raises(DataError, match=r"line 2: .* separated by semicolons: save it with commas"):
        _ = table_of(f"{line}\ntext;label\na;x\n").labels


def test_copies_of_a_text_stay_in_one_split() -> None:
    chance = random.Random(3)
    texts = [f"Title  {chance.randrange(60)}" if i % 2 else f"title {i % 60}" for i in range(240)]
    rows = "".join(f"{text},{chance.choice('ab')}\n" for text in texts)
    table = table_of(f"text,label\n{rows}")
    found = {
        split: [" ".join(d.text.lower().split()) for d in table.documents(split)] for split in table.splits
    }
    assert 20 <= len(found["validation"]) <= 24
    assert 20 <= len(found["test"]) <= 24
    for one, other in combinations(found.values(), 2):
        assert not set(one) & set(other)
    (warning,) = table.warnings()
    repeated = 240 - len({text for copies in found.values() for text in copies})
    assert warning.startswith(f"{repeated} of the 240 rows")


def test_a_class_with_too_few_texts_is_held_out_with_a_warning() -> None:
    table = table_of("text,label\n" + "bad,neg\ngood,pos\n" * 10)
    assert [len(list(table.documents(split))) for split in table.splits] == [16, 2, 2]
    assert any("2 of the 2 test texts are in train" in warning for warning in table.warnings())


def test_copies_across_given_files_are_counted() -> None:
    table = table_of(
        "text,label\na fine film,x\na dull film,y\nanother,x\n",
        validation="text,label\nunseen,x\n",
        test="text,label\nA fine film ,x\na dull film,x\nnew,y\n",
    )
    (warning,) = table.warnings()
    assert "2 of the 3 test texts are in train" in warning


def test_spellings_of_one_number_are_one_class() -> None:
    labels = [0, 1, 0.0, 1.0, "+1", " 0 ", "1e0"] * 4
    content = "\n".join(json.dumps({"text": f"t{i}", "label": label}) for i, label in enumerate(labels))
    test = "text,label\na,1.00\nb,0\nc,00\nd,1.0\n"
    table = table_of(content, "x.jsonl", test=test)
    assert table.labels == ("0", "1")
    assert [document.label for document in table.documents("test")] == [1, 0, 0, 1]
    assert "'0' (8), '0.0' (4)" in " ".join(table.warnings())
    apart = table_of(content, "x.jsonl", test=test, labels=["0", "1", "1.0"])
    assert [document.label for document in apart.documents("test")] == [1, 0, 0, 2]


def test_numbers_that_are_spelt_in_one_way_keep_their_spelling() -> None:
    table = table_of(labelled(["0.0", "1.0"], 20))
    assert table.labels == ("0.0", "1.0")
    assert table.warnings() == []


def test_what_no_one_can_see_parts_no_classes() -> None:
    table = table_of(labelled(["very good", " very  good", "very\u00a0good", "very good\u200b", "bad"], 40))
    assert table.labels == ("bad", "very good")


@pytest.mark.parametrize(
    ("labels", "warned"),
    [
        (("negative", "Negative", "positive"), {"'negative' (5)", "'Negative' (5)"}),
        (("very good", "very_good", "bad"), {"'very good' (5)", "'very_good' (5)"}),
        (("good.", "good", "bad"), {"'good.' (5)", "'good' (5)"}),
        (("positive", "postive", "negative"), {"'positive' (5)", "'postive' (5)"}),
        (("positive", "positvie", "negative"), {"'positive' (5)", "'positvie' (5)"}),
        (("true", "True", "false"), {"'true' (5)", "'True' (5)"}),
    ],
)
def test_names_that_a_person_would_call_equal_are_warned_of(
    labels: tuple[str, ...], warned: set[str]
) -> None:
    (warning,) = table_of(labelled(labels, 15)).warnings()
    assert set(re.findall(r"'[^']*' \(\d\)", warning)) == warned


@pytest.mark.parametrize(
    "labels",
    [
        ("C++", "C", "C#"),
        ("A", "A-", "B"),
        ("1", "-1", "0"),
        ("1-2", "12", "3"),
        ("typical", "atypical", "other"),
        ("star1", "star2", "star3"),
    ],
)
def test_names_of_different_meaning_are_not_warned_of(labels: tuple[str, ...]) -> None:
    assert table_of(labelled(labels, 15)).warnings() == []


@pytest.mark.parametrize(
    "missing",
    [
        "nan",
        "NaN",
        "None",
        "NULL",
        "n/a",
        "NA",
        "N.A.",
        "<NA>",
        "#N/A",
        "(null)",
        "\\N",
        " \t",
        "\u00a0",
        "?",
    ],
)
def test_a_missing_label_is_missing_in_every_spelling(missing: str) -> None:
    with pytest.raises(DataError, match=r"line 3: label is .*so there is no label"):
        _ = table_of(f'text,label\na,x\nb,"{missing}"\nc,y\n').labels
    for value in {json.dumps(missing), "NaN", "null"}:
        content = f'{{"text": "a", "label": 1}}\n{{"text": "b", "label": {value}}}\n'
        with pytest.raises(DataError, match=r"line 2: label is .*so there is no label"):
            _ = table_of(content, "x.jsonl").labels


def test_a_dash_among_words_is_asked_about() -> None:
    (warning,) = table_of(labelled(("good", "bad", "-"), 15)).warnings()
    assert "Does the label '-' (5) say that there is none?" in warning
    assert table_of(labelled(("+", "-"), 10)).warnings() == []


def test_a_class_called_none_has_to_be_named() -> None:
    content = labelled(["some", "none"], 20)
    with pytest.raises(
        DataError, match=r"If 'none' is a class, name all classes: data\.corpus\.labels=\[none,"
    ):
        _ = table_of(content).labels
    table = table_of(content, labels=["none", "some"])
    assert {document.label for document in table.documents("train")} == {0, 1}


def test_columns_beside_text_and_label_may_share_a_name() -> None:
    assert table_of(",,text,label\n0,0,a,x\n1,1,b,y\n").labels == ("x", "y")
    assert told_apart(["a", "a_2", "a"]) == ["a", "a_2", "a_3"]


def test_a_number_of_too_many_digits_is_no_json() -> None:
    with pytest.raises(DataError, match="line 1: not a line of JSON"):
        _ = table_of('{"text": "a", "label": ' + "1" * 5000 + "}\n", "x.jsonl").labels
