"""Loading: data by name, models from files.

Loading a model builds its layers and its loss through the registry, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nnplug.builder import build
from nnplug.contracts import DataLoader
from nnplug.errors import ModelFileError, NnplugError
from nnplug.model import Model
from nnplug.modelfile import read_model
from nnplug.registry import Registry, default_registry
from nnplug.specs import Array, Dataset


def load_data(loader: str | Mapping[str, Any] | DataLoader, *, registry: Registry | None = None) -> Dataset:
    """Load a data set.

    Args:
        loader: the name of a data loader, a table ``{"type": "mnist", "one_hot": True}``, or a component.
        registry: where names are looked up; default: everything installed.

    Raises:
        ConfigError: the table is wrong.
        DataError: the data is missing or broken.

    >>> load_data("digits").classes
    10
    """
    component: DataLoader = (registry or default_registry()).create("data_loader", loader)
    return component.load()


def load(path: str | Path, *, into: Model | None = None, only: str = "*", registry: Registry | None = None) -> Model:
    """Read a model that `Model.save` wrote, or weights of it into another model.

    Args:
        path: the file.
        into: a model that takes the weights over; default: the saved model is built again.
        only: which parameters ``into`` takes, as a pattern: ``"hidden.*"``; the others stay as they are.
        registry: where names are looked up; default: everything installed.

    Returns:
        the model that was built, or ``into``.

    Raises:
        ModelFileError: the file is missing, is no model of nnplug, or contradicts itself.
    """
    path = Path(path)
    header, arrays = read_model(path)
    if into is not None:
        _take_over(into, {name: a for name, a in arrays.items() if fnmatchcase(name, only)}, path, only)
        return into
    try:
        model = _build(header, registry or default_registry())
    except NnplugError as error:
        raise ModelFileError(f"{path} cannot be built again: {error}") from error
    missing = sorted({*model.params, *model.state} - arrays.keys())
    if missing:
        raise ModelFileError(f"{path} lacks {missing[0]!r}, which its own config asks for")
    _take_over(model, arrays, path, "*")
    return model


def _build(header: Mapping[str, Any], registry: Registry) -> Model:
    if header.get("dtype") not in ("float32", "float64"):
        raise NnplugError(f"its dtype is {header.get('dtype')!r}, expected float32 or float64")
    scale, names = header.get("scale"), header.get("class_names")
    return build(
        header["model"],
        input_shape=tuple(header["input_shape"]),
        seed=int(header.get("seed", 0)),
        dtype=header["dtype"],
        scale=None if scale is None else (float(scale[0]), float(scale[1])),
        classes=header.get("classes"),
        class_names=names,
        registry=registry,
    )


def _take_over(model: Model, arrays: Mapping[str, Array], path: Path, only: str) -> None:
    known = {**model.params, **model.state}
    if not arrays:
        raise ModelFileError(f"{path} holds no parameter that matches {only!r}")
    for name, array in arrays.items():
        if name not in known:
            raise ModelFileError(f"{path} holds {name!r}, which the model does not have")
        if array.shape != known[name].shape:
            raise ModelFileError(f"{path}: {name} has shape {array.shape}, the model's has {known[name].shape}")
    for name, array in arrays.items():
        known[name][...] = array
