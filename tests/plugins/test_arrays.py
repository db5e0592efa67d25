"""The data loader ``arrays``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins.arrays import Arrays, nnplug_data_loaders

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
Y = np.array([0, 1, 0, 1, 0, 1])


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def npy(folder: Path, x: Any = X, y: Any = Y) -> Arrays:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return Arrays(folder / "x.npy", targets=folder / "y.npy")


def message(loader: Arrays) -> str:
    with pytest.raises(DataError) as caught:
        loader.load()
    return str(caught.value)


def test_all_splits_and_weights_of_a_npz_file(tmp_path: Path) -> None:
    """Arrays go where their names say, with their values and dtypes; others are left alone."""
    weight = np.linspace(0, 1, 6)
    data = Arrays(
        npz(
            tmp_path,
            x_train=X,
            y_train=Y,
            weight_train=weight,
            x_validation=X[:2],
            y_validation=Y[:2],
            x_test=X[2:],
            y_test=Y[2:],
            weight_test=weight[2:],
            notes=np.array(["unrelated"]),
        )
    ).load()
    assert [array.tolist() for array in data.train] == [X.tolist(), Y.tolist(), weight.tolist()]
    assert [array.tolist() for array in data.validation] == [X[:2].tolist(), Y[:2].tolist()]
    assert [array.tolist() for array in data.test] == [X[2:].tolist(), Y[2:].tolist(), weight[2:].tolist()]
    assert data.train[0].dtype == np.uint8


def test_plain_names_mean_training(tmp_path: Path) -> None:
    """x, y and weight are x_train, y_train and weight_train."""
    data = Arrays(npz(tmp_path, x=X, y=Y, weight=np.ones(6))).load()
    assert [len(array) for array in data.train] == [6, 6, 6]
    assert (data.validation, data.test) == (None, None)


def test_packed_npz_files(tmp_path: Path) -> None:
    """``numpy.savez_compressed`` is read as well."""
    np.savez_compressed(tmp_path / "data.npz", x=X, y=Y)
    assert (Arrays(tmp_path / "data.npz").load().train[0] == X).all()


def test_scale_and_classes_are_passed_on(tmp_path: Path) -> None:
    """What the arrays cannot tell; by default nothing is told."""
    path = npz(tmp_path, x=X, y=Y)
    data = Arrays(path, scale=(10.0, 0.5), classes=7).load()
    assert (data.scale, data.classes) == ((10.0, 0.5), 7)
    assert (Arrays(path).load().scale, Arrays(path).load().classes) == (None, None)


def test_npy_files_are_mapped(tmp_path: Path) -> None:
    """Rows stay on the disk, read-only, unless asked otherwise; the values are the same."""
    loader = npy(tmp_path)
    mapped = loader.load().train
    read = Arrays(loader.path, targets=loader.targets, memory_map=False).load().train
    for a, b, expected in zip(mapped, read, (X, Y), strict=True):
        assert isinstance(a, np.memmap)
        assert not a.flags.writeable
        assert type(b) is np.ndarray
        assert b.flags.writeable
        assert (a == expected).all()
        assert (b == expected).all()


@pytest.mark.parametrize("x", [np.asfortranarray(X, np.float32), X.astype(">f4")], ids=["Fortran", "big-endian"])
def test_arrays_in_another_order_are_put_in_ours(tmp_path: Path, x: np.ndarray) -> None:
    """Such an array would be copied whole for each batch gathered from it."""
    given = npy(tmp_path, x).load().train[0]
    assert given.flags.c_contiguous
    assert given.dtype == np.float32
    assert given.dtype.isnative
    assert (given == X).all()


def test_relative_paths_start_at_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on any command line."""
    npz(tmp_path, x=X, y=Y)
    monkeypatch.chdir(tmp_path)
    assert (Arrays("data.npz").load().train[0] == X).all()


