"""Download files, whole and right or not at all."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from nnplug import DataError, offline
from nnplug_builtins._published import Published
from nnplug_builtins._transfer import LIMIT, transfer


def fetch(files: Mapping[str, Published], folder: Path, mirrors: Sequence[str]) -> None:
    """Download ``files`` into ``folder``, each from the first mirror that serves the published one.

    A file appears under its name when it is complete and verified, so any number of processes may do this at once: each
    downloads what it finds missing, and either's file is the same. What fails leaves nothing behind but the files that
    were complete before it; what is killed leaves a ``.part``, which a later download of the file removes.

    Args:
        files: what each file must be, by its name.
        folder: where the files go; made if it does not exist.
        mirrors: addresses that end in a slash, the preferred one first; one that served a file is asked first for the
            next.

    Raises:
        DataError: downloads are forbidden (`nnplug.offline`), the folder cannot be written, or no mirror serves one
            of the files; the message says what each mirror answered.
    """
    if offline():
        raise DataError(
            f"{folder}: missing {', '.join(files)}, and NNPLUG_OFFLINE forbids to download: put the "
            f"file{'s' if len(files) > 1 else ''} there, point NNPLUG_DATA_DIR to a folder that has "
            f"{folder.name}/ with the data, or unset NNPLUG_OFFLINE"
        )
    for i, (name, published) in enumerate(files.items()):
        problems = []
        for mirror in mirrors:
            problem = _fetch_from(mirror + name, folder / name, published)
            if not problem:
                mirrors = [mirror, *(other for other in mirrors if other != mirror)]
                break
            problems.append(f"{mirror}{name}: {problem}")
        else:
            raise DataError(
                f"{folder}: {name} could not be downloaded ({'; '.join(problems)}): try again later, "
                f"put {', '.join([*files][i:])} there by hand, or point NNPLUG_DATA_DIR to a folder that has "
                f"{folder.name}/ with the data; with NNPLUG_OFFLINE=1 no download is tried"
            )


def _fetch_from(url: str, target: Path, published: Published) -> str:
    """Download one file from one address; return what is wrong with that address, if anything is."""
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        if published.is_at(target):
            return ""  # another process has put it there in the meantime
        with part.open("xb") as file:
            problem = transfer(url, file, published.size)
            file.flush()
            os.fsync(file.fileno())
        if problem:
            return problem
        fault = published.fault(part)
        if fault:
            return f"wrong file, {fault}"
        _put(part, target, published)
    except OSError as error:
        raise DataError(
            f"{target.parent}: cannot be written: {error.strerror or error}; "
            "mend that, or point NNPLUG_DATA_DIR to a folder that can be"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return ""


def _put(part: Path, target: Path, published: Published) -> None:
    try:
        part.replace(target)
    except PermissionError:
        # Another process was faster, and has the file open (on Windows) or owns it (in a folder that many write to).
        if not published.is_at(target):
            raise


def _sweep(target: Path) -> None:
    """Remove what killed downloads of the file left behind. A live one is written to more often than that."""
    with suppress(OSError):
        for part in target.parent.glob(f"{target.name}.*.part"):
            if time.time() - part.stat().st_mtime > LIMIT:
                part.unlink()
