"""SQLite's databases: looked at before a library that trusts them opens one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from rnnlab.files.bounded import damaged, reason_of

LARGEST = 1 << 30


def check_database(path: Path, mend: str) -> None:
    """Check that a file, if there is one, is a whole SQLite database; if not, ``mend`` says what to do.

    Raises:
        DamagedFileError: if it is cut short, altered, or something else.
    """
    if not path.exists():
        if path.is_symlink():
            raise damaged(path, "it is a link to nothing", mend)
        return
    if not path.is_file():
        raise damaged(path, "it is no file", mend)
    if path.stat().st_size > LARGEST:
        raise damaged(path, f"it has more than {LARGEST:,} bytes", mend)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=60)) as opened:
            (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.Error, ValueError) as error:
        raise damaged(path, reason_of(error), mend) from error
    if found != "ok":
        raise damaged(path, str(found).splitlines()[-1], mend)
