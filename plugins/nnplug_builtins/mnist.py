"""MNIST: 70,000 handwritten digits in 28 x 28 pixels, the data set every course begins with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen

from nnplug import Array, DataError, DataLoader, Dataset, data_dir, data_file, hookimpl
from nnplug_builtins._download import fetch
from nnplug_builtins._idx import read_idx
from nnplug_builtins._published import Published

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")

# Each file as it was published, and what it unpacks to.
FILES = {
    "train-images-idx3-ubyte": (
        Published(9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        Published(47040016, "6bbc9ace898e44ae57da46a324031adb"),
    ),
    "train-labels-idx1-ubyte": (
        Published(28881, "d53e105ee54ea40749a09fcbcd1e9432"),
        Published(60008, "a25bea736e30d166cdddb491f175f624"),
    ),
    "t10k-images-idx3-ubyte": (
        Published(1648877, "9fb629c4189551a2d022fa330f9573f3"),
        Published(7840016, "2646ac647ad5339dbf082846283269ea"),
    ),
    "t10k-labels-idx1-ubyte": (
        Published(4542, "ec29112dd5afa0611ce80d1b7f02629c"),
        Published(10008, "27ae3e4e09519cfbb04c329615203637"),
    ),
}


@frozen
class Mnist(DataLoader):
    """MNIST, handwritten digits: 60,000 images to train on and 10,000 for the test, uint8, in the published order.

    The four published files are looked for in the folder ``mnist`` of `nnplug.data_dir`, as ``.gz`` or unpacked. Those
    missing are downloaded there, once, unless ``NNPLUG_OFFLINE`` is set. Every file must have the published MD5 sum.
    There is no validation split; ``validation = 0.1`` in ``[train]`` takes one from the training images.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998; CC BY-SA 3.0.

    Args:
        flatten: images as rows of 784 pixels; False: as (1, 28, 28), for convolutions.
        normalize: the model sees pixels from 0 to 1; False: from 0 to 255.
        one_hot: targets as float32 rows of ten, 1 at the digit and 0 elsewhere; False: the digits, int64.
    """

    flatten: bool = True
    normalize: bool = True
    one_hot: bool = False

    def load(self) -> Dataset:
        """Read the four files, after downloading those that are missing.

        Raises:
            DataError: a file is missing and cannot be downloaded, or is not the published one.
        """
        folder = data_dir() / "mnist"
        missing = {f"{name}.gz": FILES[name][0] for name in FILES if _find(folder, name) is None}
        if missing:
            fetch(missing, folder, MIRRORS)
        return Dataset(
            train=self._split(folder, "train"),
            test=self._split(folder, "t10k"),
            classes=10,
            scale=(0.0, 1 / 255) if self.normalize else None,
            class_names=tuple("0123456789"),
        )

    def _split(self, folder: Path, prefix: str) -> tuple[Array, Array]:
        x = read_idx(_verified(folder, f"{prefix}-images-idx3-ubyte"), ndim=3)
        y = read_idx(_verified(folder, f"{prefix}-labels-idx1-ubyte"), ndim=1)
        x = x.reshape(len(x), -1) if self.flatten else x[:, np.newaxis]
        return x, np.eye(10, dtype=np.float32)[y] if self.one_hot else y.astype(np.int64)


def _find(folder: Path, name: str) -> Path | None:
    try:
        return next((path for path in (folder / f"{name}.gz", folder / name) if path.exists()), None)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error


def _verified(folder: Path, name: str) -> Path:
    """The file called ``name``, which is there, if it is the published one."""
    path = data_file(_find(folder, name) or folder / name)
    packed, unpacked = FILES[name]
    try:
        fault = (packed if path.suffix == ".gz" else unpacked).fault(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if fault:
        raise DataError(f"{path}: not the published file, {fault}: replace it, or remove it to have it downloaded")
    return path


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``mnist``."""
    return {"mnist": Mnist}
