"""Files: opened without waiting for a pipe, replaced as a whole or not at all; JSON that everybody reads alike."""

from __future__ import annotations

import errno
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nnplug.naming import quote

DIGITS = 300  # of an integer; a float has no more


def open_to_read(path: Path) -> BinaryIO:
    """Open a file; what is none, such as a pipe that might never say anything, is refused at once.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115  (Path.open takes no opener)
    except ValueError as error:  # a path that is none, such as one with a null byte
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _no_file(path)
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _no_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, "Not a regular file", str(path))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by another content, as `replacing` does.

    Raises:
        OSError: the file cannot be written; an old one is as it was.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of ``path`` when the block ends well.

    It lies beside ``path`` until it is whole and on the disk. If anything fails, it is removed.

    Raises:
        OSError: the file cannot be written; an old one is as it was.
    """
    path = Path(os.path.realpath(path))  # through a link, to what it stands for
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise _no_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk does not say which file, and nobody knows the temporary one
        raise


def _sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk: without that a power cut may undo a rename. Windows has no way to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that writers left in a folder of ours when they were killed."""
    if folder.is_dir():
        for path in folder.iterdir():
            if is_leftover(path):
                path.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Whether a file has a name that `replacing` gives to files that are being written."""
    return re.fullmatch(r"\..+\.[0-9a-f]{16}", path.name) is not None


def json_text(content: Any, indent: int | None = None) -> str:
    """A value as JSON, which has no NaN and no infinity; null stands for both."""
    import json

    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parse_json(text: str) -> Any:
    """The value of a JSON text from a stranger. No key may occur twice: readers would not agree on which one counts.

    Raises:
        ValueError: what is wrong with it, in words.
    """
    import json

    try:
        return json.loads(text, object_pairs_hook=_without_doubles, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no valid JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"says {quote(twice)} twice")
    return table


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"holds a number of {len(digits):,} digits")
    return int(digits)
