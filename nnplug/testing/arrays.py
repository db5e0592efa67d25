"""Watching arrays: what was written to, what shares memory, what looks different in memory and is the same."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import attrs
import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from nnplug.arena import Arena, aligned_empty
from nnplug.specs import Array
from nnplug.testing.outcome import Failure


class PoisonedArena(Arena):
    """Scratch memory as unkind as the contract allows: full of NaN when given out, and again when the step ends."""

    def __init__(self) -> None:
        super().__init__()
        self._given: list[Array] = []

    def start(self, rows: int | tuple[int, ...] = ()) -> None:
        """Take all arrays back and spoil what is in them."""
        for array in self._given:
            poison(array)
        self._given.clear()

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """A new array of rubbish."""
        array = aligned_empty(shape, self.dtype if dtype is None else dtype)
        poison(array)
        self._given.append(array)
        self.allocations += 1
        return array


class CleanArena(Arena):
    """Scratch memory full of zeros: what is wrong with its use shows in one check, and not by chance in all."""

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """A new array of zeros."""
        array = aligned_empty(shape, self.dtype if dtype is None else dtype)
        array.fill(0)
        return array


def poison(array: Array) -> None:
    """Fill an array with what nobody would compute: NaN, or a large number where there is none."""
    if array.dtype.kind in "fc":
        array.fill(np.nan)
    elif array.dtype.kind == "b":
        array.reshape(-1)[::2] = True
        array.reshape(-1)[1::2] = False
    elif array.dtype.kind in "iu":
        array.fill(np.iinfo(array.dtype).max // 2)


def arrays_in(value: Any, name: str, depth: int = 8) -> Iterator[tuple[str, Array]]:
    """Every array inside a value, such as a cache, with its place: ``cache[1]``, ``cache['mask']``, ``cache.mask``."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif depth == 0:
        return
    else:
        for place, item in _parts(value):
            yield from arrays_in(item, name + place, depth - 1)


def _parts(value: Any) -> list[tuple[str, Any]]:
    """What a mapping, a list, a tuple or an object is made of, each with its place."""
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    if attrs.has(type(value)):
        return [(f".{field.name}", getattr(value, field.name, None)) for field in attrs.fields(type(value))]
    return (
        [] if isinstance(value, type) else [(f".{key}", item) for key, item in getattr(value, "__dict__", {}).items()]
    )


class Watch:
    """Remembers the bytes of arrays and tells which of them were changed.

    Args:
        values: what to watch, by the name that messages give it: arrays, or anything with arrays inside.
    """

    def __init__(self, **values: Any) -> None:
        found = [pair for name, value in values.items() for pair in arrays_in(value, name)]
        self._before = [(name, array, array.tobytes()) for name, array in found]

    def changed(self) -> str:
        """The name of the first array that is not as it was, or nothing."""
        return next((name for name, array, before in self._before if array.tobytes() != before), "")


def read_only(array: Array) -> Array:
    """A copy that cannot be written to."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def scattered(array: Array) -> Iterator[tuple[str, Array]]:
    """The same numbers as views that are not contiguous, each with a word for how they lie in memory."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), _rubbish(array.dtype), array.dtype)
    wide[..., ::2] = array
    yield "every second column of a wider array", wide[..., ::2]
    tall = np.full((2 * array.shape[0], *array.shape[1:]), _rubbish(array.dtype), array.dtype)
    tall[::2] = array
    yield "every second row of a taller array", tall[::2]
    yield "a transposed array (Fortran order)", np.array(array, order="F")


def _rubbish(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind == "f" else 0


@contextmanager
def no_global_random(instead: str = "leave nothing to chance") -> Iterator[None]:
    """Fail if NumPy's or Python's global random generator is used inside; ``instead`` says what to do."""
    numpy_before, python_before = _numpy_state(), random.getstate()
    yield
    if _numpy_state() != numpy_before:
        raise Failure(f"it draws from NumPy's global generator (np.random.normal and the like); {instead}")
    if random.getstate() != python_before:
        raise Failure(f"it draws from Python's random module; {instead}")


@contextmanager
def generators_made(module: str) -> Iterator[list[Generator]]:
    """A list of what ``numpy.random.default_rng`` makes inside, called by that name or by its name in a module."""
    original = np.random.default_rng
    made: list[Generator] = []

    def watched(*args: Any, **options: Any) -> Generator:
        made.append(original(*args, **options))
        return made[-1]

    with ExitStack() as patches:
        for place in (np.random, sys.modules[module]):
            for name in [name for name, value in vars(place).items() if value is original]:
                patches.enter_context(patch.object(place, name, watched))
        yield made


def _numpy_state() -> tuple[bytes, int]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  (watched, not used)
    return state["state"]["key"].tobytes(), state["state"]["pos"]


def close(a: Any, b: Any, tolerance: float = 1e-9) -> bool:
    """Whether two arrays agree up to rounding; NaN agrees with NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind not in "fc" and b.dtype.kind not in "fc":
        return bool((a == b).all())
    finite = np.abs(b[np.isfinite(b)])
    scale = float(finite.max(initial=0.0))
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True))
