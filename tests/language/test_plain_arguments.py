"""``key=value`` words: free text to the letter, everything else checked."""

from dataclasses import dataclass

import pytest

from rnnlab.errors import ConfigError
from rnnlab.plain_arguments import option, parsed


@dataclass(frozen=True)
class Arguments:
    """Do something."""

    run: str = option("where")
    prompt: str = option("text", "")
    count: int = option("how many", 1)
    heat: float = option("how hot", 1.0)
    top: int | None = option("limit", None)
    bold: bool = option("whether", False)


def test_values_have_the_types_of_their_fields() -> None:
    found = parsed(Arguments, ["run=a/b", "count=3", "heat=2", "top=7", "bold=true"])
    assert found == Arguments("a/b", count=3, heat=2.0, top=7, bold=True)
    assert parsed(Arguments, ["run=a", "top=null"]) == Arguments("a")


@pytest.mark.parametrize("text", ["a, b = {c}: [d]", "'quoted'", "12", "null", "", " spaced ", "#hash"])
def test_text_is_taken_to_the_letter(text: str) -> None:
    assert parsed(Arguments, ["run=a", f"prompt={text}"]).prompt == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], r"run: expected key=value"),
        (["rum=a"], r"rum: there is no such key\. Did you mean run\?"),
        (["run=a", "run=b"], r"run is given twice"),
        (["count=1"], r"Needed: run=…"),
        (["run=a", "count=1.5"], r"count=1\.5: expected int"),
        (["run=a", "count=true"], r"count=true: expected int"),
        (["run=a", "heat=hot"], r"heat=hot: expected float"),
        (["run=a", "bold=1"], r"bold=1: expected bool"),
        (["run=a", "top=["], r"top=\[: expected int or null"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(Arguments, words)


def test_help_lists_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parsed(Arguments, ["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Do something.")
    assert all(name in shown for name in ("run", "prompt", "count", "heat", "top", "bold", "needed"))
