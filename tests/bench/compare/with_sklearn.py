"""scikit-learn's MLPClassifier, an epoch over part of the rows at a time."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from workloads import Workload

VERSION = "scikit-learn"
TITLE = "scikit-learn"


class Contestant:
    """A turn is one `partial_fit` on as many rows as it has steps for, the next ones each time."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        self._x, self._y, self._batch_size = data["x"], data["y"], work.batch_size
        self._classes, self._start = np.unique(data["y"]), 0
        sklearn.set_config(assume_finite=True)  # no look at every number at the beginning of a turn
        self._net = MLPClassifier(
            work.sizes[1:-1],
            activation="logistic" if work.activation == "sigmoid" else work.activation,
            solver=work.rule,
            alpha=0.0,
            batch_size=work.batch_size,
            learning_rate_init=work.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=0,
        )

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        rows = steps * self._batch_size
        assert rows <= len(self._x), "a turn is an epoch at most"
        if self._start + rows > len(self._x):
            self._start = 0
        part = slice(self._start, self._start + rows)
        self._start += rows
        started = perf_counter()
        self._net.partial_fit(self._x[part], self._y[part], classes=self._classes)
        return perf_counter() - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._net.predict(x)
