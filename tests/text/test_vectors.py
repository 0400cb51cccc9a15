import re
import ssl
import zipfile

import pytest
import torch

from rnnlab.errors import ConfigError, DataError
from rnnlab.text import vectors
from rnnlab.text.vectors import initial_embedding
from rnnlab.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<unk>", "<eos>", "film", "The", "unheard", "<pad>"])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("the 1 2 3\nfilm 4 5 6\nother 7 8 9\n")
    return path


def test_covered_words_take_their_vector_and_others_small_random_ones(file):
    weight, covered = initial_embedding(VOCABULARY, str(file), 3, seed=1)
    assert weight.shape == (6, 3)
    assert weight[2].tolist() == [4, 5, 6]
    assert weight[3].tolist() == [1, 2, 3]  # the one in lower case
    assert covered == 0.5
    others = weight[[0, 1, 4, 5]]
    assert others.abs().max() <= 0.1
    assert len(others.unique()) == others.numel()


def test_the_seed_fixes_the_random_ones(file):
    one, same, other = (initial_embedding(VOCABULARY, str(file), 3, seed=seed).weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one[4], other[4])
    assert torch.equal(one[2], other[2])


def test_the_two_symbols_are_never_pretrained(file):
    file.write_text("<unk> 1 1 1\n<eos> 1 1 1\nfilm 4 5 6\n")
    assert initial_embedding(VOCABULARY, str(file), 3, seed=1).weight[:2].abs().max() <= 0.1


def test_a_file_that_changed_is_read_again(file):
    initial_embedding(VOCABULARY, str(file), 3, seed=1)
    file.write_text("film 9 9 9 \nfurther 1 1 1\n")
    assert initial_embedding(VOCABULARY, str(file), 3, seed=1).weight[2].tolist() == [9, 9, 9]


def test_an_unchanged_file_is_read_once(file, monkeypatch):
    initial_embedding(VOCABULARY, str(file), 3, seed=1)
    monkeypatch.setattr(vectors, "written_beside", None)  # what is read anew is kept anew
    assert initial_embedding(VOCABULARY, str(file), 3, seed=1).covered == 0.5


def test_certificates_are_still_checked_afterwards(file):
    before = ssl._create_default_https_context
    initial_embedding(VOCABULARY, str(file), 3, seed=1)
    assert ssl._create_default_https_context is before


def test_another_dimension_is_refused(file):
    with pytest.raises(ConfigError, match="have 3 numbers, but the embedding has 4"):
        initial_embedding(VOCABULARY, str(file), 4, seed=1)


def test_an_unknown_name_is_refused():
    with pytest.raises(
        ConfigError, match=r"'glove\.6B\.10d' is neither a file .* Did you mean glove\.6B\.100d"
    ):
        initial_embedding(VOCABULARY, "glove.6B.10d", 10, seed=1)


@pytest.mark.parametrize("content", ["", "film one two three\n", "film 1 2 3\nthe 1 2\n"])
def test_a_file_that_holds_no_vectors_is_refused(file, content):
    file.write_text(content)
    for _ in range(2):
        with pytest.raises(DataError, match=r"tiny\.txt can't be read as word vectors"):
            initial_embedding(VOCABULARY, str(file), 3, seed=1)


def test_without_network_it_says_where_to_put_them(tmp_path, monkeypatch):
    def unreachable(url, *_, **__):
        assert url == "https://nlp.stanford.edu/data/glove.6B.zip"
        raise DataError("no route to host.")

    monkeypatch.setattr(vectors, "download", unreachable)
    place = re.escape(str(tmp_path / "data" / "vectors"))
    message = rf"no route to host\. Put glove\.6B\.50d\.txt, or glove\.6B\.zip, into {place}"
    with pytest.raises(DataError, match=message):
        initial_embedding(VOCABULARY, "glove.6B.50d", 50, seed=1)


@pytest.mark.parametrize("place", ["data", "cache"])
def test_published_vectors_are_taken_from_where_they_lie(tmp_path, place):
    folder = tmp_path / place / "vectors"
    folder.mkdir(parents=True)
    line = "film " + " ".join(["0.5"] * 50) + "\n"
    (folder / "glove.6B.50d.txt").write_text(line)
    assert initial_embedding(VOCABULARY, "glove.6B.50d", 50, seed=1).weight[2].tolist() == [0.5] * 50


def test_published_vectors_are_unpacked_from_their_archive(tmp_path):
    folder = tmp_path / "data" / "vectors"
    folder.mkdir(parents=True)
    line = "film " + " ".join(["0.25"] * 50) + "\n"
    with zipfile.ZipFile(folder / "glove.6B.zip", "w") as archive:
        archive.writestr("glove.6B.50d.txt", line)
    assert initial_embedding(VOCABULARY, "glove.6B.50d", 50, seed=1).weight[2].tolist() == [0.25] * 50
    assert [path.name for path in folder.iterdir()] == ["glove.6B.zip"]


def test_an_archive_without_the_vectors_is_refused(tmp_path):
    folder = tmp_path / "data" / "vectors"
    folder.mkdir(parents=True)
    (folder / "glove.6B.zip").write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"glove\.6B\.zip is no help: File is not a zip file\. Put"):
        initial_embedding(VOCABULARY, "glove.6B.50d", 50, seed=1)
    assert not (tmp_path / "cache" / "vectors" / "glove.6B.50d.txt").exists()


def test_fasttext_needs_no_archive(monkeypatch):
    def published(url, target, *, sha256, largest):
        assert url.startswith("https://")
        assert url.endswith("/wiki.en.vec")
        assert len(sha256) == 64
        target.parent.mkdir(parents=True)
        target.write_text("1 300\nfilm " + " ".join(["2"] * 300) + "\n")

    monkeypatch.setattr(vectors, "download", published)
    assert initial_embedding(VOCABULARY, "fasttext.en", 300, seed=1).weight[2].tolist() == [2] * 300
