"""scikit-learn's MLPClassifier; a run is whole epochs, scaled to the steps asked for."""

from __future__ import annotations

import warnings
from math import ceil
from time import perf_counter
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from workloads import Workload

VERSION = "scikit-learn"


class Contestant:
    """One `fit` a run, warm-started, on as many rows as the steps need."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        self._data, self._work = data, work
        self._net = MLPClassifier(
            work.sizes[1:-1],
            activation="logistic" if work.activation == "sigmoid" else work.activation,
            solver=work.rule,
            alpha=0.0,
            batch_size=work.batch_size,
            learning_rate_init=work.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            tol=0.0,
            n_iter_no_change=10**9,
            max_iter=1,
            warm_start=True,
            random_state=0,
        )

    def run(self, steps: int) -> float:
        """Train and return the seconds that so many steps take, its checks of the input included."""
        rows = min(steps * self._work.batch_size, len(self._data["x"]) // self._work.batch_size * self._work.batch_size)
        epochs = ceil(steps * self._work.batch_size / rows)
        self._net.set_params(max_iter=epochs)
        x, y = self._data["x"][:rows], self._data["y"][:rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            started = perf_counter()
            self._net.fit(x, y)
            seconds = perf_counter() - started
        return seconds * steps / (epochs * rows / self._work.batch_size)

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._net.predict(x)
