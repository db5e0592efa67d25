"""What a model is beside its layers: its seed and dtype, and what it knows of its data."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

import numpy as np
from attrs import Attribute, field, frozen
from attrs.validators import ge, le, optional

from nnplug.errors import ConfigError, Problem
from nnplug.naming import quote


def _usable(instance: object, attribute: Attribute[Any], scale: tuple[float, float]) -> None:
    if not (isfinite(scale[0]) and isfinite(scale[1]) and scale[1] != 0):
        raise ValueError(f"must be two finite numbers, offset and factor, and the factor not 0: {scale}")


def _named(instance: About, attribute: Attribute[Any], names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"two classes are called {quote(twice)}")
    if instance.classes is not None and len(names) != instance.classes:
        raise ValueError(f"class_names holds {len(names)} for {instance.classes} classes")


@frozen
class About:
    """Facts about a model; `nnplug.build` explains them."""

    seed: int = field(validator=ge(0))
    dtype: Literal["float32", "float64"]
    scale: tuple[float, float] | None = field(default=None, validator=optional(_usable))
    classes: int | None = field(default=None, validator=optional([ge(1), le(2**31)]))
    class_names: tuple[str, ...] | None = field(default=None, validator=optional(_named))

    def check_input(self, dtype: np.dtype[Any]) -> None:
        """Refuse to scale input into a dtype that has no fractions.

        Raises:
            ConfigError: it would all become 0.
        """
        if dtype.kind != "f" and self.scale is not None:
            told = f"{dtype} cannot hold x times {self.scale[1]:g}; the data is scaled, leave one of the two out"
            raise ConfigError([Problem("model.input_dtype", told)])
