"""The work that is timed: networks, and the data they learn from."""

from __future__ import annotations

import gzip
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

SPLITS = ("x", "y", "x_test", "y_test")


@frozen
class Workload:
    """One network with its update rule and batch size; softmax loss, float32, batches without replacement.

    ``turn`` is the number of steps of a turn: long enough that starting it is nothing, and short beside the times for
    which a shared machine is slow.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    rule: str
    learning_rate: float
    batch_size: int
    turn: int = 1

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes} {self.activation}, {self.rule} {self.learning_rate:g}, batch {self.batch_size}"


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", (784, 50, 10), "relu", "sgd", 0.1, 100, 150),
        Workload("W2", (784, 128, 64, 10), "sigmoid", "sgd", 0.5, 64, 150),
        Workload("W3", (784, 128, 64, 10), "relu", "adam", 1e-3, 128, 150),
        Workload("W4", (784, 1024, 1024, 10), "relu", "adam", 1e-3, 256, 15),
    )
}


def write_mnist(folder: Path) -> None:
    """Put the real images, as float32 in [0, 1], and their classes where `read` finds them."""
    place = os.environ.get("NNPLUG_DATA_DIR")
    if place is None:
        sys.exit("NNPLUG_DATA_DIR must name the folder that holds mnist/ with the four files (or look at --quick)")

    def raw(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((Path(place) / "mnist" / name).read_bytes())[header:], np.uint8)

    for part, end in (("train", ""), ("t10k", "_test")):
        x = raw(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
        np.save(folder / f"x{end}.npy", x.astype(np.float32) / np.float32(255))
        np.save(folder / f"y{end}.npy", raw(f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64))


def write_random(folder: Path, rows: int, features: int = 784, test_rows: int = 200) -> None:
    """Put random numbers in [0, 1) and random classes there: cost does not depend on what is learned."""
    rng = np.random.default_rng(0)
    for end, n in (("", rows), ("_test", test_rows)):
        x = np.lib.format.open_memmap(folder / f"x{end}.npy", "w+", np.float32, (n, features))
        for start in range(0, n, 100_000):
            part = x[start : start + 100_000]
            rng.random(out=part, dtype=np.float32)
        x.flush()
        np.save(folder / f"y{end}.npy", rng.integers(0, 10, n))


def read(folder: Path, mapped: bool = False) -> dict[str, Any]:
    """The data that one of the above wrote; ``mapped``: x stays on the disk."""
    return {name: np.load(folder / f"{name}.npy", "r" if mapped and name == "x" else None) for name in SPLITS}


def batches(rows: int, batch_size: int, rng: np.random.Generator) -> Any:
    """Row numbers of one batch after the other, without replacement within an epoch, for ever."""
    while True:
        order = rng.permutation(rows)
        for start in range(0, rows - batch_size + 1, batch_size):
            yield order[start : start + batch_size]


def initial(sizes: tuple[int, ...], rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """He-initialised weights (in, out) and zero biases, the same for every contestant that can take them."""
    return [
        ((rng.standard_normal((i, o)) * np.sqrt(2 / i)).astype(np.float32), np.zeros(o, np.float32))
        for i, o in pairwise(sizes)
    ]