def test_home_is_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is expanded, in both paths."""
    npy(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert (Arrays("~/x.npy", targets="~/y.npy").load().train[1] == Y).all()


def test_a_test_split_is_held_out(tmp_path: Path) -> None:
    """Rows stay together with their targets and weights, each class in proportion, the same rows each time."""
    x, y = np.arange(100.0)[:, None], np.repeat([0, 1], [80, 20])
    path = npz(tmp_path, x=x, y=y, weight=x[:, 0] / 100)
    data, again = Arrays(path, test=0.25).load(), Arrays(path, test=0.25).load()
    assert sorted([*data.train[0][:, 0], *data.test[0][:, 0]]) == list(range(100))
    for x_split, y_split, weight in (data.train, data.test):
        assert (y_split == (x_split[:, 0] >= 80)).all()
        assert (weight == x_split[:, 0] / 100).all()
    assert np.bincount(data.test[1]).tolist() == [20, 5]
    assert all((a == b).all() for a, b in zip(data.test, again.test, strict=True))
    assert data.test[0][:, 0].tolist() != Arrays(path, test=0.25, seed=1).load().test[0][:, 0].tolist()


def test_real_targets_are_held_out_without_classes(tmp_path: Path) -> None:
    """A number of its own for each row makes no class of it."""
    data = Arrays(npz(tmp_path, x=X, y=np.linspace(0, 1, 6)), test=0.5).load()
    assert (len(data.train[0]), len(data.test[0])) == (3, 3)


def test_a_mapped_file_can_be_held_out_from(tmp_path: Path) -> None:
    """The rows are copied, the file is not changed."""
    loader = npy(tmp_path)
    data = Arrays(loader.path, targets=loader.targets, test=0.34).load()
    assert type(data.test[0]) is np.ndarray
    assert len(data.test[0]) == 2
    assert (np.load(loader.path) == X).all()


def test_two_test_splits_are_refused(tmp_path: Path) -> None:
    """The file's own split is not silently replaced."""
    path = npz(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y)
    assert message(Arrays(path, test=0.25)) == f"{path}: there is a test split already; leave out test = 0.25"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "has no x_train; it holds []"),
        (["images", "labels"], "has no x_train; it holds ['images', 'labels']"),
        (["x_train", "labels"], "has no y_train; it holds ['x_train', 'labels']"),
        (["x", "y", "x_test"], "has no y_test; it holds ['x', 'y', 'x_test']"),
        (["x", "y", "weight_validation"], "has no x_validation; it holds ['x', 'y', 'weight_validation']"),
        (["x", "y", "x_train"], "x and x_train mean the same; keep one of them"),
        (["x", "y", "weight", "weight_train"], "weight and weight_train mean the same; keep one of them"),
        (["x", "y", "x_val", "y_val"], "'x_val' belongs to no split; they are called train, validation, test"),
    ],
)
def test_names_that_do_not_fit_are_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    """The message says what is missing and what the file holds, or which name is misspelt."""
    path = npz(tmp_path, **dict.fromkeys(names, Y))
    assert message(Arrays(path)) == f"{path}: {problem}"


def test_lengths_that_differ_are_refused(tmp_path: Path) -> None:
    """All parts of a split are told with their rows."""
    path = npz(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y[:5], weight_test=Y)
    assert message(Arrays(path)) == f"{path}: the numbers of rows differ: x_test has 6, y_test has 5, weight_test has 6"


def test_splits_of_other_shapes_are_refused(tmp_path: Path) -> None:
    """A network for the training rows could not take the others."""
    path = npz(tmp_path, x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y)
    assert message(Arrays(path)) == f"{path}: a row of x_test has shape (3,), a row of x_train (4,)"


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.array(list("ababab")), "expected numbers, got <U1"),
        (np.array(["2020-01-01"] * 6, "M8[D]"), "expected numbers, got datetime64[D]"),
        (np.ones(6, complex), "expected numbers, got complex128"),
        (np.array(3), "expected at least one row, and something in it, got shape ()"),
        (np.empty((0, 3)), "expected at least one row, and something in it, got shape (0, 3)"),
    ],
)
def test_arrays_without_rows_of_numbers_are_refused(tmp_path: Path, y: np.ndarray, problem: str) -> None:
    """The file is named, and within a .npz file the array."""
    path = npz(tmp_path, x=X, y=y)
    assert message(Arrays(path)) == f"{path}: y: {problem}"
    assert message(npy(tmp_path, y=y)) == f"{tmp_path / 'y.npy'}: {problem}"


class Explosive:
    """Unpickling it would be seen."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_pickled_objects_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could run any code: the message says so, and the code does not run."""
    monkeypatch.chdir(tmp_path)
    y = np.array([Explosive()] * 6)
    path = npz(tmp_path, x=X, y=y)
    assert message(Arrays(path)) == f"{path}: y: holds Python objects, expected numbers"
    for memory_map in (True, False):
        loader = npy(tmp_path, y=y)
        loader = Arrays(loader.path, targets=loader.targets, memory_map=memory_map)
        assert message(loader) == f"{loader.targets}: holds Python objects, expected numbers"
    (tmp_path / "data.npz").write_bytes(y.dumps())
    assert message(Arrays(path)) == f"{path}: is no .npz file: File is not a zip file"
    assert not Path("exploded").exists()


def test_missing_files(tmp_path: Path) -> None:
    """The message names the file and the folder a relative path starts from."""
    for name in ("data.npz", "x.npy"):
        loader = Arrays(tmp_path / name, targets="y.npy" if name == "x.npy" else None)
        assert message(loader) == f"{tmp_path / name}: no such file; the current folder is {Path.cwd()}"
    np.save(tmp_path / "x.npy", X)
    assert (
        message(Arrays(tmp_path / "x.npy", targets="none.npy"))
        == f"none.npy: no such file; the current folder is {Path.cwd()}"
    )


def test_options_that_do_not_fit_the_file(tmp_path: Path) -> None:
    """Each says what to do."""
    path = tmp_path / "data"
    assert message(Arrays(path.with_suffix(".npy"))) == (
        f"{path}.npy: holds x alone; name the .npy file of y with the option targets"
    )
    assert message(Arrays(path.with_suffix(".npz"), targets="y.npy")) == (
        f"{path}.npz: a .npz file holds the targets itself, as y; leave out the option targets"
    )
    assert message(Arrays(path.with_suffix(".mat"))) == f"{path}.mat: expected a file whose name ends in .npz or .npy"


@pytest.mark.parametrize("options", [{"test": 1.0}, {"test": -0.1}, {"seed": -1}, {"classes": 0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    """When the component is made, not when it loads."""
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' must be"):
        Arrays("data.npz", **options)


def test_the_hook_names_it() -> None:
    """The entry point's name and the hook's agree."""
    assert nnplug_data_loaders() == {"arrays": Arrays}
