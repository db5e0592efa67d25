"""What starting costs, beside `import numpy`.

Every round starts each of them once, in a process of its own, one after the other, so that a machine that is busy for a
while slows all alike; what is told is the median of the processor's time, which other programs hardly lengthen, and its
ratio to that of `import numpy`. Where the system does not tell it (Windows), it is the time on the clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from results import Settings, table
from turns import ratio, spread

ROUNDS = 15
COUNT = 200
NUMPY = "import numpy"
HELP = "nnplug --help"
BARE = "build a layer"
CROWDED = f"build a layer, {COUNT} distributions more"
GROWTH = "a distribution more"
BUILD = "import nnplug; nnplug.Registry().create('layer', 'relu')"
COMMANDS = {
    NUMPY: ["-c", "import numpy"],
    "import attrs, pluggy, numpy": ["-c", "import attrs, pluggy, numpy"],
    "import nnplug": ["-c", "import nnplug; nnplug.Layer, nnplug.build"],
    HELP: ["-m", "nnplug", "--help"],
    BARE: ["-c", BUILD],
    CROWDED: ["-c", BUILD],
}


def write_distributions(folder: Path) -> None:
    """As many distributions as COUNT, each with a layer, as pip would install them."""
    for number in range(COUNT):
        info = folder / f"many_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[nnplug.layers]\nextra{number} = many_{number}\n", encoding="utf-8")


def processor_time() -> float:
    """What all processes that this one started have used; 0 where the system does not tell."""
    try:
        from resource import RUSAGE_CHILDREN, getrusage
    except ImportError:
        return 0.0
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(arguments: list[str], path: str) -> float:
    """How long a fresh Python keeps the processor busy from start to end; compiled files are kept, as usual."""
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""}
    started, before = perf_counter(), processor_time()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return (processor_time() - before) or (perf_counter() - started)


def measure(settings: Settings) -> dict[str, Any]:
    """The processor's seconds of each, and those that a distribution more adds."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        write_distributions(Path(folder))
        for number in range((1 if settings.quick else ROUNDS) + 1):
            for name, arguments in COMMANDS.items():
                taken = seconds(arguments, folder if name == CROWDED else "")
                if number:  # the first round fills the file system's cache
                    times[name].append(taken)
    growth = [(more - bare) / COUNT for more, bare in zip(times[CROWDED], times[BARE], strict=True)]
    return {name: spread(values) for name, values in times.items()} | {GROWTH: spread(growth)}


def markdown(found: dict[str, Any]) -> str:
    """A line for each."""
    numpy = found[NUMPY]["rounds"]
    rows = [
        [
            f"`{name}`" if name in (NUMPY, HELP) or name.startswith("import") else name,
            f"{times['median'] * 1000:.{2 if name == GROWTH else 0}f}",
            "" if name == GROWTH else f"{ratio(times['rounds'], numpy):.2f}",
        ]
        for name, times in found.items()
    ]
    return table(["", "ms", "times `import numpy`"], rows)
