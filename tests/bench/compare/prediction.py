"""What a prediction costs beside the bare NumPy expression, for one row and for many.

Both in one process, in turns: ``np.maximum(np.maximum(x @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3`` and `Model.scores`,
the same with ``.argmax(axis=1)`` and `Model.predict`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

import nnplug
from results import Settings, figure, table
from turns import ratio, spread

SIZES = (784, 128, 64, 10)
TARGETS = {1: 3.0, 10_000: 1.1}  # times the bare expression
SECONDS = 0.02  # of calls in a row
ROUNDS = 41


def measure(settings: Settings) -> dict[str, dict[str, Any]]:
    """Times of each by rows and by method."""
    layers: list[Any] = [{"type": "affine", "units": SIZES[1]}, "relu", {"type": "affine", "units": SIZES[2]}, "relu"]
    model = nnplug.build({"layers": [*layers, {"type": "affine", "units": SIZES[3]}]}, input_shape=SIZES[0], seed=0)
    (W1, W2, W3), (b1, b2, b3) = [[model.params[f"affine{i}.{name}"] for i in (1, 2, 3)] for name in "Wb"]

    def scores(x: Any) -> Any:
        return np.maximum(np.maximum(x @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3

    def predict(x: Any) -> Any:
        return scores(x).argmax(axis=1)

    found: dict[str, dict[str, Any]] = {}
    for rows in TARGETS:
        x = np.random.default_rng(0).random((rows, SIZES[0]), np.float32)
        np.testing.assert_allclose(model.scores(x), scores(x), rtol=1e-4, atol=1e-4)
        found[str(rows)] = {
            "scores": _interleave(lambda x=x: model.scores(x), lambda x=x: scores(x), settings.quick),
            "predict": _interleave(lambda x=x: model.predict(x), lambda x=x: predict(x), settings.quick),
        }
    return found


def _interleave(ours: Callable[[], Any], bare: Callable[[], Any], quick: bool) -> dict[str, Any]:
    calls = 1 if quick else max(1, round(SECONDS / _seconds(bare, 3)))
    times: dict[str, list[float]] = {"nnplug": [], "bare": []}
    for number in range(3 if quick else ROUNDS):
        pair = [("nnplug", ours), ("bare", bare)]
        for name, call in pair if number % 2 else reversed(pair):
            times[name].append(_seconds(call, calls) * 1e6)
    return {name: spread(values) for name, values in times.items()}


def _seconds(call: Callable[[], Any], calls: int) -> float:
    started = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - started) / calls


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """A line for each number of rows and each method."""
    rows = [
        [
            f"`{method}`, {int(n):,} row{'s' if int(n) > 1 else ''}",
            figure(times["nnplug"]["median"]),
            figure(times["bare"]["median"]),
            f"{ratio(times['nnplug']['rounds'], times['bare']['rounds']):.2f}",
            f"{TARGETS[int(n)]:g}",
        ]
        for n, methods in found.items()
        for method, times in methods.items()
    ]
    return table([f"{'-'.join(map(str, SIZES))} relu", "nnplug, us", "bare, us", "ratio", "target"], rows)
