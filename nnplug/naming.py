"""How things without a name of their own are called."""

from __future__ import annotations

import re
from collections.abc import Iterable


def snake_case(name: str) -> str:
    """``LeakyRelu`` -> ``leaky_relu``, ``LSTMCell`` -> ``lstm_cell``, ``Conv2D`` -> ``conv2d``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name).lower()


def number(layers: Iterable[tuple[str | None, str]]) -> list[str]:
    """Names for layers in a row: a layer's own, else its type and how many of that type there are so far.

    Args:
        layers: (own name or None, type) of each.

    Raises:
        ValueError: two have the same name.
    """
    counts: dict[str, int] = {}
    names: list[str] = []
    for own, kind in layers:
        counts[kind] = counts.get(kind, 0) + 1
        name = own or f"{kind}{counts[kind]}"
        if name in names:
            raise ValueError(f"two layers are called {name!r}; names must differ")
        names.append(name)
    return names
