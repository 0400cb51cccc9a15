"""From the command line to plain configuration, and from errors to exit statuses.

Light on purpose: nothing here imports torch, so that ``--help`` and ``--cfg job`` answer at once.
"""

import errno
import logging
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab.added_configurations import check_added
from rnnlab.errors import ConfigError, RnnlabError, nearest
from rnnlab.folders import command, with_runs_quoted
from rnnlab.interruption import ENDED_BY_SIGNAL, Interrupted, deaf_end, listening, work_is_done
from rnnlab.plain_arguments import WIDTH
from rnnlab.processors import be_considerate
from rnnlab.shortage import told_when_short
from rnnlab.synonyms import said_here, unknown_choice
from rnnlab.terminal import errors, open_outlets, why_unheard

JOBS_FAILED = 1
USER_MISTAKE = 2
LAUNCHERS = {"joblib": "sweeps", "submitit_local": "sweeps", "submitit_slurm": "sweeps", "ray": "ray"}
"""Hydra's launchers of several jobs at once, and the extra that installs each."""
OWN_ENTRIES = ("callbacks.extra.", "logger.extra.")


class JobsFailed(Exception):  # noqa: N818  not an error of the sweep's: it did all that it could
    """Some jobs of a sweep failed and the others are done; the message says how to try them again."""


def run_hydra(
    work: Callable[[dict[str, Any], Path, list[str]], Any],
    conf: Path,
    config_name: str,
    resolvers: Mapping[str, Callable[..., Any]] | None = None,
) -> None:
    """Compose the configuration from the command line and do the work, once or (``-m``) for each job.

    Args:
        work: takes the resolved configuration as plain data, the run folder, and the overrides as typed.
        conf: the folder of configuration files.
        config_name: the primary configuration in it.
        resolvers: what this command's configuration files call by name, beside what all know.

    A user's mistake ends the process with status 2 and a message; any other exception keeps its traceback.
    """
    # Hydra would print a chopped traceback and exit with 1; with this it hands exceptions on as they are.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register_resolvers()
    OmegaConf.register_new_resolver("rnnlab.page", lambda text: help_page(text, conf), replace=True)
    for name, resolve in (resolvers or {}).items():
        OmegaConf.register_new_resolver(name, resolve, replace=True)

    mistakes: list[BaseException] = []

    def main() -> None:
        sys.argv[1:] = sweep_flag_first(with_runs_quoted(sys.argv[1:]))
        check_added(sys.argv[1:])
        job = hydra_job(work, mistakes)
        hydra.main(config_path=str(conf), config_name=config_name, version_base="1.3")(job)()
        for error in mistakes:
            raise error

    exit_by(main, explain=lambda error: explained(error, conf, config_name), only_shows=False)


def sweep_flag_first(words: Sequence[str]) -> list[str]:
    """Return a command's words with ``-m`` at the beginning: between overrides Hydra does not know it.

    >>> sweep_flag_first(["model=gru", "-m", "seed=1,2"])
    ['-m', 'model=gru', 'seed=1,2']
    """
    return sorted(words, key=lambda word: word not in ("-m", "--multirun"))


def hydra_job(
    work: Callable[[dict[str, Any], Path, list[str]], Any], mistakes: list[BaseException]
) -> Callable[[DictConfig], Any]:
    """Return the function that Hydra calls with what it has composed.

    Args:
        work: as :func:`run_hydra` takes it.
        mistakes: takes what ends a single run: Hydra would print a line of its own about it. A job of a sweep
            raises it.
    """

    def job(composed: DictConfig) -> Any:
        settings: Any = HydraConfig.get()
        register_resolvers()  # a launcher may have sent this job to a process of its own
        with read_write(settings):  # who asks once more, as Lightning for a further process, is told the same
            settings.run.dir = settings.runtime.output_dir
        folder, name = Path(settings.runtime.output_dir), settings.job.name
        is_single = settings.mode is RunMode.RUN
        own = listening(unbegun=partial(remove_unbegun, folder, name)) if is_single else nullcontext()
        try:
            if is_single:
                check_no_sweep(settings.overrides.task)
            config: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
            with own, told_when_short():  # of other errors Hydra prints a line of its own
                return work(config, folder, list(settings.overrides.task))
        except (RnnlabError, OmegaConfBaseException, Interrupted) as error:
            if not is_single:
                raise
            mistakes.append(error)
            remove_if_only_logged(folder, name)
            return None

    return job


def check_no_sweep(words: Iterable[str]) -> None:
    """Check that the overrides of a single run say nothing about a sweep.

    Raises:
        ConfigError: if one does.
    """
    found = [word for word in words if re.match(r"\+*sweep[.=]", word)]
    if found:
        raise ConfigError(f"{' '.join(found)}: there is no sweep here. Add -m for one.")


