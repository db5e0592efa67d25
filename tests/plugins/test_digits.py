"""The data loader ``digits``."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nnplug_builtins
from nnplug_builtins._hold_out import hold_out
from nnplug_builtins.digits import Digits, nnplug_data_loaders


def test_the_images_and_their_labels() -> None:
    """Sizes, dtypes, sums and the first labels of both splits."""
    data = Digits().load()
    (x, y), (x_test, y_test) = data.train, data.test
    assert (x.shape, x_test.shape, y.shape, y_test.shape) == ((1438, 64), (359, 64), (1438,), (359,))
    assert (x.dtype, x_test.dtype, y.dtype, y_test.dtype) == (np.uint8, np.uint8, np.int64, np.int64)
    assert (x.min(), x.max()) == (0, 16)
    assert (x.sum(dtype=int), x_test.sum(dtype=int)) == (449544, 112174)
    assert y[:10].tolist() == [5, 4, 2, 1, 9, 8, 0, 4, 1, 6]
    assert y_test[:10].tolist() == [5, 3, 1, 4, 9, 1, 0, 3, 9, 8]


def test_what_the_core_is_told() -> None:
    """Ten named classes, no validation split, pixels from 0 to 16 scaled to 0 to 1."""
    data = Digits().load()
    assert data.validation is None
    assert data.classes == 10
    assert data.class_names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert data.scale == (0.0, 1 / 16)


def test_a_fifth_of_every_digit_is_held_out() -> None:
    """The test split has each digit in proportion, give or take the rounding."""
    data = Digits().load()
    train, test = np.bincount(data.train[1]), np.bincount(data.test[1])
    assert (abs(test - (train + test) / 5) < 1).all()


def test_images_keep_their_shape_for_convolutions() -> None:
    """``flatten=False`` adds the one channel; the pixels are the same."""
    flat, square = Digits().load(), Digits(flatten=False).load()
    assert square.train[0].shape == (1438, 1, 8, 8)
    assert square.test[0].shape == (359, 1, 8, 8)
    assert (square.train[0].reshape(1438, 64) == flat.train[0]).all()


def test_two_loads_are_equal_and_apart() -> None:
    """Writing to one result leaves the next as it was."""
    first = Digits().load()
    expected = first.train[0].copy()
    first.train[0][:] = 0
    assert (Digits().load().train[0] == expected).all()


def test_the_file_is_what_its_note_says() -> None:
    """Made again out of scikit-learn's copy by the rule in the note, it is the same, row for row."""
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    x, y = datasets.load_digits(return_X_y=True)
    data = Digits().load()
    for (x_ours, y_ours), rows in zip((data.train, data.test), hold_out(1797, 0.2, 0, y), strict=True):
        assert (x_ours == x[rows]).all()
        assert (y_ours == y[rows]).all()


def test_the_note_names_source_and_licence() -> None:
    """CC BY asks for the title, the authors, the source, the licence and what was changed."""
    note = (Path(nnplug_builtins.__file__).parent / "digits.txt").read_text("utf-8")
    for needed in (
        "Optical Recognition of Handwritten Digits",
        "E. Alpaydin and C. Kaynak",
        "https://doi.org/10.24432/C50P49",
        "CC BY 4.0",
        "What was changed",
    ):
        assert needed in note


def test_it_works_from_a_zip_file(tmp_path: Path) -> None:
    """The images are read as a resource of the package, wherever Python imports it from."""
    package = Path(nnplug_builtins.__file__).parent
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as file:
        for name in ("__init__.py", "digits.py", "digits.npz"):
            file.write(package / name, f"nnplug_builtins/{name}")
    code = "import nnplug_builtins.digits as d; print(d.__file__, d.Digits().load().train[0].sum(dtype=int))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "app.zip")},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.split() == [str(tmp_path / "app.zip" / "nnplug_builtins" / "digits.py"), "449544"]


def test_the_hook_names_it() -> None:
    """The entry point's name and the hook's agree."""
    assert nnplug_data_loaders() == {"digits": Digits}
