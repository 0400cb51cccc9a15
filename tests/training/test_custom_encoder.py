"""The README's own encoder, as it stands there, plugged in by name."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rnnlab.errors import ConfigError
from rnnlab.training.fit import fit

README = Path(__file__).resolve().parents[2] / "README.md"
Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def from_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write the README's module beside the user's data, and make it importable."""
    found = re.search(r"```python\n(# my_encoder\.py\n.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "the README shows no my_encoder.py"
    (tmp_path / "my_encoder.py").write_text(found[1], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "my_encoder.RunningMean"
    sys.modules.pop("my_encoder", None)


def test_it_trains_and_padding_changes_nothing(from_readme: str, compose: Compose, tmp_path: Path) -> None:
    config = compose("debug=fast_dev_run", "task.embedding_size=8")
    config["model"] = {"_target_": from_readme, "decay": 0.8}
    assert fit(config, tmp_path / "run")["test"]["loss"] > 0


def test_an_option_it_does_not_take_is_told(from_readme: str, compose: Compose, tmp_path: Path) -> None:
    config = compose("debug=fast_dev_run")
    config["model"] = {"_target_": from_readme, "decya": 0.8}
    with pytest.raises(
        ConfigError, match=r"model\.decya: RunningMean has no such option. Did you mean decay"
    ):
        fit(config, tmp_path / "run")


def test_what_is_no_encoder_is_refused(compose: Compose, tmp_path: Path) -> None:
    config = compose("debug=fast_dev_run")
    config["model"] = {"_target_": "torch.nn.Identity"}
    with pytest.raises(ConfigError, match="is no encoder"):
        fit(config, tmp_path / "run")
