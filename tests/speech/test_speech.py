"""task=speech through the front door: touch tones, trained for a second."""

import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

import rnnlab
from rnnlab.corpora.sound import Sound
from rnnlab.corpora.touch_tones import TouchTones
from rnnlab.errors import RunError
from rnnlab.runs.load import open_run
from rnnlab.tasks.speech.answers import WINDOW, TrainedSpeech
from rnnlab.tasks.speech.decoder import language_adviser
from rnnlab.tasks.task import evaluating
from rnnlab.training.fit import fit
from tests.runs.conftest import command as command  # the fixture
from tests.runs.conftest import composed_of

pytestmark = pytest.mark.drawn

SPEECH = [
    *("task=speech", "data=touch_tones", "data.corpus.train=40", "data.corpus.validation=8"),
    *("data.corpus.test=9", "data.corpus.longest=3", "tokenizer=whitespace", "batches.features.bands=20"),
    *(
        "batches.normalise=corpus",
        "batches.augmentation.speeds=[0.9,1.0]",
        "batches.augmentation.noise=[10,20]",
    ),
    *("batches.augmentation.time_masks=1", "batches.augmentation.band_masks=1", "batches.batch_size=8"),
    *("model.hidden_size=8", "model.backend=torch", "trainer=cpu", "trainer.max_epochs=2", "scheduler=none"),
    "optimizer.lr=0.01",
]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
def run(room: Path) -> Path:
    """A finished run of two epochs, and a folder of two recordings beside it."""
    fit(composed_of([*SPEECH, "logger=tensorboard"]), room / "run")
    corpus = TouchTones(test=2)
    (room / "sounds").mkdir()
    for number, sound in enumerate(corpus.sounds("test")):
        wavfile.write(room / "sounds" / f"{number}.wav", sound.rate, (sound.samples * 32767).astype(np.int16))
    return room / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> TrainedSpeech:
    found = rnnlab.load(run, device="cpu")
    assert isinstance(found, TrainedSpeech)
    return found


def test_it_scores_errors_beside_the_most_frequent_transcript(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["test"]) == {"loss", "wer", "cer", "ser"}
    assert metrics["monitor"] == "validation/wer"
    assert set(metrics["baselines"]["always the most frequent"]) == {"wer", "cer", "ser"}
    drawn = {file.stem for file in (run / "figures").glob("*.png")}
    assert {"errors_by_length", "spectrogram_recording1", "posterior_recording1"} <= drawn


def test_it_goes_on_bit_for_bit_with_augmentation(run: Path, room: Path) -> None:
    parts = room / "parts"
    fit(composed_of([*SPEECH, "logger=none", "trainer.max_epochs=1"]), parts)
    fit(composed_of([*SPEECH, "logger=none", f"resume={parts}"]), parts)
    weights = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (run, parts)
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_what_augmentation_draws_depends_on_no_batch_mate(run: Path, model: TrainedSpeech) -> None:
    from rnnlab.training.fit import assemble_data

    data = assemble_data(composed_of(SPEECH))
    data.prepare()
    loader = data.train_loader()
    loader.set_epoch(1)
    batch = next(iter(loader))
    for row, number in enumerate(batch.recordings.tolist()):
        alone = loader.steps(number, 1)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(batch.inputs[row, : len(alone)].numpy(), alone)
    assert not np.array_equal(loader.steps(0, 1), loader.steps(0, 2))  # type: ignore[attr-defined]


