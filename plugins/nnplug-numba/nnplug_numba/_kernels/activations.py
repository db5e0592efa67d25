"""Activation functions, forward and backward; arrays of any shape, ``out`` and ``dx`` in one piece."""

from __future__ import annotations

from nnplug import Array
from nnplug_numba._kernels.exp import two_to_the
from nnplug_numba._kernels.kernel import kernel


@kernel
def relu_forward(x: Array, out: Array) -> None:
    x, out = x.ravel(), out.ravel()
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] <= zero else x[i]  # so written, NaN stays NaN


@kernel
def relu_backward(out: Array, dout: Array, dx: Array) -> None:
    out, dout, dx = out.ravel(), dout.ravel(), dx.ravel()
    zero = out.dtype.type(0)
    for i in range(out.size):
        dx[i] = dout[i] if out[i] > zero else zero


@kernel
def sigmoid_forward(x: Array, out: Array) -> None:
    x, out = x.ravel(), out.ravel()
    one, high = x.dtype.type(1), x.dtype.type(40)  # exp(-40) is nothing beside 1
    for i in range(x.size):
        two_to_n, q = two_to_the(high if x[i] > high else x[i])
        e = two_to_n * q + two_to_n
        out[i] = e / (one + e)


@kernel
def sigmoid_backward(out: Array, dout: Array, dx: Array) -> None:
    out, dout, dx = out.ravel(), dout.ravel(), dx.ravel()
    one = out.dtype.type(1)
    for i in range(out.size):
        dx[i] = dout[i] * out[i] * (one - out[i])


@kernel
def tanh_forward(x: Array, out: Array) -> None:
    x, out = x.ravel(), out.ravel()
    one, two, most = x.dtype.type(1), x.dtype.type(2), x.dtype.type(20)  # tanh(20) is 1 in float64
    for i in range(x.size):
        two_to_n, q = two_to_the(two * (most if x[i] > most else x[i]))
        e_minus_1 = two_to_n * q + (two_to_n - one)
        out[i] = e_minus_1 / (e_minus_1 + two)


@kernel
def tanh_backward(out: Array, dout: Array, dx: Array) -> None:
    out, dout, dx = out.ravel(), dout.ravel(), dx.ravel()
    one = out.dtype.type(1)
    for i in range(out.size):
        dx[i] = dout[i] * (one - out[i] * out[i])
