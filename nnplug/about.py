"""What a model is beside its layers: its seed and dtype, and what it knows of its data."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import Any, Literal

from attrs import Attribute, field, frozen
from attrs.validators import and_, ge, le, optional

from nnplug.errors import ConfigError, Problem
from nnplug.naming import quote
from nnplug.specs import ArraySpec

FACTS = ("scale", "classes", "class_names", "feature_names")  # what the data says that a model learns from first
MOST = 10_000  # names
TEXT = 80_000  # their characters; JSON takes up to 12 bytes for each, and the header of a file has 2 MiB


def _usable(instance: object, attribute: Attribute[Any], scale: tuple[float, float]) -> None:
    if not (isfinite(scale[0]) and isfinite(scale[1]) and scale[1] != 0):
        raise ValueError(f"must be two finite numbers, offset and factor, and the factor not 0: {scale}")


def _distinct(instance: object, attribute: Attribute[Any], names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise ValueError(f"two are called {quote(twice)}")


def _writable(instance: object, attribute: Attribute[Any], names: tuple[str, ...]) -> None:
    """What a model file could not hold is told before training, not after it."""
    if len(names) > MOST:
        raise ValueError(f"holds {len(names):,} names; a model file takes no more than {MOST:,}")
    if (characters := sum(map(len, names))) > TEXT:
        raise ValueError(f"the names have {characters:,} characters together; a model file takes no more than {TEXT:,}")


def _one_each(instance: About, attribute: Attribute[Any], names: tuple[str, ...]) -> None:
    if instance.classes is not None and len(names) != instance.classes:
        raise ValueError(f"class_names holds {len(names)} for {instance.classes} classes")


@frozen
class About:
    """Facts about a model; `nnplug.build` explains them."""

    seed: int = field(validator=ge(0))
    dtype: Literal["float32", "float64"]
    scale: tuple[float, float] | None = field(default=None, validator=optional(_usable))
    classes: int | None = field(default=None, validator=optional([ge(1), le(2**31)]))
    class_names: tuple[str, ...] | None = field(default=None, validator=optional(and_(_distinct, _writable, _one_each)))
    feature_names: tuple[str, ...] | None = field(default=None, validator=optional(and_(_distinct, _writable)))

    def check_input(self, sample: ArraySpec) -> None:
        """Refuse what does not go with the samples.

        Raises:
            ConfigError: input would be scaled into a dtype that has no fractions, and all become 0; or there is not a
                name for each feature.
        """
        dtype, names = sample.dtype, self.feature_names
        if names is not None and sample.shape != (len(names),):
            told = f"holds {len(names)} for samples of shape {sample.shape}; give one for each column, or none"
            raise ConfigError([Problem("feature_names", told)])
        if dtype.kind != "f" and self.scale is not None:
            told = f"{dtype} cannot hold x times {self.scale[1]:g}; the data is scaled, leave one of the two out"
            raise ConfigError([Problem("model.input_dtype", told)])
