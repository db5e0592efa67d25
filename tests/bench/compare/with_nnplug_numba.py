"""nnplug with nnplug-numba preferred: the same Solver and config, other classes behind the names."""

from __future__ import annotations

import nnplug
import with_nnplug

VERSION = "nnplug-numba"


class Contestant(with_nnplug.Contestant):
    """The same contestant, its names looked up elsewhere."""

    registry = nnplug.Registry(prefer=["nnplug-numba"])
