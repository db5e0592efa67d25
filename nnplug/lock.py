"""A lock on the folder of a run, so that no two processes write into it at the same time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnplug.errors import NnplugError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; it goes with the process that holds it, however that ends.

    It is on the folder, because each file in it is replaced by new ones. Windows, and file systems that have no locks,
    go on without.

    Raises:
        NnplugError: somebody else holds it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = f"the run in {folder} is going on in another process; wait for it, or stop it"
            raise NnplugError(told) from None
        except OSError:  # no locks here
            pass
        yield
    finally:
        os.close(descriptor)
