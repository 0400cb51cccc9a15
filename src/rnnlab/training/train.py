"""``rnnlab.train``: from overrides such as ``model=lstm`` to a run folder, without a command line.

``scripts/train.py`` and a notebook take the same way: the configuration is composed from the same files, and
:func:`train_one` does the rest.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnlab.added_configurations import check_added
from rnnlab.command_line import explained, hydra_job, register_resolvers
from rnnlab.errors import ConfigError, nearest
from rnnlab.folders import conf_folder, with_runs_quoted
from rnnlab.sweeps.trial_link import watchers
from rnnlab.terminal import shown
from rnnlab.training.fit import fit
from rnnlab.training.resume import run_folder, settled_config
from rnnlab.training.run_folder import RunFolder

OF_DATA = ("name", "corpus", "labelled", "vocabulary", "epochs")
"""What is read of the section ``data``."""
PRIMARY = "train"
"""The configuration that a training begins with, and the name of its log file."""


def train(
    overrides: Sequence[str] = (),
    folder: str | Path | None = None,
    *,
    conf: str | Path | None = None,
    config_dir: str | Path | None = None,
) -> Path:
    """Train one run as ``python scripts/train.py OVERRIDES`` does, and return its folder.

    Lines on data, epochs and figures are printed, and written into the run's ``train.log``.

    Args:
        overrides: the words of the command, such as ``["model=lstm", "seed=2"]``.
        folder: where the run goes; None takes the command's own place, in ``logs`` of the working folder.
        conf: the folder of configuration files; None takes rnnlab's own.
        config_dir: a folder of further ones, such as ``experiment/mine.yaml``, as ``--config-dir`` takes it.

    Returns:
        The run folder, for ``rnnlab.load``; relative to the working folder where it lies within.

    Raises:
        ConfigError: if the configuration can't be composed, or its parts do not fit together.
        RnnlabError: for whatever else the user can mend.
        Interrupted: if Ctrl-C, or a notebook's button, ended the training at a clean place.
    """
    place = conf_folder() if conf is None else Path(conf).resolve()
    words = with_runs_quoted(overrides)
    if folder is not None:
        quoted = QuotedString(str(folder), Quote.single).with_quotes()
        words.append(f"hydra.run.dir={quoted}")
    if config_dir is not None:
        check_added([*words, "--config-dir", str(config_dir)])
        words.append(f"hydra.searchpath=['file://{Path(config_dir).resolve()}']")

    def work(config: dict[str, Any], run: Path, said: list[str]) -> Path:
        train_one(config, run, said, place)
        return run

    mistakes: list[BaseException] = []
    with composing(place, words), own_log():
        session = GlobalHydra.instance().hydra
        assert session is not None
        run = session.run(PRIMARY, hydra_job(work, mistakes), words).return_value
    for mistake in mistakes:
        raise told(mistake, place, words) from None
    return Path(shown(run))


def configuration(overrides: Sequence[str] = (), *, conf: str | Path | None = None) -> dict[str, Any]:
    """Return what ``scripts/train.py --cfg job OVERRIDES`` shows, resolved, as plain data.

    Args:
        overrides: the words of the command.
        conf: the folder of configuration files; None takes rnnlab's own.

    Raises:
        ConfigError: if it can't be composed.
    """
    place = conf_folder() if conf is None else Path(conf).resolve()
    with composing(place, overrides):
        composed = hydra.compose(PRIMARY, overrides=list(overrides))
        content: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    return dict(content)


def train_one(config: dict[str, Any], folder: Path, overrides: list[str], conf: Path) -> None:
    """Train one run in its folder, or go on with it; called while Hydra runs a job.

    Raises:
        RnnlabError: for whatever the user can mend.
        Interrupted: if the user stopped the training.
    """
    check_added_data(overrides)
    if config["init_from"]:
        from rnnlab.training.init_from import completed  # most trainings start from nothing

        config = completed(config, overrides, HydraConfig.get().runtime.choices, conf)
    fit(settled_config(config, RunFolder(folder), overrides), folder, watchers())


def check_added_data(words: Sequence[str]) -> None:
    """Check that a command adds no key to the section ``data`` that nothing reads.

    What files in ``conf/data`` have besides, others of their keys refer to.

    Raises:
        ConfigError: if it does.
    """
    for word in words:
        found = re.match(r"\+{1,2}data\.(\w+)", word)
        if found and found[1] not in OF_DATA:
            raise ConfigError(f"data.{found[1]}: nothing reads this key. {nearest(found[1], OF_DATA)}")


@contextmanager
def composing(conf: Path, words: Sequence[str]) -> Iterator[None]:
    """Let Hydra compose from ``conf``, whether or not it was initialised for something else.

    Raises:
        ConfigError: if it can't compose, in a person's words.
    """
    register_resolvers()
    OmegaConf.register_new_resolver("rnnlab.run_folder", run_folder, replace=True)
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf), job_name=PRIMARY, version_base="1.3"):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise told(error, conf, words) from None
    finally:
        GlobalHydra.instance().hydra = before


def told(error: BaseException, conf: Path, words: Sequence[str]) -> BaseException:
    """Return an error that a person understands; Hydra's and OmegaConf's are put in other words."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return ConfigError(explained(error, conf, PRIMARY, words))
    return error


@contextmanager
def own_log() -> Iterator[None]:
    """Take away, in the end, the log handlers of a run: a notebook goes on, and its log file is done."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in before:
                handler.close()
        root.handlers[:] = before
        root.setLevel(level)
