"""The one layer the core owns: layers in a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from nnplug.context import Context
from nnplug.contracts import Layer
from nnplug.errors import ShapeError
from nnplug.hookspecs import hookimpl
from nnplug.naming import number, snake_case
from nnplug.specs import Array, ArraySpec, Params, Plan


def _as_tuple(layers: Iterable[Layer | str]) -> tuple[Layer | str, ...]:
    return tuple(layers)


@frozen
class Chain(Layer):
    """Layers in a row: each one's out is the next one's x, ``out = f_k(...f_2(f_1(x)))``.

    Backwards, by the chain rule, each one's dx is the dout of the one before.

    Args:
        layers: names, tables or layers, from input to output.

    Attributes:
        children: the layers with the names they have in paths.
    """

    layers: tuple[Layer | str, ...] = field(converter=_as_tuple)
    children: tuple[tuple[str, Layer], ...] = field(init=False, repr=False, eq=False)

    @children.default
    def _name_children(self) -> tuple[tuple[str, Layer], ...]:
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        names = number((layer.name, snake_case(type(layer).__name__)) for layer in layers)
        return tuple(zip(names, layers, strict=True))

    def plan(self, x: ArraySpec) -> Plan:
        """Plan each layer on what the one before puts out.

        Raises:
            ShapeError: a layer does not fit, with its place in the chain.
        """
        unresolved = [layer for layer in self.layers if not isinstance(layer, Layer)]
        if unresolved:
            raise ShapeError(f"{unresolved[0]!r} is still a name; build the model with nnplug.build, which resolves it")
        children: dict[str, tuple[Layer, Plan]] = {}
        for i, (name, layer) in enumerate(self.children):
            try:
                plan = layer.plan(x)
            except ShapeError as error:
                raise error.within(f"layers[{i}]") from None
            children[name] = (layer, plan)
            x = plan.out
        return Plan(out=x, children=children)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, list[Any]]:
        """Run the layers one after the other; the cache is the list of their caches."""
        caches = []
        for name, layer in self.children:
            x, cache = layer.forward(params[name], x, ctx.child(name))
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, grads: Params, cache: list[Any], dout: Array, ctx: Context) -> Array | None:
        """Run back through the layers, only as far down as a gradient is needed."""
        first = 0 if ctx.need_dx else self._first_that_trains(grads)
        dx: Array | None = dout
        for i in range(len(self.children) - 1, first - 1, -1):
            name, layer = self.children[i]
            need_dx = ctx.need_dx or i > first
            dx = layer.backward(params[name], grads[name], cache[i], dx, ctx.child(name, need_dx))  # type: ignore[arg-type]
        return dx if first == 0 else None

    def _first_that_trains(self, grads: Params) -> int:
        """The index of the lowest layer with parameters to learn; below it no gradient is needed."""
        for i, (name, layer) in enumerate(self.children):
            own = grads[name]
            if own and layer.trainable and (layer.trains(own) if type(layer) is Chain else _holds_arrays(own)):
                return i
        return len(self.children)

    def trains(self, grads: Params) -> bool:
        """Whether any of the layers has parameters to learn."""
        return self._first_that_trains(grads) < len(self.children)


def _holds_arrays(grads: Params) -> bool:
    """False for layers without parameters, and for composites of such layers."""
    for value in grads.values():
        if hasattr(value, "dtype") or _holds_arrays(value):
            return True
    return False


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Register the chain."""
    return {"chain": Chain}
