"""Where data sets live on this computer, and whether what lives there is a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nnplug.errors import DataError


def data_dir() -> Path:
    """The folder for data sets: ``NNPLUG_DATA_DIR``, else ``data`` in the platform's cache folder for nnplug.

    Raises:
        DataError: ``NNPLUG_DATA_DIR`` begins with the home folder of somebody who has none.
    """
    given = os.environ.get("NNPLUG_DATA_DIR")
    if given:
        return _expanded(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("nnplug", appauthor=False)) / "data"


def offline() -> bool:
    """Whether downloads are forbidden: ``NNPLUG_OFFLINE`` is set to something else than 0."""
    return os.environ.get("NNPLUG_OFFLINE", "0") not in ("", "0")


def data_file(path: Path | str) -> Path:
    """The path of a file that is there, with ``~`` expanded.

    Look before you open: a named pipe waits for a writer, a device may have no end.

    Raises:
        DataError: nothing is there, or something else than a file (or a link to one).
    """
    expanded = _expanded(path)
    try:
        mode = expanded.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{expanded}: no such file; the current folder is {Path.cwd()}") from error
    except OSError as error:
        raise DataError(f"{expanded}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{str(path)!r} is no path: {error}") from error
    if not stat.S_ISREG(mode):
        raise DataError(f"{expanded}: is {'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'}, not a file")
    return expanded


def _expanded(path: Path | str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"{path}: nobody's home folder is known by that name") from error
