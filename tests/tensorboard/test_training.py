"""What a training writes to TensorBoard, and that nothing else changes by it."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from rnnlab.errors import ConfigError
from rnnlab.files.event_file import curves_in
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.tensorboard import summary
from tests.tensorboard.conftest import Twins, train


def events_of(run: Path) -> EventAccumulator:
    sizes = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(run), size_guidance=sizes).Reload()


def text_of(events: EventAccumulator, tag: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in events.Tensors(f"{tag}/text_summary")]


def metrics_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


@pytest.mark.parametrize("task", ["sentiment", "language"])
def test_logging_changes_no_bit_of_the_training(task: str, request: pytest.FixtureRequest) -> None:
    runs: Twins = request.getfixturevalue(task)
    for name in ("best", "last"):
        one, other = (torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True) for run in runs)
        assert one["state_dict"].keys() == other["state_dict"].keys()
        for key, value in one["state_dict"].items():
            assert torch.equal(value, other["state_dict"][key]), key
    (random,) = (part for key, part in one["callbacks"].items() if "RandomStates" in key)
    (random_too,) = (part for key, part in other["callbacks"].items() if "RandomStates" in key)
    assert torch.equal(random["torch"], random_too["torch"])
    assert metrics_of(runs.logged)["test"] == metrics_of(runs.silent)["test"]


def test_without_a_logger_nothing_is_drawn(sentiment: Twins) -> None:
    assert not (sentiment.silent / "figures").exists()
    assert not list(sentiment.silent.rglob("events*"))


def test_scalars_come_in_groups(sentiment: Twins) -> None:
    events = events_of(sentiment.logged)
    tags = set(events.Tags()["scalars"])
    layers = ("embedding", "encoder.0", "classifier", "all")
    wanted = {
        *("curves/loss", "curves/accuracy", "final/test/accuracy"),
        *("step/loss", "step/tokens_per_second", "step/padding_share", "optimizer/learning_rate"),
        *(f"{kind}_norm/{layer}" for kind in ("gradient", "weight") for layer in layers),
    }
    assert wanted <= tags
    assert {tag.partition("/")[0] for tag in tags} <= {
        *("curves", "final", "step", "optimizer", "gradient_norm", "weight_norm")
    }
    steps = [event.step for event in events.Scalars("step/loss")]
    assert steps == [1, *range(2, steps[-1] + 1, 2)]
    for tag in tags:
        assert len({event.step for event in events.Scalars(tag)}) == len(events.Scalars(tag)), tag
    assert all(0 <= event.value < 1 for event in events.Scalars("step/padding_share"))
    assert any(event.value > 0 for event in events.Scalars("step/padding_share"))


def test_norms_are_those_of_the_checkpoint(sentiment: Twins) -> None:
    events = events_of(sentiment.logged)
    weights = torch.load(sentiment.logged / "checkpoints" / "last.ckpt", weights_only=True)
    norm, last = weights["state_dict"]["embedding.weight"].norm(), events.Scalars("weight_norm/embedding")[-1]
    assert weights["global_step"] - last.step < 2
    assert last.value == pytest.approx(float(norm), rel=0.02)


def test_hyperparameters_have_a_row_with_the_final_metrics(sentiment: Twins) -> None:
    events = events_of(sentiment.logged)
    metadata = events.summary_metadata["_hparams_/session_start_info"]
    row = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info
    assert row.hparams["model.hidden_size"].number_value == 8
    assert row.hparams["model.cell"].string_value == "gru"
    assert row.hparams["data.corpus.test"].string_value == "null" or "data.corpus.test" not in row.hparams
    assert "_hparams_/session_end_info" in events.summary_metadata
    assert "_hparams_/experiment" not in events.summary_metadata, "one run would name all runs' columns"
    metrics = metrics_of(sentiment.logged)
    for name, value in metrics["test"].items():
        (event,) = events.Scalars(f"final/test/{name}")
        assert event.value == pytest.approx(value)


def test_train_and_validation_share_a_chart(language: Twins) -> None:
    """One tag in two folders: TensorBoard draws each folder in a colour of its own, and this group first."""
    training, validation = events_of(language.logged), events_of(language.logged / "validation")
    metrics = metrics_of(language.logged)["validation"]
    assert set(validation.Tags()["scalars"]) == {f"curves/{name}" for name in metrics}
    assert {"curves/loss", "curves/perplexity"} <= set(training.Tags()["scalars"])
    groups = {tag.partition("/")[0] for tag in training.Tags()["scalars"]}
    assert min(groups) == "curves"
    assert training.Scalars("curves/loss") != validation.Scalars("curves/loss")


def test_norms_of_all_layers_share_a_chart(language: Twins) -> None:
    (event,) = events_of(language.logged).Tensors("custom_scalars__config__")
    layout: Any = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    assert [list(chart.multiline.tag) for chart in layout.category[0].chart] == [
        ["^gradient_norm/"],
        ["^weight_norm/"],
    ]


@pytest.mark.parametrize(("task", "metric"), [("sentiment", "accuracy"), ("language", "perplexity")])
def test_learning_curves_are_among_the_figures(
    task: str, metric: str, request: pytest.FixtureRequest
) -> None:
    figures = request.getfixturevalue(task).logged / "figures"
    assert {path.stem for path in figures.glob("curve_*.png")} == {"curve_loss", f"curve_{metric}"}


def test_a_run_from_before_goes_on_where_its_curves_are(tmp_path: Path, sentiment: Twins) -> None:
    run = shutil.copytree(sentiment.logged, tmp_path / "run")
    (run / "tensorboard").mkdir()
    assert RunFolder(run).curves == run / "tensorboard"
    for split in ("train", "validation"):
        with SummaryWriter(str(run / "tensorboard")) as writer:  # type: ignore[no-untyped-call]
            writer.add_scalar(f"{split}/loss", 0.5, 1)  # type: ignore[no-untyped-call]
    with SummaryWriter(str(run / "tensorboard" / "validation")) as writer:  # type: ignore[no-untyped-call]
        writer.add_scalar("curves/loss", 0.25, 2)  # type: ignore[no-untyped-call]
    curves, problems = curves_in(RunFolder(run).curves)
    assert not problems
    assert curves["validation/loss"].steps.tolist() == [1, 2]
    assert curves["train/loss"].values.tolist() == [0.5]


def test_the_run_is_told_in_words(sentiment: Twins) -> None:
    events = events_of(sentiment.logged)
    (configuration,) = text_of(events, "run/configuration")
    assert "    hidden_size: 8" in configuration
    (network,) = text_of(events, "run/network")
    assert "| embedding | WordEmbedding | weight" in network
    total = sum(
        value.numel()
        for key, value in torch.load(sentiment.logged / "checkpoints" / "best.ckpt", weights_only=True)[
            "state_dict"
        ].items()
        if not key.startswith("train_")
    )
    assert f"{total:,}" in network.splitlines()[-1]


def test_what_is_not_trained_is_said() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    network[0].requires_grad_(False)
    rows = summary(network).splitlines()
    assert "9 frozen" in rows[2]
    assert "frozen" not in "".join(rows[3:])


def test_a_sentiment_run_shows_where_it_is_wrong(sentiment: Twins) -> None:
    names = {
        *("confusion_validation", "confusion_test", "roc", "precision_recall"),
        *("reliability", "accuracy_by_length", "most_wrong"),
    }
    events = events_of(sentiment.logged)
    assert set(events.Tags()["images"]) == {f"figures/{name}" for name in names}
    for name in names:
        with Image.open(sentiment.logged / "figures" / f"{name}.png") as picture:
            assert len(picture.convert("L").getcolors() or []) > 10, name
        assert (sentiment.logged / "figures" / f"{name}.svg").read_text().rstrip().endswith("</svg>")
    (text,) = text_of(events, "errors/most_confidently_wrong")
    page = (sentiment.logged / "figures" / "most_wrong.html").read_text()
    assert text.count("#### ") == page.count("<h2>") <= 20
    assert "background: rgba(27, 120, 200" in page or text.count("#### ") == 0


def test_a_language_model_writes_after_each_validation(language: Twins) -> None:
    texts = text_of(events_of(language.logged), "samples/text")
    assert len(texts) == metrics_epochs(language.logged)
    assert all(text.startswith("the rose") for text in texts)
    assert not any("*blue*" in text.replace(r"\*", "") for text in texts)


def metrics_epochs(run: Path) -> int:
    return len(events_of(run / "validation").Scalars("curves/perplexity"))


def test_a_language_model_run_shows_what_is_hard(language: Twins) -> None:
    events = events_of(language.logged)
    assert set(events.Tags()["images"]) == {"figures/perplexity_by_frequency", "figures/most_surprising"}
    (text,) = text_of(events, "errors/most_surprising")
    assert "times in the training text" in text


@pytest.mark.parametrize(("task", "words"), [("sentiment", None), ("language", 5)])
def test_words_are_in_the_projector(task: str, words: int | None, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(task).logged
    with (folder / "projector" / "metadata.tsv").open(encoding="utf-8", newline="\n") as file:
        header, *rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    vectors = (folder / "projector" / "tensors.tsv").read_text().splitlines()
    assert len(rows) == len(vectors) > 4
    assert words is None or len(rows) == words
    assert header[:2] == ["word", "frequency"]
    assert {len(row) for row in rows} == {len(header)}
    counts = [int(row[1]) for row in rows[2:]]
    assert counts == sorted(counts, reverse=True)
    assert "projector/metadata.tsv" in (folder / "projector_config.pbtxt").read_text()


def test_polarity_is_what_the_model_says_of_the_word_alone(sentiment: Twins) -> None:
    import rnnlab

    with (sentiment.logged / "projector" / "metadata.tsv").open(encoding="utf-8") as file:
        header, *rows = [line.rstrip("\n").split("\t") for line in file]
    model = rnnlab.load(sentiment.logged)
    word, _, label, share = rows[5]
    assert header[3] == f"probability of {model.labels[1]}"
    (expected,) = model.predict_proba([word])
    assert float(share) == pytest.approx(float(expected[1]), abs=0.0006)
    assert label == model.labels[int(expected.argmax())]


def test_accumulating_gradients_writes_a_step_once(tmp_path: Path, sentiment: Twins) -> None:
    table = sentiment.logged.parents[1] / "reviews.csv"
    run = train(
        tmp_path,
        "accumulating",
        *("data=csv", f"data.corpus.train={table}", "data.vocabulary.min_frequency=1"),
        *("trainer.accumulate_grad_batches=3", "trainer.max_epochs=1", "logger.words=0"),
    )
    steps = [event.step for event in events_of(run).Scalars("step/loss")]
    assert steps == [1, 2, 4]
    assert not (run / "projector").exists()


def test_a_prompt_of_unknown_words_is_refused_before_training(tmp_path: Path) -> None:
    text = tmp_path / "roses.txt"
    text.write_text("\n".join(["the rose is red .", ""] * 60), encoding="utf-8")
    small = ("task=language_model", "data=text", f"data.corpus.train={text}", "batches.batch_size=4")
    with pytest.raises(ConfigError, match=r"logger\.prompt.*Zyzzyva"):
        train(tmp_path, "run", *small, "logger.prompt=Zyzzyva")
    assert not (tmp_path / "logs" / "run" / "config.yaml").exists()