def test_evaluate_gives_the_figures_once_more_and_lists_errors(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", f"run={run}") == 0
    told = capsys.readouterr().out
    for words in ("digit for digit", "substitutions", "By speaker", "Worst recordings"):
        assert words in told
    beam = ["task.decoding.method=beam", "task.decoding.words=train", "task.decoding.lm=trigrams"]
    assert command("evaluate", f"run={run}", *beam, f"output={run / 'beam.json'}") == 0
    details = json.loads((run / "beam_curves" / "speech.json").read_text())
    assert len(next(iter(details.values()))["recordings"]) == 9


def test_files_folders_and_lists_are_answered(
    run: Path, room: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    sounds = room / "sounds"
    assert command("predict", f"run={run}", f"input={sounds / '0.wav'}") == 0
    assert "0.wav" in capsys.readouterr().out
    (room / "list.txt").write_text("sounds/1.wav\nsounds/0.wav\n")
    for source, names in (
        (sounds, ["0.wav", "1.wav"]),
        (room / "list.txt", ["sounds/1.wav", "sounds/0.wav"]),
    ):
        target = room / "told.jsonl"
        assert command("predict", f"run={run}", f"input={source}", f"output={target}", "overwrite=true") == 0
        rows = [json.loads(line) for line in target.read_text().splitlines()]
        assert [row["recording"] for row in rows] == names
        assert all(len(row["text"].split()) == len(row["starts"].split()) for row in rows)


def test_batch_mates_and_padding_change_no_letter(model: TrainedSpeech) -> None:
    sounds = [(str(n), sound) for n, sound in enumerate(TouchTones(test=12).sounds("test"))]
    together = list(model.transcribe(sounds))
    alone = [found for pair in sounds for found in model.transcribe([pair])]
    assert [found.text for found in together] == [found.text for found in alone]
    parts = [model.steps(sound) for _, sound in sounds]
    for one, other in zip(model.log_probabilities(parts), parts, strict=True):
        np.testing.assert_allclose(one, model.log_probabilities([other])[0], atol=1e-5)


@pytest.mark.parametrize("size", [37, 800, 10**6])
def test_a_stream_is_equal_to_the_whole(model: TrainedSpeech, size: int) -> None:
    sound = next(iter(TouchTones(test=1).sounds("test")))
    whole = model.log_probabilities([model.steps(sound)])[0]
    stream = model.stream()
    parts = [stream.add(sound.samples[at : at + size]) for at in range(0, len(sound.samples), size)]
    told = np.concatenate([*parts, stream.end()])
    np.testing.assert_allclose(told, whole, atol=1e-5)
    assert stream.text == model.task.decoder.text(whole)


def test_an_hour_is_listened_to_in_chunks(model: TrainedSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = next(iter(TouchTones(test=1).sounds("test")))
    whole = model.log_probabilities([model.steps(sound)])[0]
    monkeypatch.setattr("rnnlab.tasks.speech.answers.LONGEST", 0.3)
    np.testing.assert_allclose(model.log_probabilities([model.steps(sound)])[0], whole, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["predict", "text=a"], "can't tell classes"),
        (["predict", "input=nothing.wav"], "no recording"),
        (["predict", "input={run}", "horizon=3"], "output"),
        (["evaluate", "task.dropout=0.5"], "can't be asked with another"),
        (
            ["evaluate", "task.decoding.method=beam", "task.decoding.lm={run}"],
            "take one of task=language_model",
        ),
        (["evaluate", "data=rotten_tomatoes"], "has no recordings"),
        (["generate", "prompt=a"], "can't write"),
    ],
)
def test_what_can_not_be_is_refused_with_a_reason(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    script, *more = words
    assert command(script, f"run={run}", *(word.format(run=run) for word in more)) == 2
    assert reason in " ".join(capsys.readouterr().err.split())


def test_a_transcript_that_is_too_long_for_its_steps_is_named(tmp_path: Path) -> None:
    with pytest.raises(rnnlab.errors.DataError, match=r"fewer steps than CTC needs.*train 1"):
        fit(composed_of([*SPEECH, "tokenizer=char", "batches.stride=20"]), tmp_path / "run")


def test_a_text_of_both_directions_is_no_stream(room: Path) -> None:
    config = composed_of([*SPEECH, "logger=none", "model.bidirectional=true", "trainer.max_epochs=1"])
    fit(config, room / "both")
    with pytest.raises(RunError, match="bidirectional=false"):
        rnnlab.load(room / "both", device="cpu").stream()  # type: ignore[attr-defined]


def test_the_network_behind_the_features_leaves_as_onnx(
    run: Path, room: Path, model: TrainedSpeech, command: Callable[..., int]
) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    assert command("export", f"run={run}", "format=onnx", f"output={room / 'heard.onnx'}") == 0
    beside = json.loads((room / "heard.json").read_text())
    assert beside["symbols"] == list(model.task.spelling.symbols)
    assert beside["blank"] == len(beside["symbols"])
    parts = [model.steps(sound) for sound in TouchTones(test=3).sounds("test")]
    lengths = np.array([len(part) for part in parts])
    inputs = np.zeros((3, lengths.max(), parts[0].shape[1]), dtype=np.float32)
    for row, part in zip(inputs, parts, strict=True):
        row[: len(part)] = part
    graph = onnx.load(room / "heard.onnx").graph
    assert {constant.name for constant in graph.initializer} <= {
        name for node in graph.node for name in node.input
    }
    session = runtime.InferenceSession(str(room / "heard.onnx"), providers=["CPUExecutionProvider"])
    (told,) = session.run(None, {"inputs": inputs, "lengths": lengths})
    for row, expected in zip(told, model.log_probabilities(parts), strict=True):
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-5)


@pytest.fixture(scope="module")
def language(run: Path, room: Path) -> Path:
    """A language model of the same transcripts, in the same words."""
    words = ["task=language_model", "baselines=false", "trainer=cpu", "trainer.max_epochs=1", "logger=none"]
    size = ["task.embedding_size=8", "model.hidden_size=8", "model.backend=torch", "batches.batch_size=4"]
    fit(composed_of([*words, *size, *SPEECH[1:7]]), room / "language")
    return room / "language"


def test_a_language_model_of_this_project_decides_too(
    run: Path, language: Path, model: TrainedSpeech, command: Callable[..., int]
) -> None:
    opened = open_run(language)
    spelling = model.task.spelling
    adviser = language_adviser(opened, 0.7, spelling)
    text = tuple(spelling.symbols.index(word) for word in ("one", "two", "two"))
    told = sum(float(adviser.advice([text[:n]])[0, text[n]]) for n in range(3))
    told += float(adviser.endings([text])[0])
    ids = [opened.vocabulary.id_of(word) for word in ("<eos>", "one", "two", "two", "<eos>")]
    with evaluating(opened.task):
        hidden, _ = opened.task(torch.tensor([ids[:-1]]), None)
        expected = opened.task.decoder.log_probabilities(hidden[0])[range(4), ids[1:]].sum()
    assert told == pytest.approx(0.7 * expected.item(), abs=1e-4)
    beam = ["task.decoding.method=beam", f"task.decoding.lm={language}", f"output={run / 'advised.json'}"]
    assert command("evaluate", f"run={run}", "split=test", *beam) == 0


def test_no_more_recordings_are_held_than_are_looked_at_together(model: TrainedSpeech) -> None:
    alive, most = 0, 0
    tone = next(iter(TouchTones(test=1).sounds("test"))).samples[:2000]

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def sounds() -> Iterator[tuple[str, Sound]]:
        nonlocal alive, most
        for number in range(1000):
            samples = tone.copy()
            weakref.finalize(samples, gone)
            alive += 1
            most = max(most, alive)
            yield str(number), Sound(samples, 8000)

    told = [found.name for found in model.transcribe(sounds())]
    assert told == [str(number) for number in range(1000)]
    assert most <= 2 * WINDOW


def test_another_rate_is_resampled_and_said_once(
    model: TrainedSpeech, caplog: pytest.LogCaptureFixture
) -> None:
    sound = next(iter(TouchTones(test=1).sounds("test")))
    twice = Sound(np.repeat(sound.samples, 2), 16_000)
    told = list(model.transcribe([("a", twice), ("b", sound), ("c", twice)]))
    assert [found.seconds for found in told] == [sound.seconds] * 3
    assert [record.getMessage() for record in caplog.records if "resampled" in record.getMessage()] == [
        "The recordings: some have 16,000 samples a second; they are resampled to 8,000."
    ]


def test_a_model_that_reads_text_does_not_listen(
    run: Path, language: Path, room: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", f"run={language}", f"input={room / 'sounds' / '0.wav'}", "output=a.csv") == 2
    assert "speech" in capsys.readouterr().err
