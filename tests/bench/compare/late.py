"""Whether steps become dearer while training goes on: steps 5,000 to 6,000 beside steps 200 to 1,200.

Where gradients stay zero, as at pixels that are never lit, an update rule's means shrink into the subnormal numbers,
and every operation on those takes a hundred cycles. Two processes train the same network, one far ahead of the other,
and take turns; then two others.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from results import Settings, figure, table
from turns import ratio, spread, take_turns, workers
from workloads import WORKLOADS

RATES = {"adam": 1e-3, "adamw": 1e-3, "momentum": 0.01, "rmsprop": 1e-3, "adagrad": 0.01}
START = {"early": 200, "late": 5000}
STEPS, ROUNDS, PAIRS = 50, 20, 6
TARGET = 1.05


def measure(settings: Settings) -> dict[str, Any]:
    """Times early and late, by update rule."""
    rules = list(RATES)[: 1 if settings.quick else None]
    return {rule: _measure(rule, settings) for rule in rules}


def _measure(rule: str, settings: Settings) -> dict[str, Any]:
    work = evolve(WORKLOADS["W3"], rule=rule, learning_rate=RATES[rule])
    steps, rounds = (5, 2) if settings.quick else (STEPS, ROUNDS)
    times: dict[str, list[float]] = {name: [] for name in START}
    for pair in range(1 if settings.quick else PAIRS):
        with workers(["nnplug"], work, settings.folder) as a, workers(["nnplug"], work, settings.folder) as b:
            running = {"early": a["nnplug"], "late": b["nnplug"]}
            for name, worker in running.items():
                worker.run(START[name] // (100 if settings.quick else 1))
            for name, measured in take_turns(running, steps, rounds, seed=pair).items():
                times[name] += measured
    return {name: spread(values) for name, values in times.items()}


def markdown(found: dict[str, Any]) -> str:
    """A line for each rule."""
    rows = [
        [
            f"`{rule}`",
            *[figure(times[name]["median"]) for name in START],
            f"{ratio(times['late']['rounds'], times['early']['rounds']):.3f}",
        ]
        for rule, times in found.items()
    ]
    header = [WORKLOADS["W3"].words.split(",")[0], "steps 200 to 1,200, us", "steps 5,000 to 6,000, us", "ratio"]
    return f"{table(header, rows)}\n\nThe target is {TARGET:g} at most."
