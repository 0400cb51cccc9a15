"""The language model in training: its state, its dropout, its optimizers, its resume."""

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from rnnlab.data.streams import StreamBatch
from rnnlab.errors import ConfigError, RnnlabError
from rnnlab.tasks.language_model.task import LanguageModel
from tests.language.streams import GRU, MEMORYLESS, Memoryless, language_model, loader, scores, trainer

AWD = {
    "_target_": "rnnlab.encoder.regularised.RegularisedEncoder",
    **{
        "cell": "lstm",
        "hidden_size": 6,
        "layers": 2,
        "output_size": 8,
        "dropout": 0.2,
        "weight_dropout": 0.2,
    },
}


class States(lightning.Callback):
    """Notes the state that each window starts from."""

    def __init__(self, model: LanguageModel) -> None:
        self.seen: list[tuple[str, bool]] = []
        encoder, forward = model.encoder, model.encoder.forward  # type: ignore[attr-defined]

        def noted(inputs: Any, lengths: Any = None, state: Any = None) -> Any:
            assert state is None or not any(part.requires_grad for part in state)
            self.seen.append(("train" if model.training else "validation", state is None))
            return forward(inputs, lengths, state)

        encoder.forward = noted  # type: ignore[attr-defined]


def test_a_full_softmax_over_very_many_words_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rnnlab.tasks.language_model.task.LARGE_VOCABULARY", 11)
    language_model(head="adaptive", cutoffs=[4]).setup("fit")
    language_model().setup("test")
    assert not caplog.text
    language_model().setup("fit")
    assert "A vocabulary of 12 under task.head=full: " in caplog.text


def test_state_is_carried_within_an_epoch_and_reset_at_each() -> None:
    model = language_model()
    states = States(model)
    runner = trainer(max_epochs=2, num_sanity_val_steps=2, val_check_interval=0.5)
    runner.fit(model, loader(4, 20), loader(2, 60))
    windows, validation = [("train", False)] * 4, [("validation", False)] * 3
    sanity = [("validation", True), ("validation", False)]
    checks = [("validation", True), *validation[:2]]
    half, rest = [("train", True), windows[0]], [windows[0], windows[0]]
    assert len(loader(4, 20)) == 4
    assert len(loader(2, 60)) == 3
    assert states.seen == sanity + 2 * (half + checks + rest + checks)


@pytest.mark.parametrize("encoder", [GRU, AWD], ids=["gru", "awd"])
@pytest.mark.parametrize("head", ["full", "adaptive"])
def test_every_parameter_learns_and_the_loss_falls(encoder: dict[str, Any], head: str) -> None:
    torch.manual_seed(1)
    model = language_model(
        model=encoder,
        head=head,
        cutoffs=[4],
        word_dropout=0.1,
        input_dropout=0.1,
        output_dropout=0.1,
        activation_regularisation=0.1,
        temporal_regularisation=0.1,
        optimizer={"_target_": "torch.optim.Adam", "lr": 0.02},
    )
    before = {name: value.clone() for name, value in model.named_parameters()}
    first = scores(model, loader())
    trainer(max_epochs=15).fit(model, loader(random_lengths=True))
    assert scores(model, loader())["perplexity"] < first["perplexity"] / 2
    assert all(not torch.equal(value, before[name]) for name, value in model.named_parameters())


@pytest.mark.parametrize("locked", [True, False])
def test_dropout_is_locked_where_asked(locked: bool) -> None:
    torch.manual_seed(1)
    model = language_model(input_dropout=0.5, locked_dropout=locked)
    masks = model.input_dropout(torch.ones(2, 6, 8)) != 0
    assert bool((masks == masks[:, :1]).all()) == locked


def test_a_bidirectional_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.bidirectional=false"):
        language_model(model={**GRU, "bidirectional": True})


class LooksAhead(Memoryless):
    """Reads the next token, too."""

    def forward(self, inputs: Tensor, lengths: Any = None, state: Any = None) -> tuple[Tensor, Tensor]:
        ahead = torch.cat([inputs[:, 1:], inputs[:, -1:]], dim=1)
        return super().forward(inputs + ahead, lengths, state)


