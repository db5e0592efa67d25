"""A recurrent layer for nnplug: Elman's, trained by backpropagation through time."""

import numpy as np
from attrs import field, frozen
from attrs.validators import ge

from nnplug import Array, ArraySpec, Context, Initializer, Layer, Params, ParamSpec, Plan, ShapeError, hookimpl


@frozen
class Recurrent(Layer):
    """A state h that takes in one step of a sequence after the other; x is (N, T, D), h is (N, H).

    With h[0] = 0 and t from 1 to T::

        h[t] = tanh(x[t] @ Wx + h[t-1] @ Wh + b)

    Backwards through time, da[t] being the gradient with respect to what tanh is taken of::

        dh[t] = dout[t] + da[t+1] @ Wh.T      da[t] = dh[t] * (1 - h[t]**2)
        dWx = sum of x[t].T @ da[t]           dWh = sum of h[t-1].T @ da[t]
        db = sum of da[t]                     dx[t] = da[t] @ Wx.T

    Elman, "Finding Structure in Time", 1990.

    Args:
        units: the size H of the state.
        sequences: whether out is every state (N, T, H); False: the last one, (N, H).
        input_init: how Wx (D, H) starts.
        state_init: how Wh (H, H) starts.
    """

    units: int = field(validator=ge(1))
    sequences: bool = False
    input_init: Initializer | str = "xavier"
    state_init: Initializer | str = "xavier"

    def plan(self, x: ArraySpec) -> Plan:
        """A sample (T, D) becomes (H,) or (T, H).

        Raises:
            ShapeError: samples are no sequences of vectors, or not floating point.
        """
        if len(x.shape) != 2 or x.shape[0] < 1 or x.dtype.kind != "f":
            raise ShapeError(f"recurrent needs floating-point samples (T, D), given {x}")
        steps, features = x.shape
        out = x.with_shape(steps, self.units) if self.sequences else x.with_shape(self.units)
        params = {
            "Wx": ParamSpec((features, self.units), self.input_init),
            "Wh": ParamSpec((self.units, self.units), self.state_init),
            "b": ParamSpec((self.units,), decay=False),
        }
        return Plan(out=out, params=params)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        """Return the states or the last one; the cache is x and all states, h[0] among them."""
        rows, steps, _ = x.shape
        states = ctx.empty((rows, steps + 1, self.units), x.dtype)
        states[:, 0] = 0
        for t in range(steps):
            a = x[:, t] @ params["Wx"]
            a += states[:, t] @ params["Wh"]
            a += params["b"]
            np.tanh(a, out=states[:, t + 1])
        return states[:, 1:] if self.sequences else states[:, -1], (x, states)

    def backward(
        self, params: Params, grads: Params, cache: tuple[Array, Array], dout: Array, ctx: Context
    ) -> Array | None:
        """Go back through time, from the last step to the first."""
        x, states = cache
        steps = x.shape[1]
        for grad in grads.values():
            grad[...] = 0
        dx = ctx.empty(x.shape, x.dtype) if ctx.need_dx else None
        dh = np.zeros_like(states[:, 0]) if self.sequences else dout
        for t in range(steps - 1, -1, -1):
            if self.sequences:
                dh = dh + dout[:, t]
            da = dh * (1 - states[:, t + 1] ** 2)
            grads["Wx"][...] += x[:, t].T @ da
            grads["Wh"][...] += states[:, t].T @ da
            grads["b"][...] += da.sum(axis=0)
            if dx is not None:
                dx[:, t] = da @ params["Wx"].T
            dh = da @ params["Wh"].T
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``recurrent``."""
    return {"recurrent": Recurrent}
