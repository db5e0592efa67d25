"""Download files, whole and right or not at all."""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnplug import DataError, offline

TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte arriving


def fetch(files: Mapping[str, str], folder: Path, mirrors: Sequence[str]) -> None:
    """Download ``files`` into ``folder``, each from the first mirror that serves it with the right MD5 sum.

    A file appears under its name when it is complete and verified; one that is there already is replaced. What fails
    leaves nothing behind but the files that were complete before it.

    Args:
        files: MD5 sums by file name.
        folder: where the files go; made if it does not exist.
        mirrors: addresses that end in a slash, the preferred one first.

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
    for name, md5 in files.items():
        problems = []
        for mirror in mirrors:
            problem = _fetch_from(mirror + name, folder / name, md5)
            if problem is None:
                break
            problems.append(f"{mirror}{name}: {problem}")
        else:
            raise DataError(
                f"{folder}: {name} could not be downloaded ({'; '.join(problems)}): "
                f"try again later, or put the file there yourself"
            )


def md5_sum(path: Path) -> str:
    """The MD5 sum of a file, as 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch_from(url: str, target: Path, md5: str) -> str | None:
    """Download one file from one address; return what is wrong with that address, or None."""
    import pooch
    from requests import RequestException

    # Some servers label a .gz file as compressed text, and it would be unpacked on the way.
    download = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), chunk_size=1 << 16, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}
    )
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            download(url, str(part), None)
            found = md5_sum(part)
            if found != md5:
                return f"wrong file, its MD5 sum is {found} and should be {md5}"
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except (RequestException, ValueError) as error:
        return _reason(error)
    except OSError as error:
        raise DataError(f"{target.parent}: cannot be written: {error}") from error
    return None


def _reason(error: Exception) -> str:
    """What went wrong, in a few words: the messages of requests fill a screen."""
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"{response.status_code} {response.reason}"
