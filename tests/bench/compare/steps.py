"""Microseconds a training step takes: nnplug, a loop by hand, the products alone, and every peer that is installed.

Every contestant does the same work: gathers batches of rows without replacement, computes the loss and its gradient,
moves the parameters. Each has a process of its own and warms up for a turn; see `turns` for how they are timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import mean
from typing import Any

from results import Settings, figure, table
from turns import EACH, generations, ratio, spread, take_turns
from workloads import WORKLOADS, Workload

TITLES = {
    "nnplug": "nnplug",
    "nnplug_numba": "nnplug-numba",
    "floor": "NumPy by hand",
    "products": "products alone",
    "jax": "JAX",
    "jax_scan": "JAX, scan",
    "torch": "PyTorch",
    "sklearn": "scikit-learn",
}
OURS = ("nnplug", "nnplug_numba")
BOUNDS = ("floor", "products", "jax_scan")  # no frameworks, or one whose steps nobody can look at
BEHIND = 0.02  # of accuracy: who is further behind the best has done something else

Found = dict[str, dict[str, Any]]  # by contestant


def measure(settings: Settings) -> dict[str, Found]:
    """Every workload, with contestants in turns."""
    return {name: _measure(WORKLOADS[name], settings) for name in settings.workloads}


def _measure(work: Workload, settings: Settings) -> Found:
    steps = 3 if settings.quick else work.turn
    times: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {}
    about: dict[str, dict[str, Any]] = {}
    for running, rounds, first in generations(settings.contestants, work, settings.folder, settings.rounds):
        for worker in running.values():
            worker.run(steps)
        measured = take_turns(running, steps, rounds, seed=first)
        for name, worker in running.items():
            times.setdefault(name, []).extend(measured[name])
            about[name] = {"version": worker.version, "pools": worker.ask("about")}
            if name != "products":
                accuracies.setdefault(name, []).append(worker.ask("accuracy"))
    return {
        name: spread(times[name])
        | {
            "steps": steps * settings.rounds,
            "learned": steps * (1 + min(EACH, settings.rounds)),
            "accuracy": mean(accuracies[name]) if name in accuracies else None,
            **about[name],
        }
        for name in times
    }


def markdown(found: dict[str, Found]) -> str:
    """Tables of times, of ratios (the fastest peer's bold) and of accuracies; what ran."""
    names = list(dict.fromkeys(name for entry in found.values() for name in entry))
    others = [name for name in names if name not in OURS]
    parts = ["Microseconds a step, median of the rounds, and the quartiles:", _table(found, names, _time)]
    for ours in (name for name in OURS if name in names):
        parts += [
            f"The time of {_title(ours)} divided by theirs, the median of the rounds' ratios (below 1: it is faster):",
            _table(found, others, partial(_ratio, ours)),
        ]
    parts += [
        f"Accuracy on the test images after {_learned(found)} steps, the mean of all processes:",
        _table(found, [name for name in names if name != "products"], _accuracy),
        f"**!**: over {BEHIND * 100:.0f} points behind the best, not counted.",
        "\n".join(
            f"- {workload}: {WORKLOADS[workload].words}; {_steps(entry)} steps" for workload, entry in found.items()
        ),
        "\n".join(f"- {_title(name)}: {_about(found, name)}" for name in names),
    ]
    return "\n\n".join(parts)


def _table(found: dict[str, Found], names: list[str], cell: Callable[[Found, str], str]) -> str:
    rows = [[_title(name), *[cell(entry, name) if name in entry else "" for entry in found.values()]] for name in names]
    return table(["", *found], rows)


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " "))


def _time(entry: Found, name: str) -> str:
    low, high = entry[name]["quartiles"]
    return f"{figure(entry[name]['median'])} ({figure(low)} to {figure(high)})"


def _ratio(ours: str, entry: Found, name: str) -> str:
    text = f"{ratio(entry[ours]['rounds'], entry[name]['rounds']):.2f}" if ours in entry else ""
    return f"**{text}**" if name == fastest_peer(entry) else text


def _accuracy(entry: Found, name: str) -> str:
    return f"{entry[name]['accuracy'] * 100:.2f} %{' **!**' if behind(entry, name) else ''}"


def behind(entry: Found, name: str) -> bool:
    """Whether it learned less than it should have after so many steps."""
    best = max(other["accuracy"] or 0 for other in entry.values())
    return entry[name]["accuracy"] is not None and entry[name]["accuracy"] < best - BEHIND


def fastest_peer(entry: Found) -> str | None:
    """The fastest contestant that is neither of this house nor a bound."""
    peers = [name for name in entry if name not in (*OURS, *BOUNDS) and not behind(entry, name)]
    return min(peers, key=lambda name: entry[name]["median"], default=None)


def _steps(entry: Found) -> int:
    return next(iter(entry.values()))["steps"]


def _learned(found: dict[str, Found]) -> str:
    counts = dict.fromkeys(next(iter(entry.values()))["learned"] for entry in found.values())
    return " or ".join(f"{count:,}" for count in counts)


def _about(found: dict[str, Found], name: str) -> str:
    about = next(entry[name] for entry in found.values() if name in entry)
    return f"{about['version']}; {', '.join(about['pools']) or 'no thread pool that tells its name'}"
