"""Sound out of files, log-mel features beside SciPy's, what augmentation draws."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import get_window, resample_poly, spectrogram

from rnnlab.corpora.recordings import Recordings, listed_files
from rnnlab.corpora.sound import Sound, sound_of
from rnnlab.corpora.touch_tones import TouchTones
from rnnlab.errors import ConfigError, DataError
from rnnlab.signals.augmentation import Augmentation
from rnnlab.signals.kept_sound import at_speed
from rnnlab.signals.log_mel import LogMel, stacked, steps_of

SAMPLES = np.random.default_rng(1).standard_normal(8000).astype(np.float32) * 0.1


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def sphere(samples: np.ndarray, order: str = "01") -> bytes:
    header = (
        f"NIST_1A\n   1024\nsample_count -i {len(samples)}\nsample_rate -i 8000\nchannel_count -i 1\n"
        f"sample_n_bytes -i 2\nsample_byte_format -s2 {order}\nend_head\n"
    )
    kind = "<i2" if order == "01" else ">i2"
    return header.encode().ljust(1024, b" ") + samples.astype(kind).tobytes()


def test_features_are_those_of_scipy() -> None:
    log_mel = LogMel(8000, bands=23, pre_emphasis=0.9)
    emphasized = SAMPLES.astype(np.float64)
    emphasized = emphasized - 0.9 * np.concatenate((emphasized[:1], emphasized[:-1]))
    window = get_window("hann", log_mel.width)
    hertz, _, power = spectrogram(
        emphasized,
        8000,
        window,
        log_mel.width,
        log_mel.width - log_mel.step,
        log_mel.size,
        detrend=False,
        scaling="spectrum",
        mode="psd",
    )
    power[1:-1] /= 2  # SciPy adds the negative frequencies
    power *= window.sum() ** 2
    mel = 2595 * np.log10(1 + hertz / 700)
    corners = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), 25)
    edges = 700 * (10 ** (corners / 2595) - 1)
    triangles = np.array([np.interp(hertz, edges[n : n + 3], [0, 1, 0], 0, 0) for n in range(23)])
    assert mel[-1] == pytest.approx(corners[-1])
    expected = np.log(triangles @ power).T
    found = log_mel(SAMPLES)
    assert found.shape == expected.shape == (log_mel.frames_of(len(SAMPLES)), 23)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("together", [1, 7, 98])
def test_a_long_sound_is_heard_in_parts(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log_mel = LogMel(8000, bands=23)
    whole = log_mel(SAMPLES)
    monkeypatch.setattr("rnnlab.signals.log_mel.TOGETHER", together)
    np.testing.assert_allclose(log_mel(SAMPLES), whole, atol=1e-5)


def test_bands_that_can_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ConfigError, match="can't tell so many apart"):
        LogMel(8000, bands=200)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_frames_side_by_side_lose_none(frames: int) -> None:
    given = np.arange(1, frames * 2 + 1, dtype=np.float32).reshape(frames, 2)
    found = stacked(given, 3, 2)
    assert found.shape == (steps_of(frames, 2), 6)
    for step, row in enumerate(found):
        own = given[2 * step : 2 * step + 3].ravel()
        assert row.tolist() == [*own.tolist(), *[0.0] * (6 - len(own))]


def test_a_speed_resamples() -> None:
    faster = at_speed(Sound(SAMPLES, 8000), 1.1)
    np.testing.assert_allclose(faster.samples, resample_poly(SAMPLES, 10, 11), atol=1e-5)
    assert at_speed(Sound(SAMPLES, 8000), 1.0).samples is SAMPLES


def test_augmentation_is_what_its_generator_draws() -> None:
    augmentation = Augmentation(speeds=(0.9, 1.0), band_masks=2, time_masks=2, noise=(0, 10))
    frames = np.random.default_rng(2).standard_normal((100, 30)).astype(np.float32)

    def drawn(seed: int) -> np.ndarray:
        chance = np.random.default_rng(seed)
        return augmentation.masked(augmentation.noisy(frames, chance), chance)

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    assert Augmentation().noisy(frames, np.random.default_rng(1)) is frames


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.uint8])
def test_every_kind_of_wav_is_from_minus_one_to_one(kind: type) -> None:
    scale = {np.int16: 2**15, np.int32: 2**31, np.float32: 1, np.uint8: 2**7}[kind]
    middle = 128 if kind is np.uint8 else 0
    found = sound_of(wav((SAMPLES * scale + middle).astype(kind)), "a.wav")
    np.testing.assert_allclose(found.samples, SAMPLES, atol=0.01 if kind is np.uint8 else 1e-4)


@pytest.mark.parametrize("order", ["01", "10"])
def test_sphere_and_stereo(order: str) -> None:
    whole = (SAMPLES * 32768).astype(np.int16)
    np.testing.assert_allclose(sound_of(sphere(whole, order), "a").samples, whole / 32768, atol=1e-6)
    both = np.stack((whole, np.zeros_like(whole)), axis=1)
    np.testing.assert_allclose(sound_of(wav(both), "a").samples, whole / 65536, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(np.zeros(0, np.int16)), "no sound"),
        (wav((SAMPLES * 32768).astype(np.int16))[:-100], "cut short"),
        (sphere((SAMPLES * 32768).astype(np.int16))[:-100], "cut short"),
        (b"NIST_1A\n   1024\nnothing", "header"),
        (b"RIFF\x00\x00\x00\x00WAVE", "no sound|damaged"),
        (wav(np.full(100, np.nan, np.float32)), "no numbers"),
        (b"some text", "no recording that can be read, or is damaged: Format"),
    ],
)
def test_a_damaged_recording_is_named(content: bytes, message: str) -> None:
    pytest.importorskip("soundfile")
    with pytest.raises(DataError, match=rf"hello\.wav.*({message})"):
        sound_of(content, "hello.wav")


def table(folder: Path, *rows: str) -> Recordings:
    (folder / "a.wav").write_bytes(wav((SAMPLES * 32768).astype(np.int16)))
    file = folder / "list.csv"
    file.write_text("\n".join(["path,transcript,speaker", *rows]) + "\n", encoding="utf-8")
    return Recordings(str(file), alphabet="abc'")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.wav,a b,x", "a.wav,,y"], "line 3.*empty"),
        (["a.wav,a b,x", "a.wav,d,y"], "line 3.*'d'.*alphabet"),
        ([f"{n}.wav,a,x" for n in range(12)], "12 recordings are missing.*9.wav and 2 more"),
        (["a.wav,a b,x"], "validation split has no recordings"),
        ([",a,x"], "line 2.*no path"),
    ],
)
def test_a_list_of_recordings_is_checked(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, *rows).utterances("train")


def test_speakers_are_in_one_split(tmp_path: Path) -> None:
    corpus = table(tmp_path, *(f"a.wav,a {'b' * (n + 1)},speaker{n % 10}" for n in range(40)))
    speakers = [{said.speaker for said in corpus.utterances(split)} for split in corpus.splits]
    assert all(speakers)
    assert sum(map(len, speakers)) == len(set().union(*speakers))
    before = corpus.fingerprint
    (tmp_path / "a.wav").write_bytes(wav((SAMPLES[::-1] * 32768).astype(np.int16)))
    assert Recordings(str(tmp_path / "list.csv"), alphabet="abc'").fingerprint != before


def test_what_a_path_means(tmp_path: Path) -> None:
    table(tmp_path, "a.wav,a,x")
    assert [name for name, _ in listed_files(tmp_path)] == ["a.wav"]
    assert [name for name, _ in listed_files(tmp_path / "list.csv")] == ["a.wav"]
    with pytest.raises(DataError, match="no recording"):
        listed_files(tmp_path / "b.wav")


def test_tones_follow_from_the_seed() -> None:
    one, other, third = TouchTones(train=3), TouchTones(train=3), TouchTones(train=3, seed=1)
    sounds = [next(iter(corpus.sounds("train"))).samples for corpus in (one, other, third)]
    assert np.array_equal(sounds[0], sounds[1])
    assert one.fingerprint == other.fingerprint != third.fingerprint
    with pytest.raises(ConfigError, match="longest=0"):
        TouchTones(longest=0)
