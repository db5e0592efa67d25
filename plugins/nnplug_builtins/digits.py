"""Digits: 1,797 handwritten digits in 8 x 8 pixels; they come with nnplug, so the first network needs no download."""

from __future__ import annotations

from importlib import resources
from io import BytesIO

import numpy as np
from attrs import frozen

from nnplug import Array, DataLoader, Dataset, hookimpl


@frozen
class Digits(DataLoader):
    """Handwritten digits, small ones: 1,438 images to train on and 359 for the test, uint8 from 0 to 16.

    The images are the test part of the UCI data set, the same that scikit-learn has. A fifth of each digit is held out
    for the test, the same rows always. The model sees pixels from 0 to 1; targets are the digits, int64.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", 1998, https://doi.org/10.24432/C50P49;
    CC BY 4.0. ``digits.txt`` beside this file says what was changed.

    Args:
        flatten: images as rows of 64 pixels; False: as (1, 8, 8), for convolutions.
    """

    flatten: bool = True

    def load(self) -> Dataset:
        """Read the images, which are part of the package."""
        packed = resources.files("nnplug_builtins").joinpath("digits.npz").read_bytes()
        with np.load(BytesIO(packed), allow_pickle=False) as file:
            train = self._shaped(file["x_train"]), file["y_train"].astype(np.int64)
            test = self._shaped(file["x_test"]), file["y_test"].astype(np.int64)
        return Dataset(train, test=test, classes=10, scale=(0.0, 1 / 16), class_names=tuple("0123456789"))

    def _shaped(self, x: Array) -> Array:
        return x if self.flatten else x.reshape(-1, 1, 8, 8)


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``digits``."""
    return {"digits": Digits}