def register_resolvers() -> None:
    """Make known what all configuration files call by ``${rnnlab.…:…}``, and let null be deleted."""
    OmegaConf.register_new_resolver("rnnlab.can_fuse", can_fuse, replace=True)
    OmegaConf.register_new_resolver("rnnlab.model_name", model_name, replace=True)
    OmegaConf.register_new_resolver("rnnlab.repeats", repeats, replace=True)
    let_null_be_deleted()


def let_null_be_deleted() -> None:
    """Let ``~key`` take a key away whose value is null, too: Hydra takes it for one that is not there."""
    apply = ConfigLoaderImpl._apply_overrides_to_config
    if apply.__module__ == __name__:
        return

    def applied(overrides: list[Override], cfg: DictConfig) -> None:
        for override in overrides:
            parent, _, leaf = override.key_or_group.rpartition(".")
            node = OmegaConf.select(cfg, parent) if parent else cfg
            known = isinstance(node, DictConfig) and leaf in node.keys()  # noqa: SIM118
            if override.is_delete() and known and OmegaConf.select(cfg, override.key_or_group) is None:
                OmegaConf.update(cfg, override.key_or_group, "")
        apply(overrides, cfg)

    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(applied)  # type: ignore[method-assign]


def model_name(choice: str, init_from: str | None) -> str:
    """Return what a run's folder calls its model, which is another run's where it starts from one."""
    return "pretrained" if init_from else choice


def repeats(whole: int, part: int | None, passes: int = 1) -> int:
    """Return how often to pass over a part where the whole is passed over ``passes`` times.

    The square root of their ratio: fewer documents bear fewer steps, but not so few as there are of them.

    >>> repeats(22500, None), repeats(22500, 10000), repeats(22500, 500), repeats(22500, 100, 5)
    (1, 2, 7, 75)
    """
    return passes * (1 if part is None or part >= whole else round((whole / part) ** 0.5))


def can_fuse(precision: str) -> bool:
    """Return whether an optimizer may be fused: Lightning can't clip its gradients in mixed precision."""
    return not str(precision).endswith("-mixed")


def is_only_logged(folder: Path, job: str) -> bool:
    """Return whether nothing but the log was written in a run folder: nothing was done there."""
    return [path.name for path in folder.glob("*")] == [f"{job}.log"]


def remove_if_only_logged(folder: Path, job: str) -> None:
    """Remove a run folder in which nothing was done."""
    if is_only_logged(folder, job):
        logging.shutdown()
        shutil.rmtree(folder)


def remove_unbegun(folder: Path, job: str) -> None:
    """Do the same within a handler of signals, where no lock of the log's may be taken."""
    if is_only_logged(folder, job):
        shutil.rmtree(folder, ignore_errors=True)


def exit_by(
    work: Callable[[], Any], explain: Callable[[Exception], str | None] = str, *, only_shows: bool = True
) -> None:
    """Do the work and exit: 0, 1 for failed jobs, 2 for a mistake, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        work: what to do.
        explain: turns a user's mistake into its message.
        only_shows: whether what it writes to standard output is all that it does: then a failure there is
            its failure. A closed pipe is none.
    """
    open_outlets()
    be_considerate()
    try:
        with listening(owns_process=True), told_when_short():
            work()
            sys.stdout.flush()
            if only_shows:
                check_heard()
    except Interrupted as stop:
        errors.print(str(stop))
        deaf_end(stop.status)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        sys.exit(work_is_done(ENDED_BY_SIGNAL + signal.SIGINT))
    except JobsFailed as failure:
        errors.print(str(failure), style="red")
        sys.exit(work_is_done(JOBS_FAILED))
    except (RnnlabError, HydraException, OmegaConfBaseException) as error:
        errors.print(f"Error: {explain(error)}", style="red")
        sys.exit(work_is_done(USER_MISTAKE))
    work_is_done(0)


def check_heard() -> None:
    """Check that standard output took all that was written.

    Raises:
        RnnlabError: if it could not be written; a reader that has enough is another matter.
    """
    why = why_unheard()
    if why is not None and why.errno != errno.EPIPE:
        raise RnnlabError(f"Standard output could not be written ({why.strerror}).")


def explained(error: Exception, conf: Path, config_name: str, words: Sequence[str] | None = None) -> str:
    """Return what a person needs to know about a configuration that could not be composed.

    Args:
        error: what Hydra or OmegaConf raised.
        conf: the folder of configuration files.
        config_name: the primary configuration in it.
        words: the overrides; None for those of the command line.
    """
    text = str(error)
    unknown = re.match(r"Could not override '(?P<key>[^']+)'", text)
    if unknown:
        return unknown_key(unknown["key"].split("@")[0], conf, config_name, words)
    launcher = re.search(r"Could not find 'hydra/launcher/(?P<name>\w+)'", text)
    if launcher and launcher["name"] in LAUNCHERS:
        return f"hydra/launcher={launcher['name']} needs pip install 'rnnlab[{LAUNCHERS[launcher['name']]}]'."
    resolving = re.match(r"(Run|Config)Error raised while resolving interpolation: (?P<text>.*)", text)
    if resolving:
        return resolving["text"]
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {text.splitlines()[0]}"
    composing = text.partition("Config search path")[0].rstrip()
    return unknown_choice(composing) or composing


