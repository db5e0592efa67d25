"""JAX: one jitted step with donated buffers, the batch gathered inside it."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from workloads import Workload, batches, initial

VERSION = "jax"


class Contestant:
    """Parameters and slots as a tree of arrays; Adam after Kingma and Ba."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        params = jax.tree.map(jnp.asarray, initial(work.sizes, rng))
        zeros = jax.tree.map(jnp.zeros_like, params)
        self._state: Any = (params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.float32))
        self._x, self._y = jnp.asarray(data["x"]), jnp.asarray(data["y"])
        self._batches = batches(len(data["x"]), work.batch_size, rng)
        self._forward = partial(_forward, jax.nn.relu if work.activation == "relu" else jax.nn.sigmoid)
        step = _adam if work.rule == "adam" else _sgd
        self._compile(partial(step, self._forward, work.learning_rate))

    def _compile(self, step: Any) -> None:
        self._step = jax.jit(step, donate_argnums=0)

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        started = perf_counter()
        for _ in range(steps):
            self._state, loss = self._step(self._state, self._x, self._y, next(self._batches))
        jax.block_until_ready((self._state, loss))
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return np.asarray(self._forward(self._state[0], jnp.asarray(x)).argmax(axis=1))


def _forward(activation: Any, params: Any, x: Any) -> Any:
    for W, b in params[:-1]:
        x = activation(x @ W + b)
    W, b = params[-1]
    return x @ W + b


def _loss(forward: Any, params: Any, x: Any, y: Any) -> Any:
    logs = jax.nn.log_softmax(forward(params, x))
    return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()


def _sgd(forward: Any, rate: float, state: Any, x: Any, y: Any, index: Any) -> Any:
    params, m, v, t = state
    loss, grads = jax.value_and_grad(partial(_loss, forward))(params, x[index], y[index])
    return (jax.tree.map(lambda w, dw: w - rate * dw, params, grads), m, v, t), loss


def _adam(forward: Any, rate: float, state: Any, x: Any, y: Any, index: Any) -> Any:
    params, m, v, t = state
    loss, grads = jax.value_and_grad(partial(_loss, forward))(params, x[index], y[index])
    t = t + 1
    m = jax.tree.map(lambda m, dw: 0.9 * m + 0.1 * dw, m, grads)
    v = jax.tree.map(lambda v, dw: 0.999 * v + 0.001 * dw * dw, v, grads)
    m_scale, v_scale = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
    params = jax.tree.map(lambda w, m, v: w - rate * m * m_scale / (jnp.sqrt(v * v_scale) + 1e-8), params, m, v)
    return (params, m, v, t), loss
