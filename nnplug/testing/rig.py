"""The rig: one layer with arrays of its own, outside any model, so that every call can be watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.random import Generator

from nnplug.arena import Arena
from nnplug.buffers import Buffers, Layout, lay_out
from nnplug.context import Context
from nnplug.contracts import Initializer, Layer
from nnplug.network import frozen_paths
from nnplug.registry import Registry
from nnplug.specs import Array, ArraySpec, Params, ParamSpec, Plan
from nnplug.streams import Streams
from nnplug.testing.arrays import CleanArena, arrays_in
from nnplug.testing.outcome import Failure

GAP = 5  # elements between two parameters' gradients, where nobody may write
JITTER = 0.3  # what initial values are moved by, so that no bias is zero
NAME = "layer"  # what the layer is called in its paths


class RecordingContext(Context):
    """A context that remembers which children were asked for."""

    __slots__ = ("asked",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: set[str] = set()

    def child(self, name: str, need_dx: bool = True) -> Context:
        """The context of a child."""
        self.asked.add(name)
        return super().child(name, need_dx)


class Rig:
    """A layer, planned for one sample, with parameters, gradients and state.

    Args:
        layer: the layer.
        spec: a sample, in the dtype of the model.
        registry: where the names of initializers are looked up.
        dtype: the model's dtype.
        seed: what initial values follow from; the same for every dtype.
    """

    def __init__(
        self, layer: Layer, spec: ArraySpec, registry: Registry, dtype: str = "float64", seed: int = 0
    ) -> None:
        self.layer, self.spec, self.dtype = layer, spec, np.dtype(dtype)
        self.plan: Plan = layer.plan(spec)
        layout = _with_gaps(lay_out(layer, self.plan))
        streams = Streams(seed)

        def initialise(path: str, spec: ParamSpec) -> Array:
            if isinstance(spec.init, int | float):
                start = np.full(spec.shape, float(spec.init))
            else:
                initializer: Initializer = registry.create("initializer", spec.init)
                start = np.asarray(initializer(streams.fresh("initialise", path), spec, np.dtype("float64")))
            moved = JITTER * streams.fresh("jitter", path).uniform(-1, 1, start.shape)
            return np.where(start == 0, moved, start * (1 + moved))  # what starts positive stays positive

        self._buffers = Buffers.allocate(self.plan, layout, dtype, initialise)
        self.params: Params = self._buffers.params
        self.grads: Params = self._buffers.grads
        self.by_path: Mapping[str, Array] = self._buffers.named(self._buffers.vector)
        self.grads_by_path: Mapping[str, Array] = self._buffers.named(self._buffers.gradient)
        self.state: Mapping[str, Array] = self._buffers.state
        self._kept = {path: array.copy() for path, array in self.state.items()}

    # What a model would do

    def context(self, *, training: bool = True, seed: int | Streams = 0, arena: Arena | None = None) -> Context:
        """A context for one step; `forward` and `backward` give the layer a child of it."""
        frozen = frozenset(frozen_paths(self.layer, self.plan, NAME))
        return Context(training=training, dtype=self.dtype, seed=seed, arena=arena or CleanArena(), frozen=frozen)

    def forward(self, x: Array, ctx: Context) -> tuple[Array, Any]:
        """The layer's out and cache, after a look at what came back.

        Raises:
            Failure: not a pair of an array and a cache.
        """
        returned: Any = self.layer.forward(self.params, x, ctx.child(NAME))
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise Failure(f"forward must return (out, cache), it returned {type(returned).__name__}")
        out, cache = returned
        if not hasattr(out, "shape") or not hasattr(out, "dtype"):
            raise Failure(f"forward must return an array first, it returned {type(out).__name__}")
        return out, cache

    def backward(self, cache: Any, dout: Array, ctx: Context, *, need_dx: bool = True) -> Array | None:
        """The layer's dx.

        Raises:
            Failure: nothing came back although dx is needed.
        """
        dx = self.layer.backward(self.params, self.grads, cache, dout, ctx.child(NAME, need_dx))
        if need_dx and self.spec.dtype.kind == "f" and not hasattr(dx, "shape"):
            raise Failure(
                f"backward returned {type(dx).__name__} where ctx.need_dx is true; "
                "return the gradient with respect to x, None only where nobody needs it"
            )
        return dx

    # What only a test does

    def dout(self, out: Array, seed: int) -> Array:
        """A random gradient from above."""
        return np.random.default_rng([seed, 1]).standard_normal(out.shape).astype(self.dtype)

    def reset(self) -> None:
        """Put the state back to where `settle` left it, or to its start."""
        for path, array in self._kept.items():
            self.state[path][...] = array

    def settle(self, x: Array) -> None:
        """Let the state take in one training step, so that it is not what it started with."""
        if self.state:
            self.forward(x, self.context(training=True))
            self._kept = {path: array.copy() for path, array in self.state.items()}

    def fill_gradients(self, value: float | Generator) -> dict[str, Array]:
        """Put something into every gradient, and NaN into the gaps; return copies of it by path."""
        self._buffers.gradient.fill(np.nan)
        for array in self.grads_by_path.values():
            array[...] = value.standard_normal(array.shape) if isinstance(value, Generator) else value
        return {path: array.copy() for path, array in self.grads_by_path.items()}

    def gaps_untouched(self) -> bool:
        """Whether nothing was written between the gradients."""
        gradient = self._buffers.gradient.copy()
        for placed in self._buffers.layout.params:
            gradient[placed.start : placed.stop] = np.nan
        return bool(np.isnan(gradient).all())

    def freeze(self, *, state: bool) -> None:
        """Make the parameters that the layer is given read-only, and the state if that is wanted, too."""
        moving = [] if state else [id(array) for array in self.state.values()]
        for _, array in arrays_in(self.params, "params"):
            if id(array) not in moving:
                array.setflags(write=False)


def _with_gaps(layout: Layout) -> Layout:
    """The same parameters further apart, so that a gradient written past its end shows."""
    placed, start = [], GAP
    for parameter in layout.params:
        size = parameter.spec.size
        placed.append(attrs.evolve(parameter, start=start, stop=start + size))
        start += size + GAP
    return attrs.evolve(layout, params=tuple(placed), decayed=start, trained=start, size=start)
