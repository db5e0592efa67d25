"""Model files: one safetensors file with the weights and, as JSON, the config they belong to.

Loading builds layers and loss through the registry and nothing else; nothing is unpickled or imported by path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.builder import build
from nnplug.errors import ConfigError, ModelFileError, NnplugError
from nnplug.files import write_atomically
from nnplug.model import Model
from nnplug.registry import Registry, default_registry
from nnplug.specs import Array

FORMAT = 1
KEY = "nnplug"


def save(model: Model, path: Path) -> None:
    """See `Model.save`."""
    import safetensors.numpy

    header = {
        "format": FORMAT,
        "model": model.registry.describe(model.config),
        "input_shape": list(model.input_spec.shape),
        "dtype": str(model.dtype),
        "seed": model.seed,
        "scale": model.scale,
        "classes": model.classes,
        "class_names": model.class_names,
        "plugins": model.registry.versions(),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in {**model.params, **model.state}.items()}
    content = safetensors.numpy.save(arrays, {KEY: json.dumps(header)})
    try:
        write_atomically(path, content)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be written: {error.strerror}") from error


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
    header, arrays = _read(path)
    if into is not None:
        _take_over(into, {name: a for name, a in arrays.items() if fnmatchcase(name, only)}, path, only)
        return into
    try:
        model = _build(header, registry or default_registry())
    except (ConfigError, NnplugError) as error:
        raise ModelFileError(f"{path} cannot be built again: {error}") from error
    missing = sorted({*model.params, *model.state} - arrays.keys())
    if missing:
        raise ModelFileError(f"{path} lacks {missing[0]!r}, which its own config asks for")
    _take_over(model, arrays, path, "*")
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or 'no such file'}") from error
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is no model file: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("model"), dict):
        raise ModelFileError(f"{path} is a safetensors file, but not one that nnplug wrote: it has no config")
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} has format {header.get('format')!r}; this nnplug reads format {FORMAT}, a newer one may read it"
        )
    return header, arrays


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
