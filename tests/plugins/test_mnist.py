"""The data loader ``mnist`` on the published files; test_download.py has what needs none of them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from nnplug import Dataset, data_dir
from nnplug_builtins.mnist import FILES, Mnist

pytestmark = pytest.mark.mnist


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the published files; nothing is downloaded for a test."""
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    return data_dir() / "mnist"


def test_images() -> None:
    """Shapes, dtype, pixel sums, and a row of the first image."""
    data = Mnist().load()
    x, x_test = data.train[0], data.test[0]
    assert (x.shape, x_test.shape) == ((60000, 784), (10000, 784))
    assert (x.dtype, x_test.dtype) == (np.uint8, np.uint8)
    assert (x.sum(dtype=np.int64), x_test.sum(dtype=np.int64)) == (1567298545, 264923200)
    assert x[0].reshape(28, 28)[5, 12:24].tolist() == [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]


def test_labels() -> None:
    """The first labels of both files, and how often each digit occurs."""
    data = Mnist().load()
    y, y_test = data.train[1], data.test[1]
    assert (y.shape, y_test.shape, y.dtype, y_test.dtype) == ((60000,), (10000,), np.int64, np.int64)
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_what_the_core_is_told() -> None:
    """Ten named classes, no validation split, pixels scaled to 0 to 1 unless asked otherwise."""
    data = Mnist().load()
    assert data.validation is None
    assert data.classes == 10
    assert data.class_names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert data.scale == (0.0, 1 / 255)
    assert Mnist(normalize=False).load().scale is None


def test_images_keep_their_shape_for_convolutions() -> None:
    """``flatten=False`` adds the one channel; the pixels are the same."""
    flat, square = Mnist().load(), Mnist(flatten=False).load()
    assert square.train[0].shape == (60000, 1, 28, 28)
    assert square.test[0].shape == (10000, 1, 28, 28)
    assert (square.test[0].reshape(10000, 784) == flat.test[0]).all()


def test_one_hot_targets() -> None:
    """Rows of ten in float32 with a 1 at the digit."""
    indices, one_hot = Mnist().load().test[1], Mnist(one_hot=True).load().test[1]
    assert (one_hot.shape, one_hot.dtype) == ((10000, 10), np.float32)
    assert (one_hot.argmax(axis=1) == indices).all()
    assert (one_hot.sum(axis=1) == 1).all()
    assert one_hot.max() == 1


def test_two_loads_are_equal() -> None:
    """Nothing depends on the time or on a load before."""

    def digest(data: Dataset) -> list[str]:
        return [hashlib.sha256(array).hexdigest() for split in (data.train, data.test) for array in split]

    assert digest(Mnist().load()) == digest(Mnist().load())


def test_unpacked_files_do_as_well(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that somebody unpacked have sums of their own."""
    expected = Mnist().load()
    (tmp_path / "mnist").mkdir()
    for name in FILES:
        (tmp_path / "mnist" / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    data = Mnist().load()
    assert (data.train[0] == expected.train[0]).all()
    assert (data.test[1] == expected.test[1]).all()
