"""Where a search's trials are kept: a file beside them, or a database server that many nodes ask.

What a trial asks of each, counted, and in seconds of one processor with 20 / 200 / 1,000 trials before it:

==========  ===================  =======================  ========================  =====================
storage     to choose and tell   queries, transactions    a validation              to open it in a job
==========  ===================  =======================  ========================  =====================
SQLite      0.12 / 0.13 s        78, 19                   10 queries, 0.02 s        0.1 / 0.3 s
PostgreSQL  0.17 / 0.19 s        78, 19                   10 queries, 0.02 s        0.1 / 0.3 s
journal     0.02 / 0.03 / 0.07   none                     reads new lines, 0.005 s  0.01 / 0.05 / 0.3 s
==========  ===================  =======================  ========================  =====================

So 1,000 trials on 100 nodes, each of 10 minutes and 10 validations, begin at a rate of 100 / 600 s = 0.17 a
second and ask 0.17 * (78 + 10 * 10) = 30 queries a second: nothing for a PostgreSQL. Trials are chosen one
at a time, under the sweep's lock, since each choice looks at those before it. With the 0.1 s that
``sweep.yaml`` takes at 1,000 jobs that is 0.3 s a trial, three trials a second: 100 nodes wait for one
another where a trial takes less than half a minute. A journal hands out five a second; it has some 17 lines
a trial then, a few megabytes, which each job reads once. SQLite has no place on a network disk, where its
locks and its log do not hold; on one machine it bears what PostgreSQL does.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from rnnlab.errors import ConfigError, RnnlabError, nearest
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.database_file import check_database
from rnnlab.sweeps.sweep_folder import SweepFolder

START_OVER = "Put it back as it was, or start the search over: sweep.restart=true."
FAILING = (SQLAlchemyError, optuna.exceptions.StorageInternalError)
"""What comes of a database that does not answer, or holds something else than Optuna's tables."""
PATIENCE = 30  # seconds to wait for a server
WAITING_DRIVERS = ("psycopg", "psycopg2", "pymysql", "mysqldb")
"""Drivers that take ``connect_timeout``."""
NETWORK_DISKS = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.sshfs")


@dataclass(frozen=True)
class Storage:
    """Where the trials of one search are kept.

    Attributes:
        kind: ``sqlite`` or ``journal``, which are files, or the URL of a database server.
        study: the name of the search there.
        folder: of the sweep, in which a file lies.
    """

    kind: str
    study: str
    folder: Path

    @property
    def file(self) -> Path | None:
        """The file, if it is one."""
        return self.folder / f"trials.{self.kind}" if self.kind in ("sqlite", "journal") else None

    @property
    def name(self) -> str:
        """What a person and ``optuna-dashboard`` call it."""
        return f"sqlite:///{self.file}" if self.kind == "sqlite" else str(self.file or self.kind)


def storage_of(setting: Any, folder: SweepFolder) -> Storage:
    """Return where the sweep's trials are kept, as its first command said.

    On a server each sweep's study has a name of its own, which its folder remembers: no other search, in
    another folder or of another space, can come into it.

    Args:
        setting: ``sweep.storage``.
        folder: of the sweep; its facts are written.

    Raises:
        ConfigError: if that is no storage, or another one than before.
    """
    kind = "sqlite" if setting is None else str(setting)
    if kind not in ("sqlite", "journal"):
        check_url(kind)
    before = {"storage": "sqlite"} if (folder.path / "trials.sqlite").exists() else {}
    study = "sweep" if "://" not in kind else f"{folder.path.name} {uuid.uuid4().hex[:8]}"
    kept = folder.keep({"storage": kind, "study": study} | before)
    if kept["storage"] != kind:
        was = "null" if kept["storage"] == "sqlite" else kept["storage"]
        raise ConfigError(
            f"sweep.storage={'null' if setting is None else kind}: the trials of this sweep are in another, "
            f"sweep.storage={was}. Say that, or start the search over: sweep.restart=true."
        )
    return Storage(kind, kept["study"], folder.path.resolve())


