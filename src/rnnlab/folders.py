"""Where data lies and where computed things go.

The data folder may be read-only: what rnnlab fetches or computes goes to the cache folder.
"""

import os
from pathlib import Path

from rnnlab.errors import ConfigError


def data_folder() -> Path:
    """Return ``$RNNLAB_DATA_DIR``, else ``data`` in the checkout, else ``data`` in the working folder."""
    named = os.environ.get("RNNLAB_DATA_DIR")
    if named:
        return Path(named).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    root = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return root / "data"


def cache_folder() -> Path:
    """Return ``$RNNLAB_CACHE_DIR``, else ``rnnlab`` in the user's cache folder. It need not exist yet."""
    named = os.environ.get("RNNLAB_CACHE_DIR")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().resolve() / "rnnlab"


def conf_folder() -> Path:
    """Return ``conf`` in the checkout, the folder of configuration files.

    Raises:
        ConfigError: if there is none: rnnlab was installed from a wheel, which has no such files.
    """
    folder = Path(__file__).resolve().parents[2] / "conf"
    if not (folder / "train.yaml").is_file():
        raise ConfigError(
            "This rnnlab was installed without its configuration files. Clone it and pip install -e . there, "
            "or name the folder conf of a checkout."
        )
    return folder
