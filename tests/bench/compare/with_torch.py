"""PyTorch in eager mode, with the fused Adam."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch

from workloads import Workload, batches, initial

VERSION = "torch"


class Contestant:
    """The usual training loop."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        layers: list[Any] = []
        for W, _ in initial(work.sizes, rng):
            layers += [torch.nn.Linear(*W.shape), torch.nn.ReLU() if work.activation == "relu" else torch.nn.Sigmoid()]
            layers[-2].weight.data.copy_(torch.from_numpy(W.T))
            layers[-2].bias.data.zero_()
        self._net = torch.nn.Sequential(*layers[:-1])
        self._x, self._y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
        self._batches = batches(len(data["x"]), work.batch_size, rng)
        if work.rule == "adam":
            self._rule: Any = torch.optim.Adam(self._net.parameters(), lr=work.learning_rate, fused=True)
        else:
            self._rule = torch.optim.SGD(self._net.parameters(), lr=work.learning_rate, fused=True)

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        loss_of = torch.nn.functional.cross_entropy
        started = perf_counter()
        for _ in range(steps):
            index = torch.from_numpy(next(self._batches))
            self._rule.zero_grad(set_to_none=True)
            x, y = self._x.index_select(0, index), self._y.index_select(0, index)
            loss = loss_of(self._net(x), y)
            loss.backward()
            self._rule.step()
            loss.item()
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        with torch.no_grad():
            return self._net(torch.from_numpy(x)).argmax(dim=1).numpy()
