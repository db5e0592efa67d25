"""Writing files so that a crash leaves the old one or the new one, and nothing in between; JSON without NaN."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, force it to disk and rename it.

    Raises:
        OSError: the file cannot be written; an old one is as it was.
    """
    path = Path(os.path.realpath(path))  # through a link, to what it stands for
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk does not say which file, and nobody knows the temporary one
        raise


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
