"""The arrays of a model: one flat vector of parameters, one of gradients, seen by layers as named views."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from math import inf, prod
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np
from numpy.typing import DTypeLike

from nnplug.arena import aligned_empty
from nnplug.contracts import Layer
from nnplug.errors import NnplugError, PluginError, ShapeError
from nnplug.naming import fault_of, quote
from nnplug.specs import Array, Params, ParamSpec, Plan, StateSpec
from nnplug.tensorfile import CODES

Initialise = Callable[[str, ParamSpec], Array]


@attrs.frozen
class Placed:
    """A parameter with its place in the flat vector: ``vector[start:stop].reshape(spec.shape)``."""

    path: str
    spec: ParamSpec
    start: int
    stop: int

    def view(self, vector: Array) -> Array:
        """The parameter's part of a vector, in the parameter's shape."""
        return vector[self.start : self.stop].reshape(self.spec.shape)


@attrs.frozen
class Layout:
    """Where parameters stand in the vector: first those that decay, then the others that learn, then the frozen.

    Args:
        params: every parameter with its place, in the order of the vector.
        state: every state array by path.
        decayed: the end of those that learn and decay.
        trained: the end of those that learn.
        size: the end.
    """

    params: tuple[Placed, ...]
    state: Mapping[str, StateSpec]
    decayed: int
    trained: int
    size: int


def physical_memory() -> float:
    """The computer's memory in bytes; infinity where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return inf


def lay_out(layer: Layer, plan: Plan) -> Layout:
    """Give every parameter of a planned layer, and of all layers inside it, its place.

    Raises:
        ShapeError: a plan uses one name twice, a name that no path can hold, or state of a dtype that no file can.
        PluginError: what is planned as a parameter or state is no description of one.
    """
    found, state = list(_walk(layer, plan, "", True)), dict(_walk_state(plan, ""))
    for path, kept in state.items():
        if kept.dtype is not None and np.dtype(kept.dtype).name not in CODES:  # told now, not when training is over
            raise ShapeError(f"{path} is planned with dtype {np.dtype(kept.dtype)}, which no model file can hold")
    order = sorted(found, key=lambda item: (0 if item[1].decay else 1) if item[2] else 2)
    placed, start = [], 0
    ends = [0, 0, 0]
    for path, spec, trains in order:
        placed.append(Placed(path, spec, start, start + spec.size))
        start += spec.size
        for group in range((0 if spec.decay else 1) if trains else 2, 3):
            ends[group] = start
    return Layout(tuple(placed), state, ends[0], ends[1], ends[2])


def _walk(layer: Layer, plan: Plan, path: str, trains: bool) -> Iterator[tuple[str, ParamSpec, bool]]:
    trains = trains and layer.trainable
    names = [*plan.params, *plan.state, *plan.children]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ShapeError(f"{path or 'the model'} plans {twice!r} twice; parameters, state and children need own names")
    if dotted := [name for name in names if "." in name]:
        raise ShapeError(f"{path or 'the model'} plans {dotted[0]!r}; a dot in a name would make paths ambiguous")
    _check_specs(layer, plan.params, ParamSpec, path)
    _check_specs(layer, plan.state, StateSpec, path)
    for name, spec in plan.params.items():
        yield f"{path}{name}", spec, trains
    for name, (child, child_plan) in plan.children.items():
        yield from _walk(child, child_plan, f"{path}{name}.", trains)


def _check_specs(layer: Layer, specs: Mapping[str, Any], wanted: type, path: str) -> None:
    for name, spec in specs.items():
        if not isinstance(spec, wanted):
            told = f"{path}{name} is planned as {quote(spec)}, expected {wanted.__name__}(shape)"
            raise PluginError(f"{told}: {fault_of(layer)}")


def _walk_state(plan: Plan, path: str) -> Iterator[tuple[str, StateSpec]]:
    for name, spec in plan.state.items():
        yield f"{path}{name}", spec
    for name, (_, child_plan) in plan.children.items():
        yield from _walk_state(child_plan, f"{path}{name}.")


