"""No version that is installed, or permitted, has a hole that is known; no network is asked."""

import re
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.readme.text import ROOT

ADVISORIES = {
    "filelock": ("3.20.1", "CVE-2025-68146: a link put in place of a lock lets a file be cut off"),
    "hydra-core": ("1.3.6", "instantiate() runs what a configuration names"),
    "jinja2": ("3.1.6", "CVE-2025-27516: a template leaves its sandbox"),
    "joblib": ("1.2.0", "CVE-2022-21797: pre_dispatch is evaluated"),
    "lightning": (
        "2.6.6",
        "CVE-2026-58659: a checkpoint runs code; 2.6.2 and 2.6.3 were compromised",
    ),
    "onnx": ("1.16.0", "CVE-2024-27318: external data leads out of the model's folder"),
    "pillow": ("10.2.0", "CVE-2023-50447: ImageMath evaluates what it is given"),
    "pyarrow": ("14.0.1", "CVE-2023-47248: a Parquet file runs code"),
    "pyyaml": ("5.4", "CVE-2020-14343: full_load runs code"),
    "requests": ("2.32.4", "CVE-2024-47081: a URL gets another host's .netrc credentials"),
    "scikit-learn": ("1.5.0", "CVE-2024-5206: a vectorizer keeps all tokens that it was given"),
    "torch": ("2.10", "CVE-2026-24747: weights_only could corrupt memory"),
}
"""The first version without the hole, and what it is."""


def permitted() -> list[Requirement]:
    """Return the dependencies of pyproject.toml, those of the extras, too."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    extras = re.search(r"^\[project\.optional-dependencies\]\n(.*?)^\[", text, re.MULTILINE | re.DOTALL)
    assert listed
    assert extras
    lines = re.sub(r"#.*$", "", listed[1] + extras[1], flags=re.MULTILINE)
    return [Requirement(word) for word in re.findall(r'"([^"]+)"', lines)]


@pytest.mark.parametrize("name", ADVISORIES)
def test_what_is_installed_has_no_known_hole(name: str) -> None:
    fixed, why = ADVISORIES[name]
    try:
        installed = Version(version(name))
    except PackageNotFoundError:
        pytest.skip("it is not installed")
    assert installed >= Version(fixed), f"{name} {installed}: {why}"


def test_what_is_permitted_has_no_known_hole() -> None:
    named = {requirement.name.lower(): requirement.specifier for requirement in permitted()}
    assert {"torch", "lightning", "requests", "onnx"} <= set(named)
    for name in set(named) & set(ADVISORIES):
        fixed, why = ADVISORIES[name]
        lowest = min(Version(part.version) for part in named[name] if part.operator in (">=", "=="))
        assert lowest >= Version(fixed), f"{name} from {lowest} on is permitted: {why}"


def test_each_dependency_has_a_range() -> None:
    apart = ("rnnlab", "types-PyYAML", "types-requests")
    assert [one.name for one in permitted() if not str(one.specifier) and one.name not in apart] == []
