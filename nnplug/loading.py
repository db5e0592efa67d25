"""Loading: data by name, models from files.

Loading a model builds its layers and its loss through the registry, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np

from nnplug.about import About
from nnplug.builder import draw_up
from nnplug.contracts import DataLoader
from nnplug.errors import ModelFileError, NnplugError
from nnplug.model import Model
from nnplug.modelfile import read_model
from nnplug.registry import Registry, default_registry
from nnplug.specs import Array, Dataset

Needed: TypeAlias = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]  # name -> shape and dtype


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
        chosen = {name: array for name, array in arrays.items() if fnmatchcase(name, only)}
        if not chosen:
            raise ModelFileError(f"{path} holds no parameter that matches {only!r}")
        try:
            _take_over(into, chosen)
        except ModelFileError as error:
            raise ModelFileError(f"{path} does not fit: {error}") from None
        return into
    try:
        return _rebuild(header, arrays, registry or default_registry())
    except (NnplugError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be built again: {'; '.join(str(error).splitlines())}") from error


def _rebuild(header: Mapping[str, Any], arrays: Mapping[str, Array], registry: Registry) -> Model:
    """The model that a header describes; nothing is allocated before its arrays are known to fit."""
    about = {field.name: header[field.name] for field in attrs.fields(About) if field.name in header}
    draft = draw_up(header["model"], header.get("input_shape"), about, registry)
    dtype = np.dtype(draft.about.dtype)
    needed: Needed = {placed.path: (placed.spec.shape, dtype) for placed in draft.layout.params}
    for name, spec in draft.layout.state.items():
        needed[name] = spec.shape, np.dtype(spec.dtype or dtype)
    if missing := sorted(needed.keys() - arrays.keys()):
        raise ModelFileError(f"it lacks {missing[0]!r}, which its own config asks for")
    _check(arrays, needed, exact=True)
    model = draft.model(lambda name, spec: arrays[name])
    for name, array in model.state.items():
        array[...] = arrays[name]
    return model


def _take_over(model: Model, arrays: Mapping[str, Array]) -> None:
    known = {**model.params, **model.state}
    _check(arrays, {name: (array.shape, array.dtype) for name, array in known.items()}, exact=False)
    for name, array in arrays.items():
        known[name][...] = array


def _check(arrays: Mapping[str, Array], needed: Needed, exact: bool) -> None:
    """Hold arrays against names, shapes and dtypes; unless ``exact``, float64 may become float32 and so on."""
    for name, array in arrays.items():
        if name not in needed:
            raise ModelFileError(f"it holds {name!r}, which the model does not have")
        shape, dtype = needed[name]
        if array.shape != shape:
            raise ModelFileError(f"its {name} has shape {array.shape}, the model's has {shape}")
        if array.dtype != dtype and (exact or array.dtype.kind != dtype.kind):
            raise ModelFileError(f"its {name} has dtype {array.dtype}, the model's has {dtype}")
