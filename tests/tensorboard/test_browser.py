"""TensorBoard itself, as a person sees it in a browser: each page has the content of the two runs."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tensorboard.browser import CHROMIUM, Browser
from tests.tensorboard.conftest import Twins

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian: apt install chromium)"),
]
PATIENCE = 240.0  # seconds for a page: Chromium draws with the processor


@pytest.fixture(scope="module")
def address(sentiment: Twins, language: Twins, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    logs = tmp_path_factory.mktemp("logs")
    shutil.copytree(sentiment.logged, logs / "gru seed=1")
    shutil.copytree(language.logged, logs / "lstm seed=2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(place, timeout=10).read()
                break
            except OSError:
                time.sleep(0.5)
        yield place
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    page = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield page
    finally:
        page.close()


def seen(browser: Browser, address: str, tab: str, *wanted: str) -> str:
    """Open a page, wait for the words, keep a picture where RNNLAB_SCREENSHOTS names a folder."""
    browser.open(f"{address}/#{tab}")
    text = browser.wait(list(wanted), PATIENCE)
    if "RNNLAB_SCREENSHOTS" in os.environ:
        time.sleep(5)
        browser.picture(Path(os.environ["RNNLAB_SCREENSHOTS"]) / f"{tab}.png")
    missing = [one for one in wanted if one not in text]
    assert not missing, f"{tab} lacks {missing}; it shows:\n{text[:2000]}"
    return text


def test_scalars(browser: Browser, address: str) -> None:
    seen(browser, address, "scalars", "curves/loss", "gradient_norm", "weight_norm", "final/test/loss")
    assert browser.count("svg, canvas") > 2


def test_it_opens_on_the_curves_of_both_splits(browser: Browser, address: str) -> None:
    shown = seen(browser, address, "timeseries", "/accuracy", "/loss", "Card Width")
    text = shown.replace("curves\n/", "curves/")  # some versions write a card's group above its name
    assert "final/" not in text[: text.index("curves/loss")]
    runs = ["gru seed=1", "gru seed=1/validation", "lstm seed=2", "lstm seed=2/validation"]
    assert [line for line in text.splitlines()[: text.splitlines().index("curves")] if line in runs] == runs


def test_custom_scalars(browser: Browser, address: str) -> None:
    seen(browser, address, "custom_scalars", "norms by layer", "gradients, before clipping")


def test_images(browser: Browser, address: str) -> None:
    seen(browser, address, "images", "figures/roc", "figures/most_wrong", "figures/perplexity_by_frequency")
    until = time.monotonic() + PATIENCE
    while browser.count("img") < 9 and time.monotonic() < until:
        time.sleep(0.5)
    assert browser.count("img") >= 9


def test_text(browser: Browser, address: str) -> None:
    text = seen(browser, address, "text", "errors/most_surprising", "times in the training text")
    assert "\\<" not in text, "Markdown's escapes show"


def test_hyperparameters(browser: Browser, address: str) -> None:
    seen(browser, address, "hparams", "gru seed=1", "lstm seed=2", "final/test/accuracy")


def test_projector(browser: Browser, address: str) -> None:
    seen(browser, address, "projector", "2 runs found", "1 tensor found", "Total variance described: ")
    assert browser.count("canvas") >= 1
