"""Data that lie on a disk: what is learned from them in the order that disks like, and in how much memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnplug

CONFIG: dict[str, Any] = {
    "model": {"layers": [{"type": "affine", "units": 64}, "relu", {"type": "affine", "units": 10}]},
    "update": {"type": "adam", "learning_rate": 3e-3},
    "train": {"epochs": 10, "batch_size": 8},
}


def accuracy(data: Any, seed: int) -> float:
    """What a network trained on this data reaches on the test digits."""
    model = nnplug.build(CONFIG["model"], input_shape=64, seed=seed)
    nnplug.Solver(model, data, update=CONFIG["update"], evaluate=(), **CONFIG["train"]).fit()
    return model.evaluate(*data.test)["accuracy"]


class InTheirOrder:
    """A Source that does not shuffle."""

    def __init__(self, x: Any, y: Any) -> None:
        self._x, self._y, self.rows = x, y, len(x)

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Any:
        """Yield the rows as they lie."""
        for i in range(start * batch_size, self.rows, batch_size):
            yield self._x[i : i + batch_size], self._y[i : i + batch_size], None


@pytest.mark.parametrize("seed", range(3))
def test_a_sorted_file_is_learned_like_a_shuffled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """All of class 0 first, then all of class 1: as they lie such rows teach little; by blocks, what they should."""
    digits = nnplug.load_data("digits")
    x, y = digits.train
    by_class = np.argsort(y, kind="stable")
    np.save(tmp_path / "x.npy", x[by_class])
    np.save(tmp_path / "y.npy", y[by_class])
    monkeypatch.setattr("nnplug.order.BLOCK_BYTES", 4 * x[0].nbytes)  # 360 blocks of 4 rows, 5.6 windows of them
    monkeypatch.setattr("nnplug.order.WINDOW", 64)
    mapped = nnplug.load_data({"type": "arrays", "path": str(tmp_path / "x.npy"), "targets": str(tmp_path / "y.npy")})
    assert isinstance(mapped.train[0], np.memmap)

    def data(train: Any) -> nnplug.Dataset:
        return nnplug.Dataset(train, test=digits.test, scale=digits.scale)

    shuffled, by_blocks = accuracy(data(digits.train), seed), accuracy(data(mapped.train), seed)
    as_they_lie = accuracy(data(InTheirOrder(*mapped.train)), seed)
    assert by_blocks > shuffled - 0.02, f"{by_blocks} by blocks, {shuffled} shuffled"
    assert as_they_lie < shuffled - 0.2, f"{as_they_lie} as they lie, {shuffled} shuffled"
