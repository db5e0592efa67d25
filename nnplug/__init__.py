"""nnplug: a plugin-based framework for neural networks in NumPy."""

from typing import TYPE_CHECKING, Any

from nnplug.context import Context
from nnplug.contracts import (
    Callback,
    DataLoader,
    Initializer,
    Layer,
    Loss,
    Metric,
    Schedule,
    UpdateRule,
)
from nnplug.errors import (
    ConfigError,
    DataError,
    DivergedError,
    ModelFileError,
    NnplugError,
    PluginError,
    RegistryError,
    ShapeError,
)
from nnplug.history import History, Run
from nnplug.hookspecs import hookimpl
from nnplug.paths import data_dir, offline
from nnplug.specs import Array, ArraySpec, Batch, Dataset, Params, ParamSpec, Plan, Source, StateSpec, Step

if TYPE_CHECKING:
    from nnplug.builder import build
    from nnplug.gradcheck import norm_error, numerical_gradient, relative_error
    from nnplug.job import TrainResult, train
    from nnplug.loading import load, load_data
    from nnplug.model import Model
    from nnplug.registry import Registry, default_registry
    from nnplug.solver import Solver

# What plugins need is imported above; what only users of whole models need is imported when it is first asked for.
_LAZY = {
    "Model": "nnplug.model",
    "Registry": "nnplug.registry",
    "Solver": "nnplug.solver",
    "TrainResult": "nnplug.job",
    "build": "nnplug.builder",
    "default_registry": "nnplug.registry",
    "load": "nnplug.loading",
    "load_data": "nnplug.loading",
    "norm_error": "nnplug.gradcheck",
    "numerical_gradient": "nnplug.gradcheck",
    "relative_error": "nnplug.gradcheck",
    "train": "nnplug.job",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'nnplug' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Array",
    "ArraySpec",
    "Batch",
    "Callback",
    "ConfigError",
    "Context",
    "DataError",
    "DataLoader",
    "Dataset",
    "DivergedError",
    "History",
    "Initializer",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "ModelFileError",
    "NnplugError",
    "ParamSpec",
    "Params",
    "Plan",
    "PluginError",
    "Registry",
    "RegistryError",
    "Run",
    "Schedule",
    "ShapeError",
    "Solver",
    "Source",
    "StateSpec",
    "Step",
    "TrainResult",
    "UpdateRule",
    "build",
    "data_dir",
    "default_registry",
    "hookimpl",
    "load",
    "load_data",
    "norm_error",
    "numerical_gradient",
    "offline",
    "relative_error",
    "train",
]
