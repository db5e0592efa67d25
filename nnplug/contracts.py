"""The contracts: what nnplug expects of each kind of plugin. Read this file first.

A component is an attrs class whose fields are its options: ``Affine(units=10)`` in Python and
``{ type = "affine", units = 10 }`` in a config are the same thing. Names are the field's: x is a batch of N rows,
``out`` what a layer makes of it, ``dout`` the gradient of the loss with respect to ``out``, ``dx`` with respect to x,
``dW`` with respect to W.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, frozen
from attrs.validators import ge, gt, lt, matches_re, optional

from nnplug.context import Context
from nnplug.errors import NnplugError
from nnplug.history import History, Run
from nnplug.specs import Array, ArraySpec, Dataset, Params, ParamSpec, Plan, Step

if TYPE_CHECKING:
    from numpy.random import Generator


@frozen
class Layer(ABC):
    """One step of a network: a frozen description; arrays are passed in and out, never kept.

    Args:
        name: what the layer is called in paths; default: its type and a count, ``affine1``.
        trainable: whether its parameters learn.
    """

    name: str | None = field(default=None, kw_only=True, validator=optional(matches_re(r"[A-Za-z_][A-Za-z0-9_-]*")))
    trainable: bool = field(default=True, kw_only=True)

    @abstractmethod
    def plan(self, x: ArraySpec) -> Plan:
        """Say what comes out for one sample ``x`` and which arrays are needed.

        Raises:
            ShapeError: x does not fit; say what was given and what was expected.
        """

    @abstractmethod
    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Compute ``(out, cache)`` for a batch; ``cache`` is whatever ``backward`` will need.

        ``params`` holds parameters, state and, for a composite, a mapping for each child. Nothing is written to
        but the layer's own state, and that only when ``ctx.training`` and ``ctx.trainable``. ``out is x`` is allowed.
        """

    @abstractmethod
    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Assign the gradient of every parameter, ``grads["W"][...] = dW``, and return dx.

        Gradients are assigned, not added to; sums over the batch, no 1/N (the loss has it). Neither ``dout`` nor
        anything in the cache is written to. None may be returned where ``ctx.need_dx`` is false. ``dx is dout``
        is allowed.
        """


@frozen
class Loss(ABC):
    """What training makes small.

    Attributes:
        metrics: registry names of the metrics that fit this loss; the first one is monitored by default.
    """

    metrics: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Compute ``(losses, dscores)``: one loss a row, (N,) or (N, T), and the gradient of each row's own loss.

        No mean over the batch and no 1/N: the model averages, over T as well, with the rows' weights. ``scores``
        is not written to, and ``dscores`` is an array of its own, because the model scales it in place.
        """

    @abstractmethod
    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Refuse scores and targets that do not belong together; called before training.

        Raises:
            ShapeError: the network's output has a shape this loss cannot use.
            DataError: targets of the wrong shape, dtype or range.
        """

    def predict(self, scores: Array) -> Array:
        """The prediction that scores stand for: class indices for a classifier; default: the scores."""
        return scores

    def probabilities(self, scores: Array) -> Array:
        """The probabilities that scores stand for.

        Raises:
            NnplugError: this loss does not model probabilities.
        """
        raise NnplugError(f"{type(self).__name__} scores are no probabilities; use scores() or predict()")


@frozen
class Schedule(ABC):
    """How the learning rate changes while training goes on.

    Args:
        warmup: the number of steps over which the learning rate rises linearly to its full value, first.
    """

    warmup: int = field(default=0, kw_only=True, validator=ge(0))

    @abstractmethod
    def factor(self, step: int, total: int, history: History) -> float:
        """What the learning rate is multiplied with at ``step`` (from 0) of ``total``, both without the warm-up."""


@frozen
class UpdateRule(ABC):
    """How parameters move along their gradients.

    A rule keeps nothing but its slots; what it counts is ``step.t``. One that takes the name of a built-in (by
    ``prefer``) keeps slots of the same names and meaning, because a checkpoint of one goes on with the other.

    Args:
        learning_rate: the step size, before the schedule.
        schedule: what the learning rate is multiplied with as training goes on.
        clip_norm: if given, gradients are scaled so that their Euclidean norm is at most this.

    Attributes:
        slots: names of the arrays kept for each parameter, each of the parameter's shape; they start at zero.
        elementwise: True if ``apply`` treats every element by itself: then it is given 1-D blocks of many parameters
            at once. False: it is given one parameter at a time, in its own shape.
        decays: True if ``apply`` looks at ``step.decay``: then no block holds both parameters that decay (weights) and
            others (biases), at the price of more calls.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = True
    decays: ClassVar[bool] = False

    learning_rate: float = field(default=0.01, kw_only=True, validator=[gt(0), lt(inf)])
    schedule: Schedule | str = field(default="constant", kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True, validator=optional(gt(0)))

    @abstractmethod
    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and the slots in place. ``dw`` may be overwritten."""


@frozen
class DataLoader(ABC):
    """Where data comes from."""

    @abstractmethod
    def load(self) -> Dataset:
        """Read the data. Called twice, it returns equal data twice.

        Raises:
            DataError: the data is missing or broken; say which file and what to do.
        """


@frozen
class Initializer(ABC):
    """How a parameter starts."""

    @abstractmethod
    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Draw an array of ``spec.shape`` and ``dtype`` from ``rng``; with ``spec.fan_in`` and ``spec.fan_out``."""


@frozen
class Metric(ABC):
    """A number that tells how good predictions are.

    Attributes:
        higher_is_better: False for errors.
        mean_of_rows: True if the metric of a split is the mean of a number for each row: then a split of very many rows
            is computed in parts, so that its scores need not be held all at once.
    """

    higher_is_better: ClassVar[bool] = True
    mean_of_rows: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, scores: Array, targets: Array) -> float:
        """The metric of a whole split."""

    def check(self, scores: ArraySpec, targets: Array) -> None:  # noqa: B027  (most metrics fit what their loss fits)
        """Refuse scores and targets that this metric cannot compare; called before training.

        Raises:
            DataError: with what was given and what was expected.
        """


@define
class Callback:
    """Somebody who watches a run, and may end it with ``run.stop("reason")``.

    The one kind of component that may change: it holds what it needs for one run, and `start` begins afresh. A method
    ``step(self, run)`` is called after every update, if there is one.
    """

    def start(self, run: Run) -> None:
        """Training begins."""

    def epoch(self, run: Run) -> None:
        """An epoch ended and was evaluated; ``run.history.epochs[-1]`` is its row."""

    def stop(self, run: Run) -> None:
        """Training ended, however it did."""

    def state(self) -> dict[str, Any]:
        """What must be kept for a run to go on later as if it had not stopped; what is not in it is lost.

        Asked for every checkpoint, and once when training starts, so that one that fits into no file is told at once. A
        dict, with texts for keys, of numbers, texts, True and False, None, lists, dicts and arrays of numbers. Tuples
        come back as lists.
        """
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave; called after `start`."""
