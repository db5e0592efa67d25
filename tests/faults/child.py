"""The command ``nnplug``, which notes at the end what the folder of a run does not show; run by kill.py.

    python child.py NOTES train CONFIG --out DIR ...

NOTES receives hashes of the last parameters, the slots, the number of updates and where every random stream stands.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from nnplug.best import Best
from nnplug.buffers import Buffers
from nnplug.cli.main import main
from nnplug.history import History
from nnplug.solver import Solver

fit, put_back = Solver.fit, Best.put_back
last: dict[str, Any] = {}


def noted_put_back(self: Best, buffers: Buffers) -> None:
    """Note the parameters and the state before the best ones take their place."""
    last["parameters"] = sha256(buffers.vector).hexdigest()
    last["state"] = {path: array.tolist() for path, array in buffers.state.items()}
    put_back(self, buffers)


def noted_fit(self: Solver) -> History:
    """Note everything else."""
    history = fit(self)
    last["slots"] = {name: sha256(slot).hexdigest() for name, slot in self.updater.slots.items()}
    last["updates"] = self.updater.t
    last["streams"] = self.model.streams.state()
    Path(sys.argv[1]).write_text(json.dumps(last, indent=1, sort_keys=True), encoding="utf-8")
    return history


if __name__ == "__main__":
    Best.put_back, Solver.fit = noted_put_back, noted_fit  # type: ignore[method-assign]
    sys.exit(main(sys.argv[2:]))
