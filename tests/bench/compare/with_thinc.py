"""thinc with its NumPy backend."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from thinc.api import SGD, Adam, Linear, Relu, Sigmoid, Softmax_v2, chain, fix_random_seed

from workloads import Workload, batches

VERSION = "thinc"


class Contestant:
    """`begin_update`, the gradient of softmax cross-entropy, `finish_update`."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        fix_random_seed(0)
        hidden = Relu if work.activation == "relu" else None
        layers: list[Any] = []
        for units in work.sizes[1:-1]:
            layers += [hidden(units)] if hidden else [Linear(units), _sigmoid(units)]
        self._net = chain(*layers, Softmax_v2(work.sizes[-1]))
        self._data = data
        self._net.initialize(X=data["x"][:2], Y=np.eye(10, dtype=np.float32)[data["y"][:2]])
        self._batches = batches(len(data["x"]), work.batch_size, np.random.default_rng(0))
        rate = work.learning_rate
        self._rule = Adam(rate, L2=0.0, grad_clip=0.0) if work.rule == "adam" else SGD(rate, L2=0.0, grad_clip=0.0)
        self._rows = np.arange(work.batch_size)

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        net, x, y = self._net, self._data["x"], self._data["y"]
        started = perf_counter()
        for _ in range(steps):
            index = next(self._batches)
            probabilities, backprop = net.begin_update(x[index])
            dscores = probabilities.copy()
            dscores[self._rows, y[index]] -= 1
            dscores /= len(index)
            backprop(dscores)
            net.finish_update(self._rule)
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._net.predict(x).argmax(axis=1)


def _sigmoid(units: int) -> Any:
    from thinc.api import sigmoid_activation

    return sigmoid_activation() if callable(sigmoid_activation) else Sigmoid(units)
