"""A residual block for nnplug: a shortcut around layers that a config names."""

from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import min_len

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, ShapeError, hookimpl


@frozen
class Residual(Layer):
    """``out = x + f(x)``, where f is some layers in a row; so ``dx = dout + (f's dx)``.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.

    Args:
        layers: names, tables or layers; what they make of x must have its shape.
    """

    layers: tuple[Layer, ...] = field(validator=min_len(1))

    def plan(self, x: ArraySpec) -> Plan:
        """Samples keep their shape.

        Raises:
            ShapeError: f gives another shape.
        """
        children, out = {}, x
        for name, layer in self._named():
            plan = layer.plan(out)
            children[name] = (layer, plan)
            out = plan.out
        if out.shape != x.shape:
            raise ShapeError(
                f"residual adds its input {x.shape} to what its layers make of it, {out.shape}; "
                f"let the last of them put out {x.shape}"
            )
        return Plan(out=x, children=children)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, list[Any]]:
        """Return ``x + f(x)``; the cache holds the caches of the layers."""
        out, caches = x, []
        for name, layer in self._named():
            out, cache = layer.forward(params[name], out, ctx.child(name))
            caches.append(cache)
        return np.add(out, x, out=ctx.empty(x.shape, x.dtype)), caches

    def backward(self, params: Params, grads: Params, cache: list[Any], dout: Array, ctx: Context) -> Array | None:
        """Go back through the layers; the shortcut adds dout."""
        dx: Any = dout
        children = self._named()
        for i in range(len(children) - 1, -1, -1):
            name, layer = children[i]
            need_dx = ctx.need_dx or i > 0
            dx = layer.backward(params[name], grads[name], cache[i], dx, ctx.child(name, need_dx))
        return np.add(dx, dout, out=ctx.empty(dout.shape, dout.dtype)) if ctx.need_dx else None

    def _named(self) -> list[tuple[str, Layer]]:
        return [(layer.name or f"layer{i}", layer) for i, layer in enumerate(self.layers, 1)]


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``residual``."""
    return {"residual": Residual}
