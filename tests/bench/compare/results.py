"""What the parts share: the settings, the file of results, tables, the machine's name."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen


@frozen
class Settings:
    """What the command line says.

    Args:
        folder: where the data is, and room for more.
        quick: a few steps of everything, on random data; the figures mean nothing.
        rounds: the number of rounds in which contestants take turns.
        workloads: the names of those to run.
        contestants: the names of those to run.
    """

    folder: Path
    quick: bool
    rounds: int
    workloads: Sequence[str]
    contestants: Sequence[str]


def machine() -> str:
    """Where it was measured: processor, cores, system, versions."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}; "
        f"NumPy {np.__version__} with {blas['name']} {blas['version']}; nnplug {version('nnplug')}."
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def load(file: Path) -> dict[str, Any]:
    """The results so far, by part."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def save(file: Path, part: str, found: Any) -> None:
    """Put one part's results into the file, beside those of the others."""
    file.write_text(json.dumps(load(file) | {part: found}, indent=1) + "\n", encoding="utf-8")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: a column of names, columns of figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float) -> str:
    """Three digits that count: 0.123, 12.3, 12,300."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    digits = max(0, 2 - int(np.floor(np.log10(abs(rounded)))))
    return f"{rounded:,.{digits}f}"