def test_an_encoder_of_ones_own_that_looks_ahead_is_refused() -> None:
    language_model(model=MEMORYLESS)
    with pytest.raises(ConfigError, match="LooksAhead says is_bidirectional = False, and its outputs change"):
        language_model(model={"_target_": f"{__name__}.LooksAhead"})


@pytest.mark.parametrize("name", ["word_dropout", "input_dropout", "output_dropout"])
def test_a_share_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"task\.{name}=1\.0"):
        language_model(**{name: 1.0})


def test_initial_range_is_kept() -> None:
    model = language_model(initial_range=0.01)
    assert max(float(parameter.detach().abs().max()) for parameter in model.parameters()) <= 0.01


def test_learning_rate_follows_the_window_and_comes_back() -> None:
    class Rates(lightning.Callback):
        def __init__(self) -> None:
            self.expected: list[float] = []
            self.used: list[float] = []

        def on_train_batch_start(
            self, trainer: Any, pl_module: Any, batch: StreamBatch, batch_idx: int
        ) -> None:
            self.expected.append(0.5 * batch.inputs.shape[1] / 7)
            assert trainer.optimizers[0].param_groups[0]["lr"] == 0.5

        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            self.used.append(optimizer.param_groups[0]["lr"])

    rates = Rates()
    trainer(callbacks=[rates]).fit(language_model(), loader(random_lengths=True))
    assert rates.used == pytest.approx(rates.expected)
    assert len(set(rates.used)) > 3


def fitted(folder: Path, epochs: int, stop: int | None, **options: Any) -> dict[str, torch.Tensor]:
    """Train; with ``stop``, end after that many steps and go on in a new process's stead."""
    batches = {"batch_size": 3, "bptt": 9, "random_lengths": True}

    def run(steps: int, resumed: str | None) -> LanguageModel:
        torch.manual_seed(7)
        model = language_model(input_dropout=0.0, **options)
        keep = ModelCheckpoint(folder, save_last=True, save_top_k=0, every_n_train_steps=stop)
        runner = trainer(max_epochs=epochs, max_steps=steps, enable_checkpointing=True, callbacks=[keep])
        runner.fit(model, loader(**batches), loader(2, 50), ckpt_path=resumed)
        return model

    if stop is not None:
        run(stop, None)
        return dict(run(-1, str(folder / "last.ckpt")).state_dict())
    return dict(run(-1, None).state_dict())


@pytest.mark.parametrize("stop", [1, 5, 11, 12, 17])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_resumed_training_ends_with_the_same_weights(cell: str, stop: int, tmp_path: Path) -> None:
    assert len(loader(3, 9, random_lengths=True)) == 12
    options: dict[str, Any] = {"model": {**GRU, "cell": cell}}
    whole = fitted(tmp_path, 3, None, **options)
    resumed = fitted(tmp_path, 3, stop, **options)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_nan_stops_and_names_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    class Break(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            if trainer.global_step == 8:
                pl_module.encoder.network.weight_hh_l0.data[0, 0] = np.nan

    keep = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)
    runner = trainer(callbacks=[Break(), keep], enable_checkpointing=True, max_epochs=3)
    with pytest.raises(RnnlabError, match=r"After step 8 the weights of encoder\.network\.weight_hh_l0"):
        runner.fit(language_model(), loader())
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 7
    assert all(value.isfinite().all() for value in kept["state_dict"].values())
    runner = trainer(callbacks=[Break()], max_epochs=3)
    with pytest.raises(RnnlabError, match=r"The loss is nan at step 9\..*optimizer\.lr"):
        runner.fit(language_model(), loader())


def test_checkpoint_is_plain_data_with_the_carried_state(tmp_path: Path) -> None:
    model = language_model()
    runner = trainer(max_steps=3)
    runner.fit(model, loader())
    runner.save_checkpoint(tmp_path / "it.ckpt")
    kept = torch.load(tmp_path / "it.ckpt", weights_only=True)
    (hidden,) = kept["carried_state"]
    assert hidden.shape == (1, 4, 8)
    assert hidden.any()
