"""The values that contracts exchange: what an array looks like, what a layer needs, what a data set holds."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from attrs import Factory, evolve, field, frozen
from numpy.typing import DTypeLike, NDArray

from nnplug.errors import ShapeError

if TYPE_CHECKING:
    from numpy.random import Generator

    from nnplug.contracts import Initializer, Layer

Array: TypeAlias = NDArray[Any]
Params: TypeAlias = Mapping[str, Any]  # name -> array, and for a composite: child's name -> Params
Batch: TypeAlias = tuple[Array, Array, Array | None]  # x, y and a weight per row


def _as_shape(value: Any) -> tuple[int, ...]:
    shape = tuple(index(n) for n in ((value,) if isinstance(value, int | np.integer) else value))
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape cannot have negative dimensions, given {shape}")
    return shape


@frozen
class ArraySpec:
    """Shape and dtype of one sample, without the batch axis: ``ArraySpec((784,), "float32")``."""

    shape: tuple[int, ...] = field(converter=_as_shape)
    dtype: np.dtype[Any] = field(default="float64", converter=np.dtype)

    @property
    def size(self) -> int:
        """The number of elements of one sample."""
        return prod(self.shape)

    def with_shape(self, *shape: int) -> ArraySpec:
        """The same dtype in another shape."""
        return evolve(self, shape=shape)

    def __str__(self) -> str:
        return f"{self.shape} {self.dtype}"


@frozen
class ParamSpec:
    """A parameter to be allocated and learned.

    Args:
        shape: its shape.
        init: how it starts: an initializer, the registry name of one, or a number for every element.
        decay: whether L2 and weight decay apply to it; say False for biases.
        fan_in: inputs per output, for initializers that scale; default: the first dimension.
        fan_out: outputs per input; default: the last dimension.
    """

    shape: tuple[int, ...] = field(converter=_as_shape)
    init: Initializer | str | float = 0.0
    decay: bool = True
    fan_in: int = field(kw_only=True, default=Factory(lambda s: s.shape[0] if s.shape else 1, takes_self=True))
    fan_out: int = field(kw_only=True, default=Factory(lambda s: s.shape[-1] if s.shape else 1, takes_self=True))

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)


@frozen
class StateSpec:
    """An array that a layer keeps between steps but that nobody optimises, such as a running mean.

    Args:
        shape: its shape.
        fill: the value it starts with.
        dtype: its dtype, one that a model file can hold: bool, an integer type, float16 to float64, complex64;
            default: the model's.
    """

    shape: tuple[int, ...] = field(converter=_as_shape)
    fill: float = 0.0
    dtype: DTypeLike | None = None


@frozen
class Plan:
    """What a layer will do to one sample, and the arrays it needs: known before any of them exists.

    Args:
        out: the sample that comes out.
        params: parameters by name.
        state: state by name.
        children: a composite's layers by name, each with its own plan: ``{"inner": (layer, layer.plan(x))}``.
    """

    out: ArraySpec
    params: Mapping[str, ParamSpec] = field(factory=dict)
    state: Mapping[str, StateSpec] = field(factory=dict)
    children: Mapping[str, tuple[Layer, Plan]] = field(factory=dict)


class Step(NamedTuple):  # made in every step: attrs takes five times as long for what is frozen
    """What an update rule knows about the step it is part of.

    Args:
        t: the number of this update, counted from 1.
        learning_rate: after schedule and warm-up.
        decay: whether weight decay may be applied to this block (not to biases); always False for a rule that does not
            declare ``decays``.
        empty: ``empty(shape, dtype)``, scratch memory that is valid until ``apply`` returns.
    """

    t: int
    learning_rate: float
    decay: bool
    empty: Callable[[int | tuple[int, ...], DTypeLike], Array]


class Source(Protocol):
    """A stream of batches, for data that is not an array: shards, a generator, a socket.

    One that knows the shape of a row may have it as an attribute ``sample_shape``; otherwise a config has to give
    ``model.input_shape``.
    """

    @property
    def rows(self) -> int | None:
        """The number of rows in one epoch; None if nobody knows."""
        ...

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """Yield one epoch as ``(x, y, weight or None)``, from batch number ``start`` on.

        Args:
            batch_size: rows in a batch; the last may be shorter.
            rng: decides the order; None asks for the natural one.
            start: how many batches to skip; the rest must come as if none had been skipped.
        """
        ...


def _outline(split: Any) -> str:
    """A split with shapes and dtypes in place of values, which would fill pages; a Source as it shows itself."""
    return f"({', '.join(map(_outline_of_part, split))})" if isinstance(split, tuple | list) else repr(split)


def _outline_of_part(values: Any) -> str:
    if hasattr(values, "shape") and hasattr(values, "dtype"):
        return f"{values.dtype} {tuple(values.shape)}"
    return f"{type(values).__name__} of {len(values)}" if hasattr(values, "__len__") else repr(values)


@frozen(eq=False)
class Dataset:
    """What a data loader returns. A split is ``(x, y)``, ``(x, y, weight)`` or a `Source`; the first axis is rows.

    Args:
        train: what is learned from.
        validation: what decisions are made on: early stopping, the best parameters.
        test: what nobody looks at before the end.
        classes: the number of classes, where targets are class indices.
        scale: ``(offset, factor)``: the model sees ``(x - offset) * factor`` in its own dtype, and remembers it.
        class_names: a name for each class. A model that has names already keeps its own numbers for them.
        feature_names: a name for each column of x, where x is a table, (N, D). A model that has names already takes no
            others, nor these in another order.
    """

    train: Any = field(repr=_outline)
    validation: Any = field(repr=_outline, default=None)
    test: Any = field(repr=_outline, default=None)
    classes: int | None = field(default=None, kw_only=True)
    scale: tuple[float, float] | None = field(default=None, kw_only=True)
    class_names: tuple[str, ...] | None = field(default=None, kw_only=True, repr=reprlib.repr)
    feature_names: tuple[str, ...] | None = field(default=None, kw_only=True, repr=reprlib.repr)
