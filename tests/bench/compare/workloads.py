"""The work that is timed: four networks on MNIST."""

from __future__ import annotations

import gzip
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen


@frozen
class Workload:
    """One network with its update rule and batch size; softmax loss, float32, batches without replacement."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    rule: str
    learning_rate: float
    batch_size: int
    steps: int

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes} {self.activation}, {self.rule} {self.learning_rate:g}, batch {self.batch_size}"


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", (784, 50, 10), "relu", "sgd", 0.1, 100, 2000),
        Workload("W2", (784, 128, 64, 10), "sigmoid", "sgd", 0.5, 64, 2000),
        Workload("W3", (784, 128, 64, 10), "relu", "adam", 1e-3, 128, 2000),
        Workload("W4", (784, 1024, 1024, 10), "relu", "adam", 1e-3, 256, 150),
    )
}


def mnist() -> dict[str, Any]:
    """The real images as float32 in [0, 1] and their classes; NNPLUG_DATA_DIR says where the files are."""
    folder = Path(os.environ["NNPLUG_DATA_DIR"]) / "mnist"

    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((folder / name).read_bytes())[header:], np.uint8)

    return {
        "x": read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / np.float32(255),
        "y": read("train-labels-idx1-ubyte.gz", 8).astype(np.int64),
        "x_test": read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / np.float32(255),
        "y_test": read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64),
    }


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
