"""Names: of things that have none of their own, of things that do not exist, of things that strangers named."""

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


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?`` or nothing, for the end of a sentence about an unknown name."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """A text without control characters, each written as its escape: names and metadata come from strangers."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
