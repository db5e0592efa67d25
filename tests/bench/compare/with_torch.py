"""PyTorch in eager mode, with the fused Adam."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch

from workloads import Workload, batches

VERSION = "torch"


class Contestant:
    """The usual training loop."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        torch.manual_seed(0)
        layers: list[Any] = []
        for i, o in zip(work.sizes[:-2], work.sizes[1:-1], strict=True):
            layers += [torch.nn.Linear(i, o), torch.nn.ReLU() if work.activation == "relu" else torch.nn.Sigmoid()]
        self._net = torch.nn.Sequential(*layers, torch.nn.Linear(work.sizes[-2], work.sizes[-1]))
        self._x, self._y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
        self._batches = batches(len(data["x"]), work.batch_size, np.random.default_rng(0))
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
            loss = loss_of(self._net(self._x[index]), self._y[index])
            loss.backward()
            self._rule.step()
            loss.item()
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        with torch.no_grad():
            return self._net(torch.from_numpy(x)).argmax(dim=1).numpy()
