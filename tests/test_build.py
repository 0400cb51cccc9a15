"""Objects from plain configuration, and nothing else from it."""

from pathlib import Path

import pytest
from torch import nn

from rnnlab.build import build, taken_by
from rnnlab.errors import ConfigError


@pytest.mark.smoke
def test_it_builds_with_options_and_facts() -> None:
    layer = build({"_target_": "torch.nn.Linear", "out_features": 3}, nn.Module, "head", in_features=2)
    assert (layer.in_features, layer.out_features) == (2, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"head has no _target_"),
        ({"_target_": "os.system", "command": "true"}, r"is not a class derived from Module"),
        ({"_target_": "torch.nn.Lineal"}, r"Did you mean Linear"),
        ({"_target_": "no_such_package.Thing"}, r"can't import 'no_such_package'"),
        ({"_target_": "Linear"}, r"can't import ''"),
        ({"_target_": "collections.OrderedDict"}, r"is not a class derived from Module"),
        (
            {"_target_": "torch.nn.Linear", "out_feature": 3},
            r"head\.out_feature: .*Did you mean out_features",
        ),
        ({"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 3}, r"head\.in_features: "),
        ({"_target_": "torch.nn.Linear"}, r"head: Linear needs out_features"),
    ],
)
@pytest.mark.smoke
def test_what_does_not_fit_is_told_by_its_key(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config, nn.Module, "head", in_features=2)


class Base:
    def __init__(self, *, size: int, depth: int = 1) -> None:
        self.size, self.depth = size, depth


class HandsOn(Base):
    def __init__(self, gamma: float = 2.0, **options: int) -> None:
        super().__init__(**options)
        self.gamma = gamma


def test_a_module_that_exits_is_an_error_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ConfigError, match=r"head\._target_=exits\.Layer: importing 'exits' calls sys\.exit\(3\)"
    ):
        build({"_target_": "exits.Layer"}, nn.Module, "head")


class NoOptions:
    pass


def test_a_class_without_options_offers_none() -> None:
    with pytest.raises(ConfigError, match=r"part\.depth: NoOptions has no such option\. There are none\."):
        build({"_target_": f"{__name__}.NoOptions", "depth": 1}, NoOptions, "part")


def test_what_a_class_hands_on_is_checked_by_what_its_base_takes() -> None:
    assert taken_by(HandsOn) == ({"gamma", "size", "depth"}, False)
    assert taken_by(Base) == ({"size", "depth"}, False)
    assert taken_by(nn.Module)[1]
    target = f"{HandsOn.__module__}.HandsOn"
    assert build({"_target_": target, "depth": 3}, Base, "part", size=2).depth == 3
    with pytest.raises(ConfigError, match=r"part\.dept: HandsOn has no such option\. Did you mean depth"):
        build({"_target_": target, "dept": 3}, Base, "part", size=2)
