"""Hydra's grammar of overrides as Optuna's distributions."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

optuna = pytest.importorskip("optuna")

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

from rnnlab.sweeps.dimensions import dimension  # noqa: E402


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("lr=interval(0.1,0.9)", FloatDistribution(0.1, 0.9)),
        ("lr=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("size=int(interval(16,256))", IntDistribution(16, 256)),
        ("size=tag(log,int(interval(16,256)))", IntDistribution(16, 256, log=True)),
        ("layers=range(1,4)", IntDistribution(1, 3)),
        ("size=range(10,1,-3)", IntDistribution(4, 10, step=3)),
        ("dropout=range(0,0.6,0.25)", FloatDistribution(0.0, 0.5, step=0.25)),
        ("model=rnn,gru", CategoricalDistribution(("rnn", "gru"))),
        ("model=choice(rnn,gru)", CategoricalDistribution(("rnn", "gru"))),
    ],
)
def test_ranges_end_where_hydra_ends_them(word: str, distribution: object) -> None:
    assert dimension(OverridesParser.create().parse_override(word)).distribution == distribution


def test_choices_come_back_as_they_were_typed() -> None:
    parsed = OverridesParser.create().parse_override("cutoffs=[1,2],null,'a, b',3e-4")
    found = dimension(parsed)
    words = [found.word(text) for text in found.choices]
    read = [OverridesParser.create().parse_override(word).value() for word in words]
    assert read == list(found.choices.values()) == [[1, 2], None, "a, b", 3e-4]
