"""What is checked of an initializer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from nnplug.contracts import Initializer
from nnplug.errors import NnplugError
from nnplug.registry import Registry
from nnplug.specs import Array, ParamSpec
from nnplug.testing.arrays import close, generators_made, no_global_random
from nnplug.testing.outcome import Failure, Unsuitable, sentence
from nnplug.testing.wording import brief

SPECS = (
    ParamSpec((5, 3)),
    ParamSpec((3, 5)),
    ParamSpec((4,)),
    ParamSpec((2, 3, 4, 5), fan_in=60, fan_out=40),
    ParamSpec((1, 1)),
    ParamSpec(()),
)


@frozen
class InitializerCase:
    """An initializer on a parameter of one shape."""

    initializer: Initializer
    spec: ParamSpec

    def __str__(self) -> str:
        return f"{brief(self.initializer)} for a parameter {self.spec.shape}"

    def draw(self, seed: int = 0, dtype: str = "float64") -> Array:
        """An array drawn from a generator with this seed."""
        rng = np.random.Generator(np.random.PCG64(seed))  # not by default_rng, which tells who draws for himself
        return self.initializer(rng, self.spec, np.dtype(dtype))


def cases(initializer: Initializer, inputs: Sequence[Any], registry: Registry) -> list[InitializerCase]:
    """The shapes that an initializer takes: it may refuse some with an error of nnplug.

    Raises:
        Unsuitable: it refuses all.
        Failure: it fails in another way.
    """
    specs = [item if isinstance(item, ParamSpec) else ParamSpec(item) for item in inputs] or SPECS
    accepted, refusal = [], ""
    for spec in specs:
        case = InitializerCase(initializer, spec)
        try:
            case.draw()
        except NnplugError as error:
            refusal = refusal or str(error)
        except Exception as error:
            raise Failure(
                f"{case}: {sentence(error)}; a shape that cannot be used is refused with nnplug.ShapeError"
            ) from error
        else:
            accepted.append(case)
    if not accepted:
        raise Unsuitable(f"{brief(initializer)} refuses every shape tried: {refusal}; give inputs=[(5, 3)], shapes")
    return accepted


def array(case: InitializerCase) -> None:
    """It returns finite numbers of the shape and dtype it was asked for, in an array of their own."""
    for dtype in ("float32", "float64"):
        found: Any = case.draw(dtype=dtype)
        if not isinstance(found, np.ndarray | np.generic):
            raise Failure(f"it returned {type(found).__name__}, expected an array, such as rng.normal(size=spec.shape)")
        if found.shape != case.spec.shape:
            raise Failure(f"it returned shape {np.shape(found)}, expected {case.spec.shape}; draw spec.shape numbers")
        if found.dtype != dtype:
            raise Failure(f"it returned {found.dtype} where {dtype} was asked for; end with .astype(dtype, copy=False)")
        if not np.isfinite(found).all():
            raise Failure("it returned NaN or infinity")
    one, two = case.draw(), case.draw(1)
    if one.size and np.may_share_memory(one, two):
        raise Failure("two calls return the same memory; return a new array each time")


def same_seed(case: InitializerCase) -> None:
    """The rng it is given is all the chance there is."""
    with no_global_random("use the rng it is given"), generators_made(type(case.initializer).__module__) as made:
        one, two, other = case.draw(3), case.draw(3), case.draw(4)
    if not np.array_equal(one, two):
        raise Failure("the same seed gives other numbers; draw from the rng that is given")
    if made and np.array_equal(one, other):
        raise Failure(
            "it draws from a generator of its own, so that every seed gives the same numbers, and all parameters of "
            "one shape start alike; draw from the rng that is given"
        )


def dtypes(case: InitializerCase) -> None:
    """Every dtype starts from the same numbers: they are drawn in float64 and converted."""
    if not close(case.draw(), case.draw(dtype="float32"), 1e-3):
        raise Failure(
            "in float32 it starts from other numbers than in float64; draw in float64, without dtype=, and convert: "
            "rng.normal(size=spec.shape).astype(dtype, copy=False)"
        )


CHECKS = (array, same_seed, dtypes)
ONE_OF = ("array",)
