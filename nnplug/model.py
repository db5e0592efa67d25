"""The Model: a planned network with its arrays and its loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnplug import evaluation
from nnplug.about import FACTS, About
from nnplug.agreement import check_agreement
from nnplug.config import ModelConfig, build_section
from nnplug.contracts import Metric
from nnplug.data import open_split, prepared, shaped
from nnplug.errors import NnplugError, ShapeError
from nnplug.gradients import Make, analytic, numerical, of_input
from nnplug.modelfile import write_model
from nnplug.naming import one_or_many, suggest
from nnplug.network import Network
from nnplug.registry import Registry
from nnplug.specs import Array, ArraySpec, Dataset
from nnplug.streams import Streams
from nnplug.summary import Summary, summarise


class Model:
    """A network, its parameters and its loss; made by `nnplug.build` or `nnplug.load`.

    Every method takes raw input, in the units that the data loader delivered: ``scale`` is applied inside. Any number
    of threads may predict at once. `copy.deepcopy`, and pickling for other processes, give a model of its own, without
    gradients. A pickle is a program: to keep a model or to hand it on, use `save`.

    Attributes:
        network: layers, plan, arrays and loss: what training works on.
        config: the layers, the loss and L2 that it was built from.
        input_spec: shape and dtype of one sample.
        grads: the gradients' memory, by path: update rules write over it; `gradients` computes them.
        state: what layers keep beside parameters, such as running means, by path.
        dtype: its floating-point type.
        scale: ``(offset, factor)``, or None.
        classes: the number of classes, where the data said so.
        class_names: the classes' names, where the data said so.
        feature_names: the names of its input's columns, where the data said so.
        seed: what its random streams follow from.
        streams: its random streams, which training moves on.
        registry: where its names were looked up.
    """

    def __init__(
        self,
        network: Network,
        config: ModelConfig,
        input_spec: ArraySpec,
        registry: Registry,
        *,
        seed: int = 0,
        scale: tuple[float, float] | None = None,
        classes: int | None = None,
        class_names: tuple[str, ...] | None = None,
        feature_names: tuple[str, ...] | None = None,
    ) -> None:
        self.network, self.config, self.input_spec, self.registry = network, config, input_spec, registry
        self.seed, self.scale, self.classes = seed, scale, classes
        self.class_names, self.feature_names = class_names, feature_names
        self.streams = Streams(seed)
        buffers = network.buffers
        self.dtype: np.dtype[Any] = buffers.vector.dtype
        self._params: Mapping[str, Array] = MappingProxyType(buffers.named(buffers.vector))
        self.grads: Mapping[str, Array] = MappingProxyType(buffers.named(buffers.gradient))
        self.state: Mapping[str, Array] = buffers.state
        self._inference, self._one_row = network.context(Streams(seed)), evaluation.OneRow(network)

    @property
    def params(self) -> Mapping[str, Array]:  # an attribute could be assigned to, which would change no layer's arrays
        """Every parameter by path: write into these arrays, ``model.params["affine1.W"][...] = values``."""
        return self._params

    def adopt(self, data: Dataset) -> None:
        """Take over scale, number and names of classes and names of features, where the model has none of its own.

        Raises:
            ConfigError: the data tells what cannot be, or is scaled where the model takes integers.
            DataError: the data is scaled otherwise than the model's input, or has other features.
        """
        own = {name: getattr(self, name) for name in FACTS}
        facts = {name: getattr(data, name) if known is None else known for name, known in own.items()}
        about: About = build_section(About, facts | {"seed": self.seed, "dtype": str(self.dtype)}, self.registry)
        check_agreement(data, about.scale, about.feature_names)
        about.check_input(self.input_spec)
        for name in FACTS:
            setattr(self, name, getattr(about, name))

    # Prediction

    def scores(self, x: ArrayLike) -> Array:
        """What the last layer puts out for a batch (N, ...), before any softmax.

        Raises:
            ShapeError: x is no batch of samples of the model's input shape.
        """
        x = prepared(x, self.input_spec, self.scale)
        if len(x) == 1:
            return self._one_row.scores(x)
        if len(x) > evaluation.BATCH:
            return evaluation.scores(self.network, x)
        out = self.network.scores(x, self._inference)
        others = (x, self.network.buffers.vector, *self.state.values())
        return out.copy() if any(np.may_share_memory(out, other) for other in others) else out

    def predict(self, x: ArrayLike) -> Array:
        """The predictions that the scores stand for: class indices for a classifier.

        Raises:
            DataError: a class would be chosen by scores that are not finite.
        """
        scores = self.scores(x)
        predictions = self.network.loss.predict(scores)
        if predictions.dtype.kind != "f":
            evaluation.check_finite(scores)
        return predictions

    def probabilities(self, x: ArrayLike) -> Array:
        """The probability of each class.

        Raises:
            NnplugError: the model's loss does not model probabilities.
        """
        return self.network.loss.probabilities(self.scores(x))

    def activations(self, x: ArrayLike) -> dict[str, Array]:
        """What every layer, alone or in chains, puts out for a batch, by path, from input to output."""
        return self.network.activations(prepared(x, self.input_spec, self.scale), self._inference)

    # The loss and its gradient

    def loss(self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
        """The mean loss of a batch in inference mode, with the L2 term: the number that training minimises."""
        return self.evaluate(x, y, weight, metrics=())["loss"]

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        metrics: Iterable[Metric | str] | None = None,
    ) -> dict[str, float]:
        """Loss and metrics of a batch or a whole split.

        Args:
            x: the samples.
            y: the targets.
            weight: a weight per row, for the loss.
            metrics: names or components; default: those that fit the loss.

        Returns:
            ``{"loss": 0.08, "accuracy": 0.97}``

        Raises:
            ShapeError: x is no batch of samples of the model's input shape.
            DataError: the targets do not fit the loss or a metric.
        """
        source = open_split((shaped(x, self.input_spec), y, weight), "given", self.input_spec.dtype, self.scale)
        chosen = self.metrics(metrics)
        self.check_targets(np.asanyarray(y), chosen)
        return evaluation.evaluate(self.network, source, chosen)

    def metrics(self, metrics: Iterable[Metric | str] | None = None) -> dict[str, Metric]:
        """Metrics by the name they are reported under; default: those that fit the loss.

        Several of one name are counted: ``top_k1``, ``top_k2``.
        """
        chosen = self.network.loss.metrics if metrics is None else one_or_many(metrics)
        built = [self.registry.create("metric", metric) for metric in chosen]
        names = [self.registry.name_of(metric, default=type(metric).__name__) for metric in built]
        return dict(zip(evaluation.names_in_results(names), built, strict=True))

    def check_targets(self, targets: Array, metrics: Mapping[str, Metric]) -> None:
        """Refuse targets that the loss or a metric cannot use.

        Raises:
            ShapeError: the network's output does not fit the loss.
            DataError: the targets do not fit the loss or a metric.
        """
        self.network.loss.check(self.network.plan.out, targets)
        for metric in metrics.values():
            metric.check(self.network.plan.out, targets)

    def gradients(
        self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, *, training: bool = True
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient with respect to every parameter, as a training step would compute them.

        Those of frozen layers are given too. Running statistics and random streams are left as they were.

        Returns:
            the loss with the L2 term, and arrays by path that belong to the caller.
        """
        batch = self._batch(x, y, weight, self.input_spec.dtype)
        return analytic(self.network, batch, self._contexts(training))

    def input_gradient(
        self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, *, training: bool = False
    ) -> Array:
        """The gradient of the loss with respect to x, in x's own units: which inputs the loss depends on, and how.

        The loss is a mean over the batch, so each row's gradient is ``1 / N`` of that of its own loss.

        Raises:
            ShapeError: the model takes integers, which have no gradient.
        """
        if self.input_spec.dtype.kind != "f":
            raise ShapeError(f"the model takes {self.input_spec.dtype}, and integers have no gradient")
        dx = of_input(self.network, self._batch(x, y, weight, self.input_spec.dtype), self._contexts(training))
        return dx if self.scale is None else dx * dx.dtype.type(self.scale[1])

    def numerical_gradients(
        self,
        x: ArrayLike,
        y: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        names: Iterable[str] | None = None,
        h: float = 1e-5,
        training: bool = True,
    ) -> dict[str, Array]:
        """The gradients of parameters by central differences in float64, whatever the dtype. Slow: two passes a number.

        Args:
            x: the samples.
            y: the targets.
            weight: a weight per row.
            names: the parameters to compute; default: all.
            h: the distance of the two points.
            training: whether layers act as in a training step.
        """
        floating = self.input_spec.dtype.kind == "f"
        batch = self._batch(x, y, weight, np.dtype("float64") if floating else self.input_spec.dtype)
        return numerical(self.network, batch, self._contexts(training), self._known(names), h)

    def _contexts(self, training: bool) -> Make:
        return lambda network, need_dx: network.context(self.streams.copy(), training=training, need_dx=need_dx)

    # Input

    def _batch(
        self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None, dtype: np.dtype[Any]
    ) -> tuple[Array, Array, Array | None]:
        source = open_split((shaped(x, self.input_spec), y, weight), "given", dtype, self.scale)
        self.check_targets(np.asanyarray(y), {})
        return next(iter(source.batches(len(np.asanyarray(y)), None)))

    def _known(self, names: Iterable[str] | None) -> list[str]:
        chosen = list(self.params) if names is None else list(one_or_many(names))
        for name in chosen:
            if name not in self.params:
                raise NnplugError(f"the model has no parameter {name!r}{suggest(name, self.params)}")
        return chosen

    # Looking at it, keeping it

    def summary(self) -> Summary:
        """Every layer with its output shape, parameters and bytes; print it."""
        return summarise(self.network, self.input_spec, self.registry)

    def save(self, path: str | Path) -> None:
        """Write weights, state and the filled-in config to one safetensors file; an existing file is replaced.

        Raises:
            RegistryError: a layer has no registry name, so that nobody could load the file.
            ModelFileError: the file cannot be written.
        """
        header = {
            "model": self.registry.describe(self.config),
            "input_shape": list(self.input_spec.shape),
            "dtype": str(self.dtype),
            "seed": self.seed,
            **{name: getattr(self, name) for name in FACTS},
            "plugins": self.registry.versions(),
        }
        write_model(Path(path).expanduser(), header, {**self.params, **self.state})

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled with parameters, state and random streams."""
        facts = {name: getattr(self, name) for name in ("seed", *FACTS)}
        parts = self.network, self.config, self.input_spec, self.registry
        return partial(Model, **facts), parts, self.streams.state()

    def __setstate__(self, streams: Mapping[str, Any]) -> None:
        self.streams.restore(streams)

    def __repr__(self) -> str:
        size = self.network.buffers.layout.size
        return f"<Model {self.input_spec.shape} -> {self.network.plan.out.shape}, {size:,} parameters>"
