"""Cases for layers: a layer and a sample that it takes, tried out until its plan accepts some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from nnplug.contracts import Layer
from nnplug.errors import ShapeError
from nnplug.registry import Registry
from nnplug.specs import Array, ArraySpec, Plan
from nnplug.testing.outcome import Failure, Unsuitable, sentence
from nnplug.testing.rig import Rig
from nnplug.testing.wording import brief

ROWS = 7  # of a batch: no sample below has an axis as long, so that a factor 1/7 is one over the rows
USUAL = ((5,), (4, 3), (3,), (2, 6, 5), (1,), ())
LARGER = ((3, 9, 8), (12,), (6, 8), (3, 16, 16), (64,), (1, 28, 28))
AT_MOST = 4
ELSEWHERE = 10  # seeds from here on ask for another point


@frozen
class LayerCase:
    """A layer on samples of one shape.

    Args:
        layer: the layer.
        spec: one sample, float64 if floating point.
        registry: where names are looked up.
        given: the batch to use, where somebody gave one.
    """

    layer: Layer
    spec: ArraySpec
    registry: Registry
    given: Array | None = field(default=None, eq=False, repr=False)

    def __str__(self) -> str:
        return f"{brief(self.layer)} on samples {self.spec}"

    def rig(self, dtype: str = "float64", seed: int = 0) -> Rig:
        """The layer with arrays of its own."""
        return Rig(self.layer, self.sample(dtype), self.registry, dtype, seed)

    def sample(self, dtype: str) -> ArraySpec:
        """The sample in a model's dtype; integers stay integers."""
        return evolve(self.spec, dtype=dtype) if self.spec.dtype.kind == "f" else self.spec

    def batch(self, seed: int, rows: int = ROWS, dtype: str = "float64") -> Array:
        """A batch: the one given, else normal numbers; where samples are integers, zeros and ones."""
        rng = np.random.default_rng([seed, 0])
        if self.given is not None:
            x = np.array(self.given[:rows], self.sample(dtype).dtype)
            if self.floating and seed >= ELSEWHERE:  # near what was given, but off the kink
                x += 0.01 * x.std() * rng.random(x.shape) + 1e-3 * rng.random(x.shape)
            return x
        if self.spec.dtype.kind == "f":
            return rng.standard_normal((rows, *self.spec.shape)).astype(dtype)
        return rng.integers(0, 2, (rows, *self.spec.shape)).astype(self.spec.dtype)

    @property
    def floating(self) -> bool:
        """Whether samples are floating point, so that there is a gradient with respect to x."""
        return self.spec.dtype.kind == "f"


def layer_cases(layer: Layer, inputs: Sequence[Any], registry: Registry) -> list[LayerCase]:
    """The samples that a layer is tried on: those given, else the usual ones that its plan accepts.

    Raises:
        Unsuitable: its plan accepts none of the usual ones.
        Failure: its plan refuses one that was given, or fails in another way than the contract asks for.
    """
    if inputs:
        cases = [_as_case(layer, given, registry) for given in inputs]
        for case in cases:
            if refusal := _refusal(case):
                raise Failure(f"{case}: plan refuses the input given: {refusal}")
        return cases
    refusals: list[str] = []
    for shapes, dtypes in ((USUAL, ("float64",)), (LARGER, ("float64",)), (USUAL, ("int64",))):
        tried = [LayerCase(layer, ArraySpec(shape, dtype), registry) for shape in shapes for dtype in dtypes]
        told = [_refusal(case) for case in tried]
        accepted = [case for case, refusal in zip(tried, told, strict=True) if not refusal]
        if accepted:
            return accepted[:AT_MOST]
        refusals += [f"{case.spec}: {refusal}" for case, refusal in zip(tried, told, strict=True)]
    raise Unsuitable(
        f"plan of {brief(layer)} accepts none of the samples tried, such as {refusals[0]}; "
        "say what it takes: inputs=[(3, 32, 32)], an ArraySpec, or a batch as an array"
    )


def _as_case(layer: Layer, given: Any, registry: Registry) -> LayerCase:
    if isinstance(given, ArraySpec):
        return LayerCase(layer, _wide(given), registry)
    if isinstance(given, np.ndarray):
        return LayerCase(layer, _wide(ArraySpec(given.shape[1:], given.dtype)), registry, given)
    return LayerCase(layer, ArraySpec(given), registry)


def _wide(spec: ArraySpec) -> ArraySpec:
    return evolve(spec, dtype="float64") if spec.dtype.kind == "f" else spec


def _refusal(case: LayerCase) -> str:
    """Why a plan does not take a sample, or nothing.

    Raises:
        Failure: it fails in another way than the contract asks for, or returns no Plan.
    """
    try:
        plan = case.layer.plan(case.spec)
    except ShapeError as error:
        if not str(error).strip():
            raise Failure(
                f"{case}: plan raised ShapeError without a message; say what was given and expected"
            ) from None
        return str(error)
    except Exception as error:
        raise Failure(
            f"{case}: {sentence(error)}; where a sample does not fit, plan must raise nnplug.ShapeError "
            "and say what was given and what was expected"
        ) from error
    if not isinstance(plan, Plan):
        raise Failure(f"{case}: plan must return a nnplug.Plan, it returned {type(plan).__name__}")
    return ""
