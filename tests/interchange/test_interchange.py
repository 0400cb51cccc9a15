"""Networks from Keras and from plain PyTorch modules, and back: equal answers; what is none is refused."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnnlab.encoder.foreign_weights import from_keras, from_state_dict, read_foreign, read_state_dict
from rnnlab.errors import ConfigError, RnnlabError, RunError
from rnnlab.files.keras_file import KerasLayer, write_keras
from rnnlab.runs.load import load
from rnnlab.tasks.from_weights import FromWeights
from rnnlab.tasks.sentiment.exports import keras_layers
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.task import evaluating
from rnnlab.training.train import train
from tests.runs.conftest import SMALL
from tests.runs.conftest import command as command  # the fixture
from tests.training.conftest import write_reviews

Arrays = list[np.ndarray[Any, np.dtype[np.float32]]]
WORDS, SIZE, UNITS = 11, 3, 4
BLOCKS = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
CELLS = {"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
IDS = np.random.default_rng(5).integers(WORDS, size=(6, 7))


@pytest.fixture(scope="session")
def h5py() -> None:
    pytest.importorskip("h5py", reason="h5py is not installed: pip install 'rnnlab[keras]'")


def weights_of(kind: str, inputs: int = SIZE, seed: int = 1) -> Arrays:
    draw = np.random.default_rng(seed)
    rows = BLOCKS[kind] * UNITS
    bias = (2, rows) if kind == "GRU" else (rows,)
    return [draw.normal(size=shape).astype(np.float32) for shape in ((inputs, rows), (UNITS, rows), bias)]


def program(kind: str, **options: Any) -> list[KerasLayer]:
    """Return the layers of the textbook program."""
    draw = np.random.default_rng(2)
    embedding, readout = draw.normal(size=(WORDS, SIZE)), draw.normal(size=(UNITS, 1))
    return [
        KerasLayer("Embedding", {"input_dim": WORDS, "output_dim": SIZE}, [embedding.astype(np.float32)]),
        KerasLayer(kind, {"units": UNITS, **options}, weights_of(kind)),
        KerasLayer(
            "Dense", {"units": 1, "activation": "sigmoid"}, [readout.astype(np.float32), np.float32([0.3])]
        ),
    ]


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def by_the_equations(layers: list[KerasLayer], ids: Any) -> Any:
    """Return Keras's answers, from the equations in its documentation, in float64."""
    embedding, recurrent, dense = layers
    kernel, recurrent_kernel, bias = (weight.astype(np.float64) for weight in recurrent.weights)
    hidden = memory = np.zeros((len(ids), UNITS))
    for step in embedding.weights[0].astype(np.float64)[ids].transpose(1, 0, 2):
        if recurrent.kind == "GRU":
            given, own = step @ kernel + bias[0], hidden @ recurrent_kernel + bias[1]
            (z, r, n), (own_z, own_r, own_n) = (np.split(part, 3, axis=1) for part in (given, own))
            update, reset = sigmoid(z + own_z), sigmoid(r + own_r)
            hidden = update * hidden + (1 - update) * np.tanh(n + reset * own_n)
        elif recurrent.kind == "LSTM":
            i, f, c, o = np.split(step @ kernel + hidden @ recurrent_kernel + bias, 4, axis=1)
            memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(c)
            hidden = sigmoid(o) * np.tanh(memory)
        else:
            hidden = np.tanh(step @ kernel + hidden @ recurrent_kernel + bias)
    return sigmoid(hidden @ dense.weights[0] + dense.weights[1])[:, 0]


def classifier(file: Path, **model: Any) -> SentimentClassifier:
    """Return the classifier that a file's network is taken into, as a training does it."""
    start = FromWeights(file)
    source = start.read(file)
    plain = {"model": {"backend": "torch"}, "task": {"embedding_size": 1, "pooling": "mean"}}
    config = start.adopted(plain, source, ())
    task = SentimentClassifier(
        model={**config["model"], **model}, vocabulary_size=WORDS, labels=("bad", "good"), **config["task"]
    )
    vocabulary = type("Vocabulary", (), {"tokens": tuple(map(str, range(WORDS)))})
    start.take(task, source, type("Data", (), {"encoded": type("Encoded", (), {"vocabulary": vocabulary})}))
    return task


def answers(task: SentimentClassifier, ids: Any) -> Any:
    with evaluating(task):
        logits = task(torch.from_numpy(ids), torch.full((len(ids),), ids.shape[1]))
        return task.probabilities(logits)[:, 1].numpy()


