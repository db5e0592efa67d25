"""The one layer the core owns: layers in a row."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeAlias

from attrs import field, frozen

from nnplug.context import Context
from nnplug.contracts import Layer
from nnplug.errors import PluginError, ShapeError
from nnplug.hookspecs import hookimpl
from nnplug.naming import fault_of, number, quote, snake_case
from nnplug.specs import Array, ArraySpec, Params, Plan

Way: TypeAlias = list[tuple[Layer, Params, Context]]
WayBack: TypeAlias = list[tuple[int, Layer, Params, Params, Context]]


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
            PluginError: what a layer planned is no plan.
        """
        unresolved = [layer for layer in self.layers if not isinstance(layer, Layer)]
        if unresolved:
            raise ShapeError(f"{unresolved[0]!r} is still a name; build the model with nnplug.build, which resolves it")
        children: dict[str, tuple[Layer, Plan]] = {}
        for i, (name, layer) in enumerate(self.children):
            try:
                plan: Any = layer.plan(x)
            except ShapeError as error:
                raise error.within(f"layers[{i}]") from None
            if not isinstance(plan, Plan) or not isinstance(plan.out, ArraySpec):
                raise _no_plan(name, layer, plan)
            children[name] = (layer, plan)
            x = plan.out
        return Plan(out=x, children=children)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, list[Any]]:
        """Run the layers one after the other; the cache is the list of their caches."""
        known, way = ctx.notes.get("way", (None, []))
        if known is not params:
            way = self._find_way(params, ctx)
        caches = []
        for layer, own, inside in way:
            x, cache = layer.forward(own, x, inside)
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, grads: Params, cache: list[Any], dout: Array, ctx: Context) -> Array | None:
        """Run back through the layers, only as far down as a gradient is needed."""
        known, known_grads, way = ctx.notes.get("way back", (None, None, []))
        if known is not params or known_grads is not grads:
            way = self._find_way_back(params, grads, ctx)
        dx: Any = dout
        for i, layer, own, own_grads, inside in way:
            dx = layer.backward(own, own_grads, cache[i], dx, inside)
        return dx if len(way) == len(self.children) else None

    def _find_way(self, params: Params, ctx: Context) -> Way:
        """The layers, each with what its ``forward`` is given; noted, for it is the same in every step."""
        way = [(layer, params[name], ctx.child(name)) for name, layer in self.children]
        ctx.notes["way"] = params, way
        return way

    def _find_way_back(self, params: Params, grads: Params, ctx: Context) -> WayBack:
        """The layers from the last to the lowest that is needed, each with what its ``backward`` is given."""
        first = 0 if ctx.need_dx else self._first_that_trains(grads)
        way = [
            (i, layer, params[name], grads[name], ctx.child(name, ctx.need_dx or i > first))
            for i, (name, layer) in reversed([*enumerate(self.children)][first:])
        ]
        ctx.notes["way back"] = params, grads, way
        return way

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


def _no_plan(name: str, layer: Layer, plan: Any) -> PluginError:
    out: Any = plan.out if isinstance(plan, Plan) else None
    given = quote(plan) if out is None else f"Plan(out={quote(out)})"
    return PluginError(f"the layer {name} planned {given}, expected Plan(out=ArraySpec(...)): {fault_of(layer)}")


def _holds_arrays(grads: Params) -> bool:
    """False for layers without parameters, and for composites of such layers."""
    return any(hasattr(value, "dtype") or _holds_arrays(value) for value in grads.values())


def outputs(layer: Layer, params: Params, x: Array, ctx: Context) -> Generator[tuple[str, Array], None, Array]:
    """Run a layer on x, and yield the path and the output of it and of every layer inside chains, as they are done.

    Returns:
        the last output.
    """
    if isinstance(layer, Chain):
        for name, child in layer.children:
            x = yield from outputs(child, params[name], x, ctx.child(name))
    else:
        x, _ = layer.forward(params, x, ctx)
    if ctx.path:
        yield ctx.path, x
    return x


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Register the chain."""
    return {"chain": Chain}
