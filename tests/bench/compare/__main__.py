"""How fast nnplug is: beside a loop by hand, JAX, PyTorch, scikit-learn and thinc; as networks grow; for a long time.

    NNPLUG_DATA_DIR=... python tests/bench/compare [PART...] [--json FILE] [--rounds 20]
                        [--workloads W1 W3] [--contestants nnplug floor jax]

measures all parts, or those that are named, and prints a table of each: ``steps`` (microseconds a training step, of
everybody), ``growth`` (with width, depth, batch and rows), ``prediction``, ``startup``, ``memory``, ``late`` (steps
5,000 to 6,000) and ``flatness`` (a million steps). With ``--json`` the results go into a file, beside those of other
parts that are in it, and ``report.py`` makes tables and plots of them in docs/explanation/speed.md. ``--quick`` runs a
few steps of everything on random data, to see that it runs.

Needs Linux or macOS (``memory`` and ``flatness``: Linux), the MNIST files and ``pip install -e ".[bench]"``; peers that
are not installed are left out. All of it takes an hour. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from results import Settings, machine, save
from steps import TITLES
from turns import HERE
from workloads import WORKLOADS, write_mnist, write_random

PARTS = ("steps", "growth", "prediction", "startup", "memory", "late", "flatness")
LEAST_ROUNDS = 14  # of 150 steps, or 15 of W4: at least 2,000 steps of the others, 150 of W4


def main() -> None:
    """Read the command line, measure, print, save."""
    found = {file.stem.removeprefix("with_") for file in HERE.glob("with_*.py")}
    everybody = [name for name in TITLES if name in found] + sorted(found - TITLES.keys())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: {' '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=20, help=f"at least {LEAST_ROUNDS} (default: 20)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, metavar="W", help="default: all")
    parser.add_argument("--contestants", nargs="+", choices=everybody, metavar="NAME", help=" ".join(everybody))
    parser.add_argument("--quick", action="store_true", help="a few steps of everything")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.rounds < LEAST_ROUNDS:
        parser.error(f"--rounds: at least {LEAST_ROUNDS}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that contestants, which stand still, are ended too

    with tempfile.TemporaryDirectory() as folder:
        quick = options.quick
        settings = Settings(
            folder=Path(folder),
            quick=quick,
            rounds=2 if quick else options.rounds,
            workloads=options.workloads or (["W1"] if quick else list(WORKLOADS)),
            contestants=options.contestants or everybody,
        )
        if quick:
            write_random(settings.folder, rows=600)
        else:
            write_mnist(settings.folder)
        for part in options.parts or PARTS:
            module = import_module(part)
            found = module.measure(settings)
            print(f"## {part}\n\n{module.markdown(found)}\n", flush=True)
            if options.json:
                save(options.json, part, found)
    print(machine())
    if options.json:
        save(options.json, "machine", machine())


if __name__ == "__main__":
    main()
