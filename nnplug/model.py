"""The Model: a planned network with its arrays and its loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nnplug import evaluation
from nnplug.arena import Arena
from nnplug.buffers import Buffers
from nnplug.chain import Chain
from nnplug.context import Context
from nnplug.contracts import Layer, Loss, Metric
from nnplug.data import open_split, rescale
from nnplug.errors import DataError, NnplugError, ShapeError
from nnplug.gradcheck import numerical_gradient
from nnplug.options import suggest
from nnplug.registry import Registry
from nnplug.specs import Array, ArraySpec, Plan
from nnplug.streams import Streams

if TYPE_CHECKING:
    from nnplug.config import ModelConfig
    from nnplug.summary import Summary

SINGLE_PASS = 1024  # rows up to which scores are computed in one go


class Model:
    """A network, its parameters and its loss; made by `nnplug.build` or `nnplug.load`.

    Every method takes raw input, in the units that the data loader delivered: ``scale`` is applied inside.

    Attributes:
        config: the layers, the loss and L2 that it was built from.
        input_spec: shape and dtype of one sample.
        params: every parameter by path, ``model.params["affine1.W"]``: a writable view.
        grads: the gradient of every parameter, as the last training step left it.
        state: what layers keep beside parameters, such as running means, by path.
        dtype: its floating-point type.
        scale: ``(offset, factor)``, or None.
        classes: the number of classes, where the data said so.
        class_names: the classes' names, where the data said so.
        seed: what its random streams follow from.
    """

    def __init__(
        self,
        config: ModelConfig,
        layer: Layer,
        plan: Plan,
        buffers: Buffers,
        input_spec: ArraySpec,
        *,
        registry: Registry,
        seed: int = 0,
        scale: tuple[float, float] | None = None,
        classes: int | None = None,
        class_names: tuple[str, ...] | None = None,
    ) -> None:
        assert isinstance(config.loss, Loss)  # noqa: S101  (nnplug.build resolved it)
        self.config, self.layer, self.plan, self.buffers, self.input_spec = config, layer, plan, buffers, input_spec
        self.loss_function: Loss = config.loss
        self.registry, self.seed, self.scale = registry, seed, scale
        self.classes, self.class_names = classes, class_names
        self.dtype: np.dtype[Any] = buffers.vector.dtype
        self.streams = Streams(seed)
        self.params: Mapping[str, Array] = MappingProxyType(buffers.named(buffers.vector))
        self.grads: Mapping[str, Array] = MappingProxyType(buffers.named(buffers.gradient))
        self.state: Mapping[str, Array] = buffers.state
        self._inference = self.context()

    def context(self, *, training: bool = False, arena: Arena | None = None, streams: Streams | None = None) -> Context:
        """A context for the whole network; nobody asks for the gradient of its input."""
        seed = streams or Streams(self.seed)
        return Context(training=training, need_dx=False, dtype=self.dtype, seed=seed, arena=arena)

    # Prediction

    def scores(self, x: ArrayLike) -> Array:
        """What the last layer puts out for a batch, before any softmax.

        Raises:
            ShapeError: x is no batch of samples of the model's input shape.
        """
        x = self._input(x)
        if len(x) <= SINGLE_PASS:
            out, _ = self.layer.forward(self.buffers.params, x, self._inference)
            return out.copy() if np.may_share_memory(out, x) else out
        arena = Arena()
        ctx = self.context(arena=arena)
        scores = np.empty((len(x), *self.plan.out.shape), self.plan.out.dtype)
        for start in range(0, len(x), SINGLE_PASS):
            batch = x[start : start + SINGLE_PASS]
            arena.start(len(batch))
            scores[start : start + SINGLE_PASS], _ = self.layer.forward(self.buffers.params, batch, ctx)
        return scores

    def predict(self, x: ArrayLike) -> Array:
        """The predictions that the scores stand for: class indices for a classifier."""
        return self.loss_function.predict(self.scores(x))

    def probabilities(self, x: ArrayLike) -> Array:
        """The probability of each class.

        Raises:
            NnplugError: the model's loss does not model probabilities.
        """
        return self.loss_function.probabilities(self.scores(x))

    def activations(self, x: ArrayLike) -> dict[str, Array]:
        """What every layer puts out for a batch, by path, from input to output."""
        found: dict[str, Array] = {}
        self._record(self.layer, self.buffers.params, self._input(x), self._inference, "", found)
        return found

    def _record(self, layer: Layer, params: Any, x: Array, ctx: Context, path: str, found: dict[str, Array]) -> Array:
        if isinstance(layer, Chain):
            for name, child in layer.children:
                x = self._record(child, params[name], x, ctx.child(name), f"{path}.{name}" if path else name, found)
        else:
            x, _ = layer.forward(params, x, ctx)
        if path:
            found[path] = x.copy()
        return x

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
        """
        source = open_split((self._shaped(x), y, weight), "given", self.input_spec.dtype, self.scale)
        chosen = self.metrics(metrics)
        self.check_targets(np.asanyarray(y), chosen)
        return evaluation.evaluate(self, source, chosen)

    def metrics(self, metrics: Iterable[Metric | str] | None = None) -> dict[str, Metric]:
        """Metrics by the name they are reported under; default: those that fit the loss."""
        chosen = self.loss_function.metrics if metrics is None else metrics
        built = [self.registry.create("metric", metric) for metric in chosen]
        return {self.registry.name_of(metric, default=type(metric).__name__): metric for metric in built}

    def check_targets(self, targets: Array, metrics: Mapping[str, Metric]) -> None:
        """Refuse targets that the loss or a metric cannot use.

        Raises:
            ShapeError: the network's output does not fit the loss.
            DataError: the targets do not fit the loss or a metric.
        """
        self.loss_function.check(self.plan.out, targets)
        for metric in metrics.values():
            metric.check(self.plan.out, targets)

    def gradients(
        self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, *, training: bool = True
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient with respect to every parameter, as a training step would compute them.

        Running statistics and random streams are left as they were.

        Returns:
            the loss with the L2 term, and arrays by path that belong to the caller.
        """
        buffers = self.buffers.twin()
        batch = self._batch(x, y, weight, self.input_spec.dtype)
        loss = self.backpropagate(buffers, *batch, self.context(training=training, streams=self._streams_copy()))
        return loss, buffers.named(buffers.gradient)

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
        """The same gradients by central differences in float64, whatever the model's dtype. Slow: two passes a number.

        Args:
            x: the samples.
            y: the targets.
            weight: a weight per row.
            names: the parameters to compute; default: all.
            h: the distance of the two points.
            training: whether layers act as in a training step.
        """
        buffers = self.buffers.twin("float64")
        floating = self.input_spec.dtype.kind == "f"
        batch = self._batch(x, y, weight, np.dtype("float64") if floating else self.input_spec.dtype)
        views = buffers.named(buffers.vector)
        kept = {path: array.copy() for path, array in buffers.state.items()}

        def objective() -> float:
            for path, array in kept.items():
                buffers.state[path][...] = array
            ctx = Context(training=training, dtype="float64", seed=self._streams_copy())
            return self._forward(buffers, *batch, ctx)[0] + self.penalty(buffers)

        return {name: numerical_gradient(objective, views[name], h) for name in self._known(names)}

    def backpropagate(self, buffers: Buffers, x: Array, y: Array, weight: Array | None, ctx: Context) -> float:
        """One step without the update: assigns ``buffers.grads`` and returns the loss with the L2 term.

        x is prepared input: of the input dtype, scaled.
        """
        loss, dscores, cache = self._forward(buffers, x, y, weight, ctx)
        self.layer.backward(buffers.params, buffers.grads, cache, dscores, ctx)
        if self.config.l2 == 0.0:
            return loss
        decayed = buffers.layout.decayed
        shrink = ctx.empty(decayed, buffers.vector.dtype)
        np.multiply(buffers.vector[:decayed], self.config.l2, out=shrink)
        buffers.gradient[:decayed] += shrink
        return loss + self.penalty(buffers)

    def penalty(self, buffers: Buffers | None = None) -> float:
        """The L2 term, ``0.5 * l2 * sum(W**2)`` over the parameters that decay."""
        if self.config.l2 == 0.0:
            return 0.0
        buffers = buffers or self.buffers
        decayed = buffers.vector[: buffers.layout.decayed]
        return 0.5 * self.config.l2 * float(np.dot(decayed, decayed))

    def _forward(
        self, buffers: Buffers, x: Array, y: Array, weight: Array | None, ctx: Context
    ) -> tuple[float, Array, Any]:
        scores, cache = self.layer.forward(buffers.params, x, ctx)
        losses, dscores = self.loss_function.value_and_grad(scores, y, ctx)
        return average(losses, dscores, weight), dscores, cache

    # Input

    def _shaped(self, x: Any) -> Any:
        x = x if hasattr(x, "shape") and hasattr(x, "dtype") else np.asarray(x)
        if tuple(x.shape[1:]) != self.input_spec.shape or len(x.shape) == 0:
            one = "; for a single sample give x[None]" if tuple(x.shape) == self.input_spec.shape else ""
            raise ShapeError(f"x has shape {tuple(x.shape)}, the model takes (N, {str(self.input_spec.shape)[1:]}{one}")
        return x

    def _input(self, x: ArrayLike) -> Array:
        shaped = np.asanyarray(self._shaped(x))
        if shaped.dtype.kind not in "biuf":
            raise DataError(f"x has dtype {shaped.dtype}; the model takes numbers")
        return rescale(shaped, self.input_spec.dtype, self.scale)

    def _batch(
        self, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None, dtype: np.dtype[Any]
    ) -> tuple[Array, Array, Array | None]:
        source = open_split((self._shaped(x), y, weight), "given", dtype, self.scale)
        self.check_targets(np.asanyarray(y), {})
        return next(iter(source.batches(len(np.asanyarray(y)), None)))

    def _streams_copy(self) -> Streams:
        streams = Streams(self.seed)
        streams.restore(self.streams.state())
        return streams

    def _known(self, names: Iterable[str] | None) -> list[str]:
        chosen = list(self.params) if names is None else list(names)
        for name in chosen:
            if name not in self.params:
                raise NnplugError(f"the model has no parameter {name!r}{suggest(name, self.params)}")
        return chosen

    # Looking at it, keeping it

    def summary(self) -> Summary:
        """Every layer with its output shape, parameters and bytes; print it."""
        from nnplug.summary import summarise

        return summarise(self)

    def save(self, path: str | Path) -> None:
        """Write weights, state and the filled-in config to one safetensors file; an existing file is replaced.

        Raises:
            RegistryError: a layer has no registry name, so that nobody could load the file.
            ModelFileError: the file cannot be written.
        """
        from nnplug.modelfile import save

        save(self, Path(path))

    def __repr__(self) -> str:
        return f"<Model {self.input_spec.shape} -> {self.plan.out.shape}, {self.buffers.layout.size:,} parameters>"


def average(losses: Array, dscores: Array, weight: Array | None) -> float:
    """The weighted mean ``sum(w * l) / sum(w)`` of the rows' losses; scales ``dscores`` in place to its gradient."""
    if weight is None:
        dscores *= 1.0 / losses.size
        return float(np.add.reduce(losses, axis=None)) / losses.size
    total = float(np.add.reduce(weight)) * (losses.size // len(losses))
    if total == 0.0:
        dscores[...] = 0.0
        return 0.0
    share = (weight / total).astype(dscores.dtype, copy=False)
    dscores *= share.reshape(-1, *[1] * (dscores.ndim - 1))
    return float(np.add.reduce(losses * share.reshape(-1, *[1] * (losses.ndim - 1)), axis=None))
