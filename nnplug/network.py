"""The Network: planned layers with their arrays and a loss; what one training step computes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
from attrs import frozen

from nnplug.arena import Arena
from nnplug.buffers import Buffers
from nnplug.chain import outputs
from nnplug.context import Context
from nnplug.contracts import Layer, Loss
from nnplug.errors import DataError, NnplugError, PluginError
from nnplug.promises import broken_promise
from nnplug.specs import Array, Plan
from nnplug.streams import Streams


@frozen(eq=False)
class Network:
    """A network with its parameters; input is prepared already: in the right dtype, and scaled.

    Args:
        layer: the whole network as one layer.
        plan: what it planned.
        loss: what training makes small.
        l2: the weight of ``0.5 * sum(W**2)`` over the parameters that decay.
        buffers: the arrays.
    """

    layer: Layer
    plan: Plan
    loss: Loss
    l2: float
    buffers: Buffers

    def context(
        self, streams: Streams, *, training: bool = False, need_dx: bool = False, arena: Arena | None = None
    ) -> Context:
        """A context for the whole network; usually nobody asks for the gradient of its input."""
        dtype, frozen = self.buffers.vector.dtype, frozenset(frozen_paths(self.layer, self.plan))
        return Context(training=training, need_dx=need_dx, dtype=dtype, seed=streams, arena=arena, frozen=frozen)

    def scores(self, x: Array, ctx: Context) -> Array:
        """What the last layer puts out; scratch memory of ``ctx``."""
        try:
            out, _ = self.layer.forward(self.buffers.params, x, ctx)
        except Exception as error:
            self._look_into(error, x, None, ctx)
            raise
        return out

    def activations(self, x: Array, ctx: Context) -> dict[str, Array]:
        """What every layer puts out, by path, from input to output, in arrays of their own."""
        try:
            return {path: out.copy() for path, out in outputs(self.layer, self.buffers.params, x, ctx)}
        except Exception as error:
            self._look_into(error, x, None, ctx)
            raise

    def losses(self, x: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """``(scores, losses)`` of a batch, a loss a row, without the L2 term."""
        scores = self.scores(x, ctx)
        try:
            losses, _ = self._row_losses(scores, targets, ctx)
        except Exception as error:
            self._look_into(error, x, targets, ctx)
            raise
        return scores, losses

    def objective(self, x: Array, targets: Array, weight: Array | None, ctx: Context) -> float:
        """The number that training makes small: the weighted mean of the losses, and the L2 term."""
        scores, _ = self.layer.forward(self.buffers.params, x, ctx)  # maybe not in the dtype that was planned
        return average(*self._row_losses(scores, targets, ctx), weight) + self.penalty()

    def backpropagate(self, x: Array, targets: Array, weight: Array | None, ctx: Context) -> tuple[float, Array | None]:
        """Assign the gradient of the objective to ``buffers.grads``; return the objective, and dx if ctx needs it."""
        try:
            scores, cache = self.layer.forward(self.buffers.params, x, ctx)
            losses, dscores = self._row_losses(scores, targets, ctx)
            loss = average(losses, dscores, weight)
            dx = self.layer.backward(self.buffers.params, self.buffers.grads, cache, dscores, ctx)
        except Exception as error:
            self._look_into(error, x, targets, ctx)
            raise
        if self.l2 == 0.0:
            return loss, dx
        decayed = self.buffers.layout.decayed
        shrink = ctx.empty(decayed, self.buffers.vector.dtype)
        np.multiply(self.buffers.vector[:decayed], self.l2, out=shrink)
        self.buffers.gradient[:decayed] += shrink
        return loss + self.penalty(), dx

    def _row_losses(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """``(losses, dscores)``; a loss that takes the mean itself is refused."""
        losses, dscores = self.loss.value_and_grad(scores, targets, ctx)
        try:
            if len(losses) == len(scores):
                return losses, dscores
        except TypeError:  # a number has no length
            pass
        rows = len(scores)
        raise PluginError(
            f"value_and_grad of {type(self.loss).__name__} must return a loss for each row, ({rows},) or "
            f"({rows}, T), not their mean: it returned {np.shape(losses)}"
        )

    def _look_into(self, error: Exception, x: Array, targets: Array | None, ctx: Context) -> None:
        """Refuse the component that an error far from it comes from, if there is one."""
        if not isinstance(error, NnplugError) and (told := broken_promise(self, x, targets, training=ctx.training)):
            raise PluginError(told) from error

    def penalty(self) -> float:
        """The L2 term, ``0.5 * l2 * sum(W**2)`` over the parameters that decay."""
        if self.l2 == 0.0:
            return 0.0
        decayed = self.buffers.vector[: self.buffers.layout.decayed]
        return 0.5 * self.l2 * float(np.dot(decayed, decayed))


def frozen_paths(layer: Layer, plan: Plan, path: str = "") -> Iterator[str]:
    """The paths of frozen layers; those inside them need not be named."""
    if not layer.trainable:
        yield path
    for name, (child, child_plan) in plan.children.items():
        yield from frozen_paths(child, child_plan, f"{path}.{name}" if path else name)


def average(losses: Array, dscores: Array, weight: Array | None) -> float:
    """The weighted mean ``sum(w * l) / sum(w)`` of the rows' losses; scales ``dscores`` in place to its gradient."""
    if weight is None:
        size = losses.size
        ones, share = _for_mean(size, dscores.dtype)
        np.multiply(dscores, share, dscores)
        return float(ones.dot(losses if losses.ndim == 1 else losses.reshape(size))) / size
    total = float(np.add.reduce(weight)) * (losses.size // len(losses))
    if not isfinite(total):
        raise DataError(f"the weights of a batch of {len(weight)} rows sum to {total}; make them smaller")
    if total == 0.0:
        dscores[...] = 0.0
        return 0.0
    if not weight.all():  # infinity times 0 is no number, and what weighs nothing has no influence
        nothing = weight == 0
        losses = np.where(_per_row(nothing, losses), 0, losses)
        dscores[nothing] = 0
    share = (weight / total).astype(dscores.dtype, copy=False)
    dscores *= _per_row(share, dscores)
    return float(np.add.reduce(losses * _per_row(share, losses), axis=None))


@lru_cache(maxsize=8)
def _for_mean(size: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Ones, whose product with so many numbers is their sum, and ``1 / size``: what every step needs, made once."""
    return np.ones(size, dtype), np.array(1.0 / size, dtype)


def _per_row(values: Array, like: Array) -> Any:
    return values.reshape(-1, *[1] * (like.ndim - 1))
