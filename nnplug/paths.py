"""Where data sets live on this computer."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir() -> Path:
    """The folder for data sets: ``NNPLUG_DATA_DIR``, else ``data`` in the platform's cache folder for nnplug."""
    given = os.environ.get("NNPLUG_DATA_DIR")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("nnplug", appauthor=False)) / "data"


def offline() -> bool:
    """Whether downloads are forbidden: ``NNPLUG_OFFLINE`` is set to something else than 0."""
    return os.environ.get("NNPLUG_OFFLINE", "0") not in ("", "0")