class Buffers:
    """The arrays behind a layout.

    Attributes:
        vector: every parameter, flat.
        gradient: the gradient of every parameter, flat, in the same places.
        state: state arrays by path.
        params: what layers are given: parameters, state and children by name.
        grads: likewise for gradients.
    """

    def __init__(self, plan: Plan, layout: Layout, vector: Array, state: Mapping[str, Array]) -> None:
        self.layout = layout
        self.vector = vector
        self.gradient = aligned_empty(vector.shape, vector.dtype)
        self.gradient.fill(0)
        self.state = MappingProxyType(dict(state))
        self._plan = plan
        self.params = _tree(plan, "", {**self.named(vector), **self.state})
        self.grads = _tree(plan, "", self.named(self.gradient))

    @classmethod
    def allocate(cls, plan: Plan, layout: Layout, dtype: DTypeLike, initialise: Initialise) -> Buffers:
        """Allocate a model's arrays and initialise every parameter.

        Raises:
            NnplugError: there is not enough memory, or an initializer returns something else than it was asked for.
        """
        dtype = np.dtype(dtype)
        kept = sum(prod(spec.shape) * np.dtype(spec.dtype or dtype).itemsize for spec in layout.state.values())
        if 2 * layout.size * dtype.itemsize + kept > physical_memory():
            raise _too_large(layout, dtype)  # many systems would promise it, and end the process when it is used
        try:
            vector = aligned_empty(layout.size, dtype)
            state = {path: np.full(spec.shape, spec.fill, spec.dtype or dtype) for path, spec in layout.state.items()}
            buffers = cls(plan, layout, vector, state)
        except (MemoryError, ValueError, OverflowError):  # the latter two: more than an address can count
            raise _too_large(layout, dtype) from None
        for placed in layout.params:
            placed.view(vector)[...] = _checked(initialise(placed.path, placed.spec), placed)
        return buffers

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled without the views, which would become arrays of their own, and without gradients."""
        return _restored, (self._plan, self.layout, self.vector, dict(self.state))

    def named(self, vector: Array) -> dict[str, Array]:
        """Views of a flat vector by path."""
        return {placed.path: placed.view(vector) for placed in self.layout.params}

    def twin(self, dtype: DTypeLike | None = None) -> Buffers:
        """The same parameters with gradients and state of their own; in another dtype, a copy of the parameters too."""
        vector = self.vector if dtype is None else self.vector.astype(dtype)
        floating = np.dtype(dtype or vector.dtype)
        state = {
            path: array.astype(floating if array.dtype == self.vector.dtype else array.dtype)
            for path, array in self.state.items()
        }
        return Buffers(self._plan, self.layout, vector, state)


def _restored(plan: Plan, layout: Layout, values: Array, state: Mapping[str, Array]) -> Buffers:
    vector = aligned_empty(values.shape, values.dtype)
    vector[...] = values
    return Buffers(plan, layout, vector, state)


def _too_large(layout: Layout, dtype: np.dtype[Any]) -> NnplugError:
    size = min(layout.size, 10**100)  # more digits say nothing, and a float could not hold them
    return NnplugError(
        f"the model has {size:,} parameters, {size * dtype.itemsize / 2**30:.1f} GiB and as much again "
        "for gradients, which this computer cannot allocate; make it smaller"
    )


def _checked(values: Any, placed: Placed) -> Any:
    if np.shape(values) != placed.spec.shape:
        raise NnplugError(
            f"the initializer of {placed.path} returned shape {np.shape(values)}, expected {placed.spec.shape}"
        )
    return values


def _tree(plan: Plan, path: str, arrays: Mapping[str, Array]) -> Params:
    """Named views nested as the layers are: read-only mappings of writable arrays."""
    own = {name: arrays[f"{path}{name}"] for name in (*plan.params, *plan.state) if f"{path}{name}" in arrays}
    children = {name: _tree(child, f"{path}{name}.", arrays) for name, (_, child) in plan.children.items()}
    return MappingProxyType({**own, **children})
