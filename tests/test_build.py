"""Objects from plain configuration, and nothing else from it."""

import pytest
from torch import nn

from rnnlab.build import build
from rnnlab.errors import ConfigError


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
def test_what_does_not_fit_is_told_by_its_key(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config, nn.Module, "head", in_features=2)
