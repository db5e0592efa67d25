"""The builder: a config -> planned layers -> a model with its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nnplug.buffers import Buffers, lay_out
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
        registry: where names are looked up; default: everything installed.

    Raises:
        ConfigError: with everything that is wrong with the config.
        ShapeError: layers do not fit together, found before any array is allocated.

    >>> model = build(["relu", {"type": "affine", "units": 3}], input_shape=4, seed=0)
    >>> model.params["affine1.W"].shape
    (4, 3)
    """
    registry = registry or default_registry()
    model_config = _config(config, registry)
    shape = model_config.input_shape if input_shape is None else input_shape
    if shape is None:
        raise ConfigError([Problem("model", "needs 'input_shape', the shape of one sample, such as [784]")])
    input_spec = ArraySpec(shape, model_config.input_dtype or dtype)
    layer = Chain(model_config.layers)
    plan = plan_model(layer, input_spec)
    streams, floating = Streams(seed), np.dtype(dtype)

    def initialise(path: str, spec: ParamSpec) -> Array:
        if isinstance(spec.init, int | float):
            return np.full(spec.shape, spec.init, floating)
        initializer: Initializer = registry.create("initializer", spec.init)
        return initializer(streams.fresh("initialise", path), spec, floating)

    buffers = Buffers.allocate(plan, lay_out(layer, plan), dtype, initialise)
    assert isinstance(model_config.loss, Loss)  # noqa: S101  (build_section resolved it)
    return Model(
        Network(layer, plan, model_config.loss, model_config.l2, buffers),
        model_config,
        input_spec,
        registry,
        seed=seed,
        scale=scale,
        classes=classes,
        class_names=None if class_names is None else tuple(class_names),
    )


def _config(config: ModelConfig | Mapping[str, Any] | Sequence[Any], registry: Registry) -> ModelConfig:
    if isinstance(config, ModelConfig):
        config = fields_of(config)
    table = config if isinstance(config, Mapping) else {"layers": config}
    section: ModelConfig = build_section(ModelConfig, table, registry, "model")
    return section


def plan_model(layer: Layer, input_spec: ArraySpec) -> Plan:
    """Plan a whole network; no array is made.

    Raises:
        ShapeError: with the config path of the layer that does not fit.
    """
    try:
        return layer.plan(input_spec)
    except ShapeError as error:
        raise error.within("model") from None
