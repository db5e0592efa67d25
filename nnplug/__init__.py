"""nnplug: a plugin-based framework for neural networks in NumPy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnplug.arrayfiles import npz_headers, read_npy, read_npz
    from nnplug.builder import build
    from nnplug.chain import Chain
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
        CheckpointError,
        ConfigError,
        DataError,
        DivergedError,
        ModelFileError,
        NnplugError,
        PluginError,
        RegistryError,
        ShapeError,
    )
    from nnplug.gradcheck import norm_error, numerical_gradient, relative_error
    from nnplug.history import History, Run
    from nnplug.hookspecs import hookimpl
    from nnplug.job import TrainResult, train
    from nnplug.loading import load, load_data
    from nnplug.model import Model
    from nnplug.paths import data_dir, data_file, offline
    from nnplug.registry import Registry, default_registry
    from nnplug.solver import Solver
    from nnplug.specs import Array, ArraySpec, Batch, Dataset, Params, ParamSpec, Plan, Source, StateSpec, Step
    from nnplug.table import Table

# Everything is imported when it is first asked for: `nnplug --help` needs no NumPy, a plugin no training loop.
_HOME = {
    "Array": "nnplug.specs",
    "ArraySpec": "nnplug.specs",
    "Batch": "nnplug.specs",
    "Callback": "nnplug.contracts",
    "Chain": "nnplug.chain",
    "CheckpointError": "nnplug.errors",
    "ConfigError": "nnplug.errors",
    "Context": "nnplug.context",
    "DataError": "nnplug.errors",
    "DataLoader": "nnplug.contracts",
    "Dataset": "nnplug.specs",
    "DivergedError": "nnplug.errors",
    "History": "nnplug.history",
    "Initializer": "nnplug.contracts",
    "Layer": "nnplug.contracts",
    "Loss": "nnplug.contracts",
    "Metric": "nnplug.contracts",
    "Model": "nnplug.model",
    "ModelFileError": "nnplug.errors",
    "NnplugError": "nnplug.errors",
    "ParamSpec": "nnplug.specs",
    "Params": "nnplug.specs",
    "Plan": "nnplug.specs",
    "PluginError": "nnplug.errors",
    "Registry": "nnplug.registry",
    "RegistryError": "nnplug.errors",
    "Run": "nnplug.history",
    "Schedule": "nnplug.contracts",
    "ShapeError": "nnplug.errors",
    "Solver": "nnplug.solver",
    "Source": "nnplug.specs",
    "StateSpec": "nnplug.specs",
    "Step": "nnplug.specs",
    "Table": "nnplug.table",
    "TrainResult": "nnplug.job",
    "UpdateRule": "nnplug.contracts",
    "build": "nnplug.builder",
    "data_dir": "nnplug.paths",
    "data_file": "nnplug.paths",
    "default_registry": "nnplug.registry",
    "hookimpl": "nnplug.hookspecs",
    "load": "nnplug.loading",
    "load_data": "nnplug.loading",
    "norm_error": "nnplug.gradcheck",
    "npz_headers": "nnplug.arrayfiles",
    "numerical_gradient": "nnplug.gradcheck",
    "offline": "nnplug.paths",
    "read_npy": "nnplug.arrayfiles",
    "read_npz": "nnplug.arrayfiles",
    "relative_error": "nnplug.gradcheck",
    "train": "nnplug.job",
}


if not TYPE_CHECKING:  # a type checker would take any misspelt name for one of these

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("nnplug")
        if name not in _HOME:
            raise AttributeError(f"module 'nnplug' has no attribute {name!r}")
        from importlib import import_module  # noqa: TID251  (of modules listed above)

        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Array",
    "ArraySpec",
    "Batch",
    "Callback",
    "Chain",
    "CheckpointError",
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
    "Table",
    "TrainResult",
    "UpdateRule",
    "build",
    "data_dir",
    "data_file",
    "default_registry",
    "hookimpl",
    "load",
    "load_data",
    "norm_error",
    "npz_headers",
    "numerical_gradient",
    "offline",
    "read_npy",
    "read_npz",
    "relative_error",
    "train",
]
