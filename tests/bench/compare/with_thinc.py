"""thinc with its NumPy backend."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from thinc.api import SGD, Adam, Linear, NumpyOps, Relu, Softmax_v2, chain, set_current_ops, sigmoid_activation

from workloads import Workload, batches, initial

VERSION = "thinc"


class Contestant:
    """`begin_update`, softmax cross-entropy and its gradient, `finish_update`; no averages of the parameters."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        set_current_ops(NumpyOps(use_blis=work.sizes[1] < 100))  # its own products are the faster ones on small layers
        layers: list[Any] = []
        for units in work.sizes[1:-1]:
            layers += [Relu(units)] if work.activation == "relu" else [Linear(units), sigmoid_activation()]
        self._net = chain(*layers, Softmax_v2(work.sizes[-1]))
        self._data = data
        self._net.initialize(X=data["x"][:2], Y=np.eye(10, dtype=np.float32)[data["y"][:2]])
        rng = np.random.default_rng(0)
        learning = [layer for layer in self._net.walk() if layer.has_param("W")]
        for layer, (W, _) in zip(learning, initial(work.sizes, rng), strict=True):
            layer.set_param("W", W.T.copy())
        self._batches = batches(len(data["x"]), work.batch_size, rng)
        rule = Adam if work.rule == "adam" else SGD
        self._rule = rule(work.learning_rate, L2=0.0, grad_clip=0.0, use_averages=False)
        self._rows = np.arange(work.batch_size)
        self.losses: list[float] = []

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        net, x, y = self._net, self._data["x"], self._data["y"]
        started = perf_counter()
        for _ in range(steps):
            index = next(self._batches)
            targets = y[index]
            probabilities, backprop = net.begin_update(x[index])
            self.losses.append(-float(np.log(probabilities[self._rows, targets]).mean()))
            dscores = probabilities  # ours alone: the layer's backward does not look at them again
            dscores[self._rows, targets] -= 1
            dscores /= len(index)
            backprop(dscores)
            net.finish_update(self._rule)
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._net.predict(x).argmax(axis=1)