@pytest.mark.usefixtures("h5py")
@pytest.mark.parametrize("kind", BLOCKS)
def test_a_keras_file_answers_as_keras_documents_it(kind: str, tmp_path: Path) -> None:
    layers = program(kind)
    write_keras(tmp_path / "model.keras", layers)
    task = classifier(tmp_path / "model.keras")
    assert task.encoder.cell.name == CELLS[kind]
    np.testing.assert_allclose(answers(task, IDS), by_the_equations(layers, IDS), atol=1e-5)
    back = keras_layers(task)
    np.testing.assert_allclose(by_the_equations(back, IDS), by_the_equations(layers, IDS), atol=1e-6)


@pytest.mark.usefixtures("h5py")
@pytest.mark.parametrize("kind", BLOCKS)
def test_keras_itself_answers_equally(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained there and asked here; written here and asked there, two layers and both directions, too."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")
    layer = getattr(keras.layers, kind)
    rows: list[Any] = [keras.layers.Embedding(WORDS, SIZE)]
    both = keras.layers.Bidirectional
    deep = [both(layer(UNITS, return_sequences=True)), keras.layers.Dropout(0.5), both(layer(UNITS))]
    for model in ([*rows, layer(UNITS)], [*rows, *deep]):
        there = keras.Sequential([*model, keras.layers.Dense(1, activation="sigmoid")])
        there.compile("rmsprop", "binary_crossentropy")
        there.fit(IDS, np.arange(len(IDS)) % 2, epochs=2, verbose=0)
        there.save(tmp_path / "there.keras")
        task = classifier(tmp_path / "there.keras")
        told = np.asarray(there.predict(IDS, verbose=0))[:, 0]
        np.testing.assert_allclose(answers(task, IDS), told, atol=1e-5)
        write_keras(tmp_path / "back.keras", keras_layers(task))
        again = keras.saving.load_model(tmp_path / "back.keras")
        np.testing.assert_allclose(np.asarray(again.predict(IDS, verbose=0))[:, 0], told, atol=1e-5)


@pytest.mark.parametrize("module", [nn.RNN, nn.GRU, nn.LSTM])
def test_state_dicts_come_in_and_go_out(module: type[nn.RNNBase], tmp_path: Path) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(WORDS, SIZE)
            self.body = module(SIZE, UNITS, num_layers=2, bidirectional=True, batch_first=True)
            self.fc = nn.Linear(2 * UNITS, 1)

        def forward(self, ids: Tensor) -> Tensor:
            outputs, _ = self.body(self.emb(ids))
            ends = torch.cat([outputs[:, -1, :UNITS], outputs[:, 0, UNITS:]], dim=1)
            return torch.sigmoid(self.fc(ends))[:, 0]

    own = Own()
    torch.save(own.state_dict(), tmp_path / "own.pt")
    starting = FromWeights(tmp_path / "own.pt")
    config = {"model": {}, "task": {"pooling": "mean_max", "embedding_size": 1}}
    source = starting.read(tmp_path / "own.pt")
    assert starting.adopted(config, source, ())["task"] == {"pooling": "last", "embedding_size": SIZE}
    assert starting.adopted(config, source, ("task.pooling",))["task"]["pooling"] == "mean_max"
    task = classifier(tmp_path / "own.pt")
    expected = own(torch.from_numpy(IDS)).detach().numpy()
    with_last = SentimentClassifier(
        model={
            "_target_": "rnnlab.encoder.recurrent.RecurrentEncoder",
            "backend": "torch",
            **read_foreign(tmp_path / "own.pt").model,
        },
        vocabulary_size=WORDS,
        labels=("bad", "good"),
        embedding_size=SIZE,
        pooling="last",
    )
    with_last.load_state_dict(task.state_dict(), strict=False)
    np.testing.assert_allclose(answers(with_last, IDS), expected, atol=1e-5)
    out = {k.removeprefix("encoder.network."): v for k, v in task.state_dict().items() if ".network." in k}
    own.body.load_state_dict(out)
    torch.testing.assert_close(own(torch.from_numpy(IDS)).detach().numpy(), expected)


