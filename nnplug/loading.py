"""Loading data by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnplug.contracts import DataLoader
from nnplug.registry import Registry, default_registry
from nnplug.specs import Dataset


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
