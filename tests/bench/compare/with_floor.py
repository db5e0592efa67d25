"""The floor of any NumPy framework: a loop written by hand for these networks, with every trick of the fast path."""

from __future__ import annotations

from math import prod, sqrt
from time import perf_counter
from typing import Any

import numpy as np

from workloads import Workload, batches, initial

VERSION = "numpy"
BLOCK = 128 * 1024


def empty(*shape: int) -> Any:
    """Like ``np.empty`` in float32, with the first element on a 64-byte boundary: the width of a vector register."""
    memory = np.empty(prod(shape) * 4 + 64, np.uint8)
    return np.ndarray(shape, np.float32, memory, -memory.ctypes.data % 64)


def full(value: float, *shape: int) -> Any:
    """Such memory, full of one value."""
    made = empty(*shape)
    made.fill(value)
    return made


class Contestant:
    """Affine layers and one activation, softmax, SGD or Adam; no function calls but NumPy's, no memory but its own."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        self._data, self._work = data, work
        self._batches = batches(len(data["x"]), work.batch_size, rng)
        pairs = initial(work.sizes, rng)
        size = sum(W.size + b.size for W, b in pairs)
        self._vector, self._gradient = empty(size), empty(size)
        self._m, self._v = full(0, size), full(0, size)
        self._params, self._grads = [], []
        start = 0
        for W, b in pairs:
            views = []
            for flat in (self._vector, self._gradient):
                middle, stop = start + W.size, start + W.size + b.size
                views.append((flat[start:middle].reshape(W.shape), flat[middle:stop]))
            views[0][0][...], views[0][1][...] = W, b
            self._params.append(views[0])
            self._grads.append(views[1])
            start = stop
        n = work.batch_size
        self._x = empty(n, work.sizes[0])
        self._outs = [empty(n, units) for units in work.sizes[1:]]
        shared = {(units, i % 2): empty(n, units) for i, units in enumerate(work.sizes[1:])}
        self._douts = [shared[units, i % 2] for i, units in enumerate(work.sizes[1:])]  # a layer's, and the one's above
        self._zeros = [full(0, n, units) for units in work.sizes[1:-1]]
        self._ones, self._ones_for_classes = full(1, n), full(1, work.sizes[-1])
        self._zero, self._one = np.zeros((), np.float32), np.ones((), np.float32)
        self._share = np.array(1 / n, np.float32)
        self._scores = empty(work.sizes[-1], n)
        self._row, self._rows = empty(n), np.arange(0, n * work.sizes[-1], work.sizes[-1])
        self._t = 0
        self.losses: list[float] = []

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        started = perf_counter()
        for _ in range(steps):
            index = next(self._batches)
            x = self._data["x"].take(index, 0, self._x, "clip")
            y = self._data["y"].take(index)
            self._forward(x)
            self._loss(y)
            self._backward(x)
            if self._work.rule == "adam":
                self._adam()
            else:
                self._gradient *= self._work.learning_rate
                self._vector -= self._gradient
        return perf_counter() - started

    def _forward(self, x: Any) -> None:
        last = len(self._params) - 1
        for i, (W, b) in enumerate(self._params):
            out = x.dot(W, self._outs[i])
            out += b
            if i < last and self._work.activation == "relu":
                np.maximum(out, self._zeros[i], out=out)
            elif i < last:
                np.negative(out, out=out)
                np.exp(out, out=out)
                out += self._one
                np.reciprocal(out, out=out)
            x = out

    def _loss(self, y: Any) -> None:
        s, dscores = self._scores, self._douts[-1]
        n = len(y)
        s[...] = self._outs[-1].T
        row = np.maximum.reduce(s, axis=0, out=self._row)
        s -= row
        place = self._rows + y
        target = self._outs[-1].reshape(-1).take(place)
        target -= row
        np.exp(s, out=s)
        total = self._ones_for_classes.dot(s, self._row)
        np.divide(s, total, out=dscores.T)
        dscores.reshape(-1)[place] -= self._one
        np.multiply(dscores, self._share, dscores)
        np.log(total, out=total)
        total -= target
        self.losses.append(float(self._ones.dot(total)) / n)

    def _backward(self, x: Any) -> None:
        for i in range(len(self._params) - 1, -1, -1):
            dout, below = self._douts[i], self._outs[i - 1] if i else x
            dW, db = self._grads[i]
            below.T.dot(dout, dW)
            self._ones.dot(dout, db)
            if i == 0:
                return
            dx = dout.dot(self._params[i][0].T, self._douts[i - 1])
            if self._work.activation == "relu":
                np.greater(below, self._zero, out=below)
                dx *= below
            else:
                dx *= below
                np.subtract(self._one, below, out=below)
                dx *= below

    def _adam(self) -> None:
        self._t += 1
        t, size = self._t, len(self._vector)
        m_scale, v_scale = 0.1 / (1 - 0.9**t), sqrt(0.001 / (1 - 0.999**t))
        block = BLOCK if size > 2 * BLOCK else size
        for i in range(0, size, block):
            part = slice(i, i + block)
            w, dw, m, v = self._vector[part], self._gradient[part], self._m[part], self._v[part]
            m *= 0.9
            m += dw
            v *= 0.999
            dw *= dw
            v += dw
            if t % 16 == 0:
                for slot in (m, v):
                    slot += 1e-30
                    slot -= 1e-30
            np.sqrt(v, out=dw)
            dw += 1e-8 / v_scale
            np.divide(m, dw, out=dw)
            dw *= self._work.learning_rate * m_scale / v_scale
            w -= dw

    def predict(self, x: Any) -> Any:
        """Class indices."""
        for i, (W, b) in enumerate(self._params):
            x = x @ W + b
            if i < len(self._params) - 1:
                x = np.maximum(x, 0) if self._work.activation == "relu" else 1 / (1 + np.exp(-x))
        return x.argmax(axis=1)