def unknown_key(key: str, conf: Path, config_name: str, words: Sequence[str] | None = None) -> str:
    """Return a sentence that names the keys and groups nearest to ``key``."""
    if key.startswith(OWN_ENTRIES):
        return f"{key}: one of your own is added, and a + belongs before it: +{key}=..."
    elsewhere = said_here(key)
    if elsewhere:
        return f"{key}: there is no such key. {elsewhere} All keys: --cfg job."
    if key in groups(conf):
        return f"{key}: this command leaves nothing to choose there. What there is to choose: --help."
    choices = choices_among(sys.argv[1:] if words is None else words, conf)
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        try:
            composed = hydra.compose(config_name, overrides=choices)
        except HydraException:  # one of those words is wrong, too
            composed = hydra.compose(config_name)
    keys = {*dotted_keys(OmegaConf.to_container(composed, resolve=False)), *groups(conf)}
    same_leaf = sorted(k for k in keys if k.split(".")[-1] == key.split(".")[-1])
    hint = (
        f"Did you mean {' or '.join(same_leaf)}?"
        if same_leaf
        else nearest(key, keys, listed=keys_beside(key, keys))
    )
    return f"{key}: there is no such key. {hint} All keys: --cfg job."


def keys_beside(key: str, keys: Collection[str]) -> set[str]:
    """Return the keys on the level of an unknown one, or of the nearest level above it that there is.

    >>> sorted(keys_beside("trainer.speed", ["seed", "trainer", "trainer.devices", "trainer.precision"]))
    ['trainer.devices', 'trainer.precision']
    >>> sorted(keys_beside("output", ["seed", "trainer", "trainer.devices"]))
    ['seed', 'trainer']
    """
    level = key
    while level:
        level = level.rpartition(".")[0]
        beside = {known for known in keys if known.rpartition(".")[0] == level}
        if beside:
            return beside
    return set(keys)


def choices_among(words: Sequence[str], conf: Path) -> list[str]:
    """Return the valid ``group=choice`` words: they decide which keys there are."""
    parts = [word.partition("=") for word in words]
    return [f"{group}={choice}" for group, _, choice in parts if (conf / group / f"{choice}.yaml").is_file()]


def groups(conf: Path) -> list[str]:
    """Return the names of the configuration groups."""
    return sorted(path.name for path in conf.iterdir() if path.is_dir() and path.name != "hydra")


def help_page(text: str, conf: Path) -> str:
    """Return what ``--help`` shows: ``<command train>`` and ``<group model: the encoder>`` filled in."""
    text = re.sub(r"<command (\w+)>", lambda found: command(found[1]), text)
    return re.sub(r"<group (\w+): (.*?)>", lambda found: group_line(conf, found[1], found[2]), text)


def group_line(conf: Path, group: str, meaning: str) -> str:
    """Return what ``--help`` says of a configuration group: its name, what it is about, its choices."""
    choices = ", ".join(sorted(path.stem for path in (conf / group).glob("*.yaml")))
    begin = f"  {group:<12}"
    return textwrap.fill(
        f"{meaning}: {choices}", WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin)
    )


def dotted_keys(config: Any, prefix: str = "") -> Iterator[str]:
    """Yield each key of nested mappings as a person types it, such as ``model.hidden_size``.

    >>> list(dotted_keys({"model": {"layers": 1}, "seed": 1}))
    ['model', 'model.layers', 'seed']
    """
    if not isinstance(config, dict):
        return
    for key, value in config.items():
        yield f"{prefix}{key}"
        yield from dotted_keys(value, f"{prefix}{key}.")


def differences(new: Any, old: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys whose values differ between two configurations.

    >>> list(differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 2}, "c": 2}))
    ['a.b']
    """
    if isinstance(new, dict) and isinstance(old, dict):
        for key in sorted({*new, *old}):
            yield from differences(new.get(key), old.get(key), f"{prefix}{key}.")
    elif new != old:
        yield prefix.rstrip(".")


def check_sections(config: dict[str, Any], known: set[str]) -> None:
    """Check that a configuration has no section that nothing reads.

    Raises:
        ConfigError: naming each unknown top-level key with the nearest known ones.
    """
    unknown = sorted(set(config) - known)
    if unknown:
        raise ConfigError(
            "\n".join(f"{key}: nothing reads this key. {nearest(key, known)}" for key in unknown)
        )
