"""Hostile checkpoints: ``python tests/fuzz/checkpoints.py --runs 20000 --seed 0``.

Checkpoints of real trainings are changed, byte by byte, in their table of arrays, or in what they say under a checksum
that fits it. Each is resumed from, by itself or as the newest of a folder; where that is allowed, training goes on.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from harness import main
from models import pack
from mutations import Rng, choose, dumps, mutate_bytes, mutate_json

import nnplug
from nnplug import Solver
from nnplug.checkpoint import CONTENT, _checksum, checkpoints_in
from nnplug.tensorfile import TensorFile, write_tensors

LAYERS = [{"type": "affine", "units": 3}, {"type": "dropout", "rate": 0.2}, "relu", {"type": "affine", "units": 2}]
X, Y = np.random.default_rng(0).random((12, 4)), np.arange(12) % 2


def solver(rule: str, folder: Path | None = None) -> Solver:
    """A training of six steps."""
    model = nnplug.build(LAYERS, input_shape=4, seed=0)
    options: dict[str, Any] = {"epochs": 3, "batch_size": 5, "validation": 0.25, "checkpoint_steps": 2}
    callbacks = [{"type": "early_stopping", "patience": 3}]
    return Solver(model, (X, Y), update=rule, folder=folder, callbacks=callbacks, **options)


def real() -> list[tuple[str, bytes]]:
    """The update rules, each with a checkpoint of its training."""
    found = []
    for rule in ("adam", "momentum"):
        with tempfile.TemporaryDirectory() as folder:
            solver(rule, Path(folder)).fit()
            found.append((rule, checkpoints_in(Path(folder))[0].read_bytes()))
    return found


REAL = real()


def changed_header(rng: Rng, content: bytes) -> bytes:
    """Another table of arrays."""
    end = 8 + int.from_bytes(content[:8], "little")
    return pack(mutate_json(rng, json.loads(content[8:end])), content[end:])


def changed_content(rng: Rng, content: bytes, folder: Path) -> bytes:
    """Other numbers, texts and states, under a checksum that fits them."""
    path = folder / "changed"
    path.write_bytes(content)
    with TensorFile(path) as file:
        arrays, texts = {name: file.read(name) for name in file.arrays}, dict(file.texts)
    said = dumps(mutate_json(rng, json.loads(arrays[CONTENT].tobytes())))
    arrays[CONTENT] = np.frombuffer(said.encode("utf-8", "surrogatepass"), np.uint8)
    header = json.loads(texts["nnplug"]) | {"checkpoint": _checksum(arrays)}
    with path.open("wb") as out:
        write_tensors(out, {"nnplug": json.dumps(header)}, arrays)
    return path.read_bytes()


def attempt(rng: Rng, folder: Path) -> str:
    """Change one, and go on from it."""
    rule, content = choose(rng, REAL)
    kind = choose(rng, ("bytes", "header", "content", "content"))
    if kind == "bytes":
        content = mutate_bytes(rng, content, choose(rng, REAL)[1])
    elif kind == "header":
        content = changed_header(rng, content)
    else:
        content = changed_content(rng, content, folder)
    (folder / "checkpoints").mkdir(exist_ok=True)
    path = folder / "checkpoints" / "step-4.safetensors"
    path.write_bytes(content)
    training = solver(rule)
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.suppress(nnplug.DivergedError):
        warnings.filterwarnings("ignore", message=".* was .* when the checkpoint was written and is")
        training.resume(folder if rng.random() < 0.3 else path)
        training.fit()
    return f"changed {kind}: trained on"


if __name__ == "__main__":
    sys.exit(main(attempt))
