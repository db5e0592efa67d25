"""The plots of docs/explanation/speed.md, as PNG files; they can be told apart without colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steps import TITLES, Found

STYLES = {
    "nnplug": ("nnplug", {"color": "black", "marker": "o", "linestyle": "-"}),
    "floor": ("NumPy by hand", {"color": "tab:blue", "marker": "s", "linestyle": "--", "markerfacecolor": "none"}),
    "products": ("products alone", {"color": "tab:orange", "marker": "^", "linestyle": ":"}),
}
AXES = {
    "width": "units in each hidden layer",
    "depth": "hidden layers",
    "batch": "rows in a batch",
    "rows": "rows of data",
}


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw whatever the results hold; the files written."""
    import matplotlib as mpl

    mpl.use("agg")
    drawn = []
    for part, figure in (("steps", _steps), ("growth", _growth), ("flatness", _flatness)):
        if part in results:
            file = folder / f"speed-{part}.png"
            figure(results[part]).savefig(file, dpi=100, metadata={"Software": None})
            drawn.append(file)
    return drawn


def _steps(found: dict[str, Found]) -> Any:
    from matplotlib import pyplot

    figure, row = pyplot.subplots(1, len(found), figsize=(9, 3), sharey=True, squeeze=False, layout="constrained")
    for axes, (workload, entry) in zip(row.flat, found.items(), strict=True):
        for name, times in entry.items():
            title, (low, high) = TITLES.get(name, name), times["quartiles"]
            axes.plot([low, high], [title, title], color="0.5", linewidth=3)
            axes.plot(
                [times["median"]], [title], marker="o", color="black" if name.startswith("nnplug") else "tab:blue"
            )
        axes.set(title=workload, xlabel="µs a step", xlim=(0, None))
        axes.locator_params(axis="x", nbins=4)
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    row[0, 0].invert_yaxis()
    return figure


def _growth(found: dict[str, list[dict[str, Any]]]) -> Any:
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, 2, figsize=(8.5, 6.5), sharey=True, layout="constrained")
    for axes, (sweep, points) in zip(grid.flat, found.items(), strict=True):
        at = [point["at"] for point in points]
        for name, (label, style) in STYLES.items():
            axes.plot(at, [point[name]["median"] for point in points], label=label, markersize=5, **style)
        axes.set(xscale="log", yscale="log", xlabel=AXES[sweep])
        axes.set_xticks(at, [_short(n) for n in at], minor=False)
        axes.yaxis.set_major_formatter(lambda value, _: _time(value))
        axes.minorticks_off()
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("time of a training step")
    grid[1, 1].legend(frameon=False, loc="upper left")
    return figure


def _flatness(found: dict[str, list[float]]) -> Any:
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
    steps = [number / 1000 for number in found["steps"]]
    for name in ("nnplug", "products"):
        label, style = STYLES[name]
        above.plot(steps, found[name], label=label, **style | {"marker": "", "linewidth": 1.2})
    below.plot(steps, [size / 10**6 for size in found["memory"]], color="black")
    above.set(ylabel="microseconds a step")
    below.set(ylabel="nnplug's memory, MB", xlabel="steps done, in thousands")
    for axes in (above, below):
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    above.legend(frameon=False, ncols=2)
    return figure


def _short(n: int) -> str:
    for power, sign in ((10**6, "M"), (10**3, "k")):
        if n % power == 0:
            return f"{n // power}{sign}"
    return str(n)


def _time(microseconds: float) -> str:
    for power, unit in ((10**6, "s"), (10**3, "ms")):
        if microseconds >= power:
            return f"{microseconds / power:g} {unit}"
    return f"{microseconds:g} µs"