@pytest.mark.usefixtures("h5py")
def test_a_training_starts_from_it_and_the_words_beside_it(tmp_path: Path, monkeypatch: Any) -> None:
    layers = program("GRU")
    write_keras(tmp_path / "model.keras", layers)
    table = write_reviews(tmp_path / "reviews.csv", count=40)
    monkeypatch.chdir(tmp_path)
    quick = [word for word in SMALL if not word.startswith(("model.", "task."))]
    words = [*quick, "data=csv", f"data.corpus.train={table}", "init_from=model.keras", "optimizer.lr=1e-12"]
    words += ["trainer.max_epochs=1", "data.vocabulary.min_frequency=1", "model.backend=torch"]
    with pytest.raises(ConfigError, match=r"has 11 rows, the vocabulary .* model\.txt"):
        train(words)
    texts = ["[pad]", "of", "and", *map(str, range(WORDS - 3))]
    (tmp_path / "model.txt").write_text("\n".join(texts), encoding="utf-8")
    model = load(train(words))
    row = model.vocabulary.id_of("and")
    task = model.task
    assert isinstance(task, SentimentClassifier)
    np.testing.assert_allclose(task.embedding.weight[row].detach(), layers[0].weights[0][2], atol=1e-5)
    assert task.encoder.hidden_size == UNITS
    assert model.config["task"]["pooling"] == "last"
    assert model.predict(["and of"])


@pytest.mark.usefixtures("h5py")
def test_the_export_is_read_back(tmp_path: Path, command: Callable[..., int], monkeypatch: Any) -> None:
    table = write_reviews(tmp_path / "reviews.csv", count=40)
    monkeypatch.chdir(tmp_path)
    words = [*SMALL, "data=csv", f"data.corpus.train={table}", "trainer.max_epochs=1", "task.pooling=max"]
    run = train([*words, "model.backend=torch", "model.bidirectional=true"])
    assert command("export", f"run={run}", "format=keras", "output=film.keras") == 0
    found = read_foreign(tmp_path / "film.keras")
    assert found.pooling == "max"
    own = load(run).task.state_dict()
    torch.testing.assert_close(
        found.recurrent["weight_hh_l0_reverse"], own["encoder.network.weight_hh_l0_reverse"]
    )


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("GRU", {"reset_after": False}, "reset_after=True"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "recurrent_activation=sigmoid"),
        ("SimpleRNN", {"activation": "elu"}, "activation=tanh or relu"),
        ("SimpleRNN", {"go_backwards": True}, "go_backwards=False"),
    ],
)
def test_what_pytorch_computes_otherwise_is_refused(kind: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(RunError, match=told):
        from_keras(program(kind, **options), Path("model.keras"))


def test_other_layers_are_named() -> None:
    layers = program("LSTM")
    layers.insert(1, KerasLayer("Conv1D", {}, []))
    with pytest.raises(RunError, match="its layer Conv1D"):
        from_keras(layers, Path("model.keras"))


def replaced(file: Path, name: str, content: bytes) -> Path:
    """Write a file with another part in place of one."""
    with zipfile.ZipFile(file) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    parts[name] = content
    with zipfile.ZipFile(file, "w") as archive:
        for part, own in parts.items():
            archive.writestr(part, own)
    return file


def linked_outside() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers/embedding/vars")["0"] = h5py.ExternalLink("/etc/passwd", "/")
    return buffer.getvalue()


def packed() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/embedding/vars/0", (1 << 20, 1 << 10), dtype="f4", compression="gzip")
    return buffer.getvalue()


def without_a_matrix() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/embedding/vars/0"] = np.zeros((3, 2), np.float32)
        file["layers/gru/cell/vars/0"] = np.zeros(3, np.float32)
    return buffer.getvalue()


def of_words() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/embedding/vars/0"] = np.array([b"words"])
    return buffer.getvalue()


@pytest.mark.usefixtures("h5py")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b'{"class_name": "Sequential", "config": {"layers": 3}}'),
        ("config.json", json.dumps({"class_name": "Own", "config": {"layers": []}}).encode()),
        ("model.weights.h5", b"no HDF5"),
        ("model.weights.h5", linked_outside),
        ("model.weights.h5", of_words),
        ("model.weights.h5", packed),
        ("model.weights.h5", without_a_matrix),
    ],
)
def test_damaged_keras_files_are_refused(name: str, content: Any, tmp_path: Path) -> None:
    write_keras(tmp_path / "model.keras", program("GRU"))
    file = replaced(tmp_path / "model.keras", name, content() if callable(content) else content)
    with pytest.raises(RnnlabError):
        read_foreign(file)


@pytest.mark.usefixtures("h5py")
def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for name in ("none.keras", "none.pt"):
        with pytest.raises(RunError, match="no file"):
            read_foreign(tmp_path / name)
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(RunError):
            read_foreign(tmp_path / name)
    torch.save({"code": print}, tmp_path / "code.pt")
    with pytest.raises(RunError, match="more than tensors"):
        read_state_dict(tmp_path / "code.pt")
    with pytest.raises(RunError, match="no weight_ih_l0"):
        from_state_dict(nn.Linear(3, 3).state_dict(), tmp_path / "linear.pt")
