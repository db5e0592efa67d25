"""How things without a name of their own are called."""

from __future__ import annotations

import re
from collections.abc import Iterable


def snake_case(name: str) -> str:
    """``LeakyRelu`` -> ``leaky_relu``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def number(layers: Iterable[tuple[str | None, str]]) -> list[str]:
    """Names for layers in a row: a layer's own, else its type and how many of that type there are so far.

    Args:
        layers: (own name or None, type) of each.
    """
    counts: dict[str, int] = {}
    names = []
    for own, kind in layers:
        counts[kind] = counts.get(kind, 0) + 1
        names.append(own or f"{kind}{counts[kind]}")
    return names
