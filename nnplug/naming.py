"""Names: of things that have none of their own, of things that do not exist, of things that strangers named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
QUOTED = 80  # characters: how much of a text a message quotes


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
    names: dict[str, None] = {}  # a set that keeps the order
    for own, kind in layers:
        counts[kind] = counts.get(kind, 0) + 1
        name = own or f"{kind}{counts[kind]}"
        if name in names:
            raise ValueError(f"two layers are called {quote(name)}; names must differ")
        names[name] = None
    return list(names)


def one_or_many(names: Iterable[T]) -> Iterable[T]:
    """A text where a list of texts may stand is a list of one: nobody means its letters."""
    return [names] if isinstance(names, str) else names  # type: ignore[list-item]


ELSEWHERE = {  # what other libraries call it
    "binary_crossentropy": "binary_cross_entropy",
    "bce": "binary_cross_entropy",
    "categorical_crossentropy": "softmax",
    "categorical_cross_entropy": "softmax",
    "nll": "softmax",
    "nll_loss": "softmax",
    "cross_entropy": "softmax",
    "crossentropyloss": "softmax",
    "sparse_categorical_crossentropy": "softmax",
    "log_loss": "softmax",
    "hinge": "svm",
    "mean_squared_error": "mse",
    "mseloss": "mse",
    "dense": "affine",
    "fully_connected": "affine",
    "linear": "affine",
    "normalization": "standardize",
    "rescaling": "rescale",
    "standard_scaler": "standardize",
    "standardscaler": "standardize",
    "glorot": "xavier",
    "glorot_normal": "xavier",
    "glorot_uniform": "xavier",
    "kaiming": "he",
    "he_normal": "he",
    "mae": "mean_absolute_error",
    "nag": "momentum",
    "nesterov": "momentum",
    "lr": "learning_rate",
    "optimizer": "update",
    "max_iter": "iterations",
    "steps": "iterations",
    "validation_split": "validation",
}
UNLIKE = {"bias_init", "elu", "gelu", "layer_norm"}  # what nothing here is meant by, however close its name


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?`` or nothing, for the end of a sentence about an unknown name."""
    import difflib

    if len(name) > QUOTED or name.lower() in UNLIKE:
        return ""  # nobody misspelt that
    known, elsewhere = list(known), ELSEWHERE.get(name.lower())
    close = [elsewhere] if elsewhere in known else difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """A text without control characters, each written as its escape: names and metadata come from strangers."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, length: int = QUOTED) -> str:
    """A text no longer than that."""
    return text if len(text) <= length else text[: length - 3] + "..."


def quote(text: str) -> str:
    """A text as a message quotes it: in quotation marks, without control characters, not too long."""
    return cut(repr(text))


def fault_of(component: object) -> str:
    """``a fault of Relu (module nnplug_builtins.relu)``, for what breaks its contract."""
    cls = type(component)
    return f"a fault of {cls.__name__} (module {cls.__module__})"


def called(name: str) -> str:
    """What a thing is said to be called. What is no name is not repeated: a stranger may have put a command there."""
    return repr(name) if re.fullmatch(r"[\w:.-]{1,80}", name) else "that, and none can be"


def join(path: str, key: str) -> str:
    """The path of ``key`` inside ``path``; what is no usual key stands in quotation marks, as in TOML."""
    key = cut(key) if re.fullmatch(r"[\w./-]+", key) else quote(key)
    return f"{path}.{key}" if path else key