def check_url(url: str) -> None:
    """Check that a text is the address of a database server, without a password.

    Raises:
        ConfigError: if it is not.
    """
    if "://" not in url:
        raise ConfigError(
            f"sweep.storage={url}: {nearest(url, ['null', 'journal'])} Or the address of a database: "
            "postgresql+psycopg://user@host/name."
        )
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"sweep.storage is no address of a database: {reason_of(error)}") from error
    if parts.password is not None:
        raise ConfigError(
            "sweep.storage has a password in it, which others can read in the list of processes. PostgreSQL "
            "takes it from ~/.pgpass, MySQL from ?read_default_file=~/.my.cnf at the address's end."
        )
    if parts.get_backend_name() == "sqlite":
        raise ConfigError("sweep.storage: SQLite's file lies in the sweep's folder; leave the key out.")


def open_study(
    storage: Storage, pruner: optuna.pruners.BasePruner | None = None, mode: str | None = None
) -> optuna.Study:
    """Open the study, or begin it.

    Args:
        storage: where it is.
        pruner: which decides whether a trial is worth finishing.
        mode: whether the metric is best at its ``min`` or its ``max``, for a study that begins.

    Raises:
        DamagedFileError: if the file is there and is no whole database, or not of a search.
        RnnlabError: if the database can't be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with damage_told(storage), answering(storage):
        kept = opened(storage)
        if mode is None:
            return optuna.load_study(study_name=storage.study, storage=kept, pruner=pruner)
        best = optuna.study.StudyDirection
        direction = best.MAXIMIZE if mode == "max" else best.MINIMIZE
        return optuna.create_study(
            study_name=storage.study, storage=kept, pruner=pruner, direction=direction, load_if_exists=True
        )


def opened(storage: Storage) -> optuna.storages.BaseStorage:
    """Return Optuna's side of a storage.

    Raises:
        DamagedFileError: if its file is no whole database.
        ConfigError: if the database's driver is not installed.
    """
    file = storage.file
    if file is None:
        return server(storage.kind)
    if storage.kind == "sqlite":
        check_database(file, START_OVER)
        patient = {"connect_args": {"timeout": 60}}  # seconds to wait while another process writes
        return optuna.storages.RDBStorage(f"sqlite:///{file}", engine_kwargs=patient)
    if os.path.lexists(file) and not file.is_file():
        raise damaged(file, "it is no file", START_OVER)
    return optuna.storages.JournalStorage(JournalFileBackend(str(file)))


def server(url: str) -> optuna.storages.BaseStorage:
    """Return Optuna's side of a database server.

    A connection lives as long as its query: a hundred nodes that held theirs would be as many as PostgreSQL
    takes.

    Raises:
        ConfigError: if the database's driver is not installed.
    """
    options: dict[str, Any] = {"poolclass": NullPool}
    try:
        if make_url(url).get_dialect().driver in WAITING_DRIVERS:
            options["connect_args"] = {"connect_timeout": PATIENCE}
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except (ImportError, ArgumentError) as error:
        raise ConfigError(
            f"sweep.storage={url}: no driver for it is installed ({reason_of(error)}). "
            "pip install 'psycopg[binary]' for postgresql+psycopg://, PyMySQL for mysql+pymysql://."
        ) from error


@contextmanager
def damage_told(storage: Storage) -> Iterator[None]:
    """Turn what comes of a file that holds something else than Optuna's trials into an error for people.

    Raises:
        DamagedFileError: naming the file.
    """
    try:
        yield
    except (*FAILING, KeyError, ValueError, TypeError) as error:
        if storage.file is None and isinstance(error, FAILING):
            raise
        raise damaged(storage.file or Path(storage.name), reason_of(error), START_OVER) from error


@contextmanager
def answering(storage: Storage) -> Iterator[None]:
    """Turn the failing of a database into an error for people.

    Raises:
        RnnlabError: naming the database.
    """
    try:
        yield
    except FAILING as error:
        raise RnnlabError(
            f"{storage.name}: the trials' database fails: {failure(error)}. "
            "Nothing that is done is lost: the same command goes on."
        ) from error


def failure(error: BaseException) -> str:
    """Return what a database says, in one line."""
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
    said = " ".join(str(getattr(cause, "orig", None) or cause or error).split())
    return said[:300].rstrip(".")


def network_disk(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """Return the kind of the network disk that a path lies on; ``None`` of this machine's own, or unknown."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return None
    kinds = {Path(place): kind for _, place, kind, *_ in lines}
    kind = next((kinds[parent] for parent in (path, *path.parents) if parent in kinds), "")
    return kind if kind.startswith(NETWORK_DISKS) else None
