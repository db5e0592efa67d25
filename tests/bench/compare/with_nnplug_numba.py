"""nnplug with nnplug-numba preferred: the same Solver and config, other classes behind the names."""

from __future__ import annotations

import nnplug
import nnplug_numba  # noqa: F401  (where it is not installed, preferring it would change nothing)
import with_nnplug

VERSION = "nnplug-numba"


class Contestant(with_nnplug.Contestant):
    """The same contestant, its names looked up elsewhere."""

    registry = nnplug.Registry(prefer=["nnplug-numba"])
