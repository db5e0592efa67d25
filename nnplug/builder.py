"""The builder: a config -> planned layers -> a model with its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike

from nnplug.about import FACTS, About
from nnplug.buffers import Buffers, Initialise, Layout, lay_out
from nnplug.chain import Chain
from nnplug.config import ModelConfig, build_section
from nnplug.contracts import Initializer, Layer, Loss
from nnplug.errors import ConfigError, Problem, ShapeError
from nnplug.model import Model
from nnplug.network import Network
from nnplug.options import fields_of
from nnplug.registry import Registry, default_registry
from nnplug.specs import Array, ArraySpec, ParamSpec, Plan
from nnplug.streams import Streams


def build(
    config: ModelConfig | Mapping[str, Any] | Sequence[Any],
    *,
    input_shape: int | Sequence[int] | None = None,
    seed: int = 0,
    dtype: DTypeLike = "float32",
    scale: tuple[float, float] | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    registry: Registry | None = None,
) -> Model:
    """Assemble a network by registry name.

    Args:
        config: what the ``[model]`` table of a config holds, ``{"layers": [...], "loss": "softmax"}``, or the list of
            layers alone; layers are names, tables or components.
        input_shape: the shape of one sample, without the batch axis; default: what the config says.
        seed: what initial values and dropout follow from.
        dtype: float32 or float64.
        scale: ``(offset, factor)`` for raw input: the network sees ``(x - offset) * factor``.
        classes: the number of classes, to be remembered.
        class_names: the classes' names, to be remembered.
        feature_names: the names of the input's columns, to be remembered.
        registry: where names are looked up; default: everything installed.

    Raises:
        ConfigError: with everything that is wrong with the config.
        ShapeError: layers do not fit together, found before any array is allocated.

    >>> model = build(["relu", {"type": "affine", "units": 3}], input_shape=4, seed=0)
    >>> model.params["affine1.W"].shape
    (4, 3)
    """
    registry = registry or default_registry()
    about = {"seed": seed, "dtype": _name(dtype), "scale": scale, "classes": classes}
    about |= {"class_names": class_names, "feature_names": feature_names}
    draft = draw_up(config, input_shape, about, registry)
    streams, floating = Streams(draft.about.seed), np.dtype(draft.about.dtype)

    def initialise(path: str, spec: ParamSpec) -> Array:
        if isinstance(spec.init, int | float):
            return np.full(spec.shape, spec.init, floating)
        initializer: Initializer = registry.create("initializer", spec.init)
        return initializer(streams.fresh("initialise", path), spec, floating)

    return draft.model(initialise)


@frozen(eq=False)
class Draft:
    """A model before its arrays: checked and planned.

    Args:
        config: the layers, the loss and L2.
        about: the rest.
        input_spec: one sample.
        layer: the whole network as one layer.
        plan: what it planned.
        layout: the arrays it needs.
        registry: where names were looked up.
    """

    config: ModelConfig
    about: About
    input_spec: ArraySpec
    layer: Layer
    plan: Plan
    layout: Layout
    registry: Registry

    def model(self, initialise: Initialise) -> Model:
        """Allocate the arrays, and set each parameter to ``initialise(path, spec)``.

        Raises:
            NnplugError: there is not enough memory, or an initializer returns something else than it was asked for.
        """
        buffers = Buffers.allocate(self.plan, self.layout, self.about.dtype, initialise)
        assert isinstance(self.config.loss, Loss)  # noqa: S101  (draw_up resolved it)
        return Model(
            Network(self.layer, self.plan, self.config.loss, self.config.l2, buffers),
            self.config,
            self.input_spec,
            self.registry,
            seed=self.about.seed,
            **{name: getattr(self.about, name) for name in FACTS},
        )


def draw_up(
    config: ModelConfig | Mapping[str, Any] | Sequence[Any],
    input_shape: int | Sequence[int] | None,
    about: Mapping[str, Any],
    registry: Registry,
) -> Draft:
    """Check and plan a model; `build` explains the arguments, ``about`` holds the fields of `About`.

    Raises:
        ConfigError: with everything that is wrong with the config.
        ShapeError: layers do not fit together.
    """
    checked: About = build_section(About, about, registry)
    section = _config(config, input_shape, registry)
    input_spec = _input_spec(section, checked)
    layer = _chain(section)
    plan = plan_model(layer, input_spec)
    return Draft(section, checked, input_spec, layer, plan, lay_out(layer, plan), registry)


def _name(dtype: DTypeLike) -> Any:
    try:
        return np.dtype(dtype).name
    except TypeError:
        return dtype


def _config(
    config: ModelConfig | Mapping[str, Any] | Sequence[Any], input_shape: int | Sequence[int] | None, registry: Registry
) -> ModelConfig:
    if isinstance(config, ModelConfig):
        config = fields_of(config)
    table = config if isinstance(config, Mapping) else {"layers": config}
    if input_shape is not None:
        table = {**table, "input_shape": [input_shape] if isinstance(input_shape, Integral) else input_shape}
    section: ModelConfig = build_section(ModelConfig, table, registry, "model")
    return section


def _input_spec(config: ModelConfig, about: About) -> ArraySpec:
    if config.input_shape is None:
        raise ConfigError([Problem("model", "needs 'input_shape', the shape of one sample, such as [784]")])
    spec = ArraySpec(config.input_shape, config.input_dtype or about.dtype)
    about.check_input(spec)
    return spec


def _chain(config: ModelConfig) -> Chain:
    try:
        return Chain(config.layers)
    except ValueError as error:
        raise ConfigError([Problem("model.layers", str(error))]) from None


def plan_model(layer: Layer, input_spec: ArraySpec) -> Plan:
    """Plan a whole network; no array is made.

    Raises:
        ShapeError: with the config path of the layer that does not fit.
    """
    try:
        return layer.plan(input_spec)
    except ShapeError as error:
        raise error.within("model") from None
