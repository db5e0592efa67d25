"""nnplug: a plugin-based framework for neural networks in NumPy."""

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
    "ModelFileError",
    "NnplugError",
    "ParamSpec",
    "Params",
    "Plan",
    "PluginError",
    "RegistryError",
    "Run",
    "Schedule",
    "ShapeError",
    "Source",
    "StateSpec",
    "Step",
    "UpdateRule",
    "data_dir",
    "hookimpl",
    "offline",
]
