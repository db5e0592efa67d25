"""Loading: data by name, models from files.

Loading a model builds its layers and its loss through the registry, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np

from nnplug.about import About
from nnplug.builder import draw_up
from nnplug.contracts import DataLoader
from nnplug.discovery import normalise
from nnplug.errors import ModelFileError, NnplugError, PluginError
from nnplug.model import Model
from nnplug.modelfile import open_model
from nnplug.naming import cut, one_or_many, printable, quote
from nnplug.options import show
from nnplug.registry import Registry, default_registry
from nnplug.specs import Dataset
from nnplug.tensorfile import Stored, TensorFile

Needed: TypeAlias = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]  # name -> shape and dtype


def load_data(loader: str | Mapping[str, Any] | DataLoader, *, registry: Registry | None = None) -> Dataset:
    """Load a data set.

    Args:
        loader: the name of a data loader, a table ``{"type": "mnist", "one_hot": True}``, or a component.
        registry: where names are looked up; default: everything installed.

    Raises:
        ConfigError: the table is wrong.
        DataError: the data is missing or broken.
        PluginError: the loader returns something else than a `Dataset`.

    >>> load_data("digits").classes
    10
    """
    component: DataLoader = (registry or default_registry()).create("data_loader", loader)
    data: Any = component.load()
    if not isinstance(data, Dataset):
        name = type(component).__name__
        raise PluginError(f"load() of {name} must return a nnplug.Dataset, it returned {type(data).__name__}")
    return data


def load(
    path: str | Path,
    *,
    into: Model | None = None,
    only: str | Iterable[str] = "*",
    registry: Registry | None = None,
) -> Model:
    """Read a model that `Model.save` wrote, or weights of it into another model.

    Args:
        path: the file.
        into: a model that takes the weights over, and nothing else: its input is scaled as before; default: the saved
            model is built again.
        only: which parameters ``into`` takes, as a pattern or several: ``"hidden.*"``; the others stay as they are.
        registry: where names are looked up; default: everything installed.

    Returns:
        the model that was built, or ``into``.

    Raises:
        ModelFileError: the file is missing, is no model of nnplug, or contradicts itself.
        NnplugError: ``into`` is no model, or ``only`` is given without it.
    """
    if not isinstance(into, Model | None):
        raise NnplugError(f"'into' is the model that takes the weights over, not {show(into)}")
    if into is None and only != "*":
        raise NnplugError("'only' chooses what another model takes over; name that model with 'into'")
    path = Path(path).expanduser()
    name = printable(str(path))
    with open_model(path) as (header, file):
        if into is not None:
            _take_over(into, file, only, name)
            return into
        registry = registry or default_registry()
        try:
            return _rebuild(header, file, registry)
        except (NnplugError, RecursionError) as error:
            told = "; ".join(str(error).splitlines()) if isinstance(error, NnplugError) else "it is nested too deeply"
            raise ModelFileError(f"{name} cannot be built again: {told}{_claims(header, registry)}") from error


def _rebuild(header: Mapping[str, Any], file: TensorFile, registry: Registry) -> Model:
    """The model that a header describes; nothing is allocated before the arrays in the file are known to fit."""
    about = {field.name: header[field.name] for field in attrs.fields(About) if field.name in header}
    draft = draw_up(header["model"], header.get("input_shape"), about, registry)
    dtype = np.dtype(draft.about.dtype)
    needed: Needed = {placed.path: (placed.spec.shape, dtype) for placed in draft.layout.params}
    for name, spec in draft.layout.state.items():
        needed[name] = spec.shape, np.dtype(spec.dtype or dtype)
    if missing := sorted(needed.keys() - file.arrays.keys()):
        raise ModelFileError(f"it lacks {quote(missing[0])}, which its own config asks for")
    _check(file.arrays, needed, exact=True)
    model = draft.model(lambda name, spec: np.broadcast_to(dtype.type(0), spec.shape))
    for name, array in {**model.params, **model.state}.items():
        file.read_into(name, array)
    return model


def _take_over(model: Model, file: TensorFile, only: str | Iterable[str], name: str) -> None:
    """Read the chosen arrays into a model, all of them or none."""
    chosen: dict[str, Stored] = {}
    for pattern in one_or_many(only):
        matching = {array: stored for array, stored in file.arrays.items() if fnmatchcase(array, pattern)}
        if not matching:
            raise ModelFileError(f"{name} holds no parameter that matches {quote(pattern)}")
        chosen |= matching
    known = {**model.params, **model.state}
    try:
        _check(chosen, {path: (array.shape, array.dtype) for path, array in known.items()}, exact=False)
        with np.errstate(over="raise"):
            found = {path: file.read(path).astype(known[path].dtype, copy=False) for path in chosen}
    except FloatingPointError:
        raise ModelFileError(f"{name} does not fit: it holds numbers too large for {model.dtype}") from None
    except ModelFileError as error:
        raise ModelFileError(f"{name} does not fit: {error}") from None
    for path, array in found.items():
        known[path][...] = array


def _check(arrays: Mapping[str, Stored], needed: Needed, exact: bool) -> None:
    """Hold arrays against names, shapes and dtypes; unless ``exact``, float64 may become float32 and so on."""
    for name, stored in arrays.items():
        if name not in needed:
            raise ModelFileError(f"it holds {quote(name)}, which the model does not have")
        shape, dtype = needed[name]
        if stored.shape != shape:
            raise ModelFileError(f"its {name} has shape {cut(str(stored.shape))}, the model's has {cut(str(shape))}")
        if stored.dtype != dtype.name and (exact or np.dtype(stored.dtype).kind != dtype.kind):
            raise ModelFileError(f"its {name} has dtype {stored.dtype}, the model's has {dtype}")


def _claims(header: Mapping[str, Any], registry: Registry) -> str:
    """What a file says of plugins that are not here, or in another version: hearsay. No command is made of it."""
    plugins = header.get("plugins")
    installed = {normalise(listed.entry.distribution): listed.entry.version for listed in registry.listing()}
    claimed = [
        (name, version)
        for name, version in (plugins.items() if isinstance(plugins, dict) else ())
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name)
        if isinstance(version, str) and re.fullmatch(r"[A-Za-z0-9.+!_-]{1,30}", version)
    ]
    here = [(name, version, installed.get(normalise(name))) for name, version in claimed]
    others = [f"{name} {version} (here {own})" for name, version, own in here if own and own != version]
    missing = [f"{name} {version}" for name, version, own in here if own is None]
    told = f". The file says that it was made with {_some(others)}" if others else ""
    if not missing:
        return told
    return told + (
        f". The file says that it was made with {_some(missing)}, not installed here. nnplug cannot vouch for what a "
        "file says: a plugin is a program, so find out who publishes it before you install it"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
