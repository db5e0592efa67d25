"""Checks of a layer's gradients: backward against central differences of forward, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from nnplug.specs import Array
from nnplug.testing.diagnosis import Wrong, diagnose
from nnplug.testing.differences import (
    ABSOLUTE,
    FULL_UP_TO,
    RELATIVE,
    agree,
    at_kinks,
    differences,
    disagreement,
    share,
    some_elements,
)
from nnplug.testing.layer_cases import ELSEWHERE, ROWS, LayerCase
from nnplug.testing.outcome import Failure, Skipped, count

LIMIT = 40  # elements of an array that are compared
ATTEMPTS = 3  # points that are tried where the function has a kink


class Kink(Exception):  # noqa: N818  (no error: bad luck with the point)
    """Every element that disagrees stands where the function has a kink, so that differences mean nothing."""


@frozen
class Point:
    """Where gradients are compared: in which mode, with how many rows, with which numbers."""

    training: bool
    rows: int
    seed: int

    def __str__(self) -> str:
        return f"{'in training' if self.training else 'in inference'} with {count(self.rows, 'row')}"


POINTS = (Point(True, ROWS, 0), Point(False, ROWS, 1), Point(True, 1, 2))


class Probe:
    """A layer at one point: what backward gives, and the function that differences are taken of."""

    def __init__(self, case: LayerCase, point: Point) -> None:
        self.case, self.point = case, point
        self.rig = case.rig(seed=point.seed)
        self.x = case.batch(point.seed, point.rows)
        self.rig.settle(case.batch(point.seed + 1))  # rows of its own: a state that has seen no other is special
        self.before = self.rig.fill_gradients(np.random.default_rng([point.seed, 2]))
        ctx = self.rig.context(training=point.training)
        self.rig.reset()
        out, cache = self.rig.forward(self.x.copy(), ctx)
        self.dout = self.rig.dout(out, point.seed)
        dx = self.rig.backward(cache, self.dout.copy(), ctx, need_dx=case.floating)
        self.dx = None if dx is None else np.array(dx)
        self.given = {path: array.copy() for path, array in self.rig.grads_by_path.items()}

    def objective(self, dout: Array) -> float:
        """``sum(out * dout)``, whose gradient with respect to out is dout."""
        self.rig.reset()
        out, _ = self.rig.forward(self.x.copy(), self.rig.context(training=self.point.training))
        return float(np.vdot(out, dout))

    def array(self, name: str) -> Array:
        """The parameter of that path, or x."""
        return self.x if name == "x" else self.rig.by_path[name]

    def compare(self, name: str, given: Array) -> bool:
        """Hold one gradient against differences; True if any of them is not zero.

        Raises:
            Failure: it is wrong, with the likely cause.
            Kink: it may be right.
        """
        array = self.array(name)
        if given.shape != array.shape:
            raise Failure(f"{self.point}, the gradient of {name} has shape {given.shape}, expected {array.shape}")
        if not np.isfinite(given).all():
            raise Failure(f"{self.point}, the gradient of {name} holds NaN or infinity")
        indices = some_elements(given, LIMIT, self.point.seed)
        chosen = given.reshape(-1)[indices]
        right = differences(lambda: self.objective(self.dout), array, indices)
        if agree(chosen, right):
            return bool(right.any() or chosen.any())
        scale = max(np.abs(right).max(), np.abs(chosen).max())
        wrong = indices[~(np.abs(chosen - right) <= RELATIVE * scale + ABSOLUTE)]
        if at_kinks(lambda: self.objective(self.dout), array, wrong).all():
            raise Kink
        off = share(disagreement(chosen, right))
        raise Failure(
            f"{self.point}, the gradient of {name} is wrong, off by {off} of its length: "
            + diagnose(self._all_about(name, given, indices, right))
        )

    def _all_about(self, name: str, given: Array, indices: Array, right: Array) -> Wrong:
        """Everything that helps to say what is wrong; of a large array, the elements compared are all there is."""
        before, dout = self.before.get(name), self.dout
        if given.size > FULL_UP_TO:
            before = None if before is None else before.reshape(-1)[indices]
            return Wrong(name, given.reshape(-1)[indices], right, self.point.rows, before)
        names = [other for other in ("x", *self.given) if other != name]
        same = [
            other for other in names if self.array(other).shape == given.shape and self.array(other).dtype.kind == "f"
        ]
        return Wrong(
            name,
            given,
            self._differences(name, dout),
            self.point.rows,
            before,
            dout if name == "x" else None,
            {other: self._differences(other, dout) for other in same},
            self._of_row(name) if name != "x" else None,
        )

    def _differences(self, name: str, dout: Array) -> Array:
        array = self.array(name)
        return differences(lambda: self.objective(dout), array, np.arange(array.size)).reshape(array.shape)

    def _of_row(self, name: str) -> Callable[[int], Array]:
        def of_row(row: int) -> Array:
            alone = np.zeros_like(self.dout)
            alone[row] = self.dout[row]
            return self._differences(name, alone)

        return of_row


def parameter_gradients(case: LayerCase) -> str:
    """What backward assigns to the gradient of each parameter is the derivative, summed over the batch.

    In both modes and with a batch of one; a parameter that nothing depends on is an error, too.
    """
    names = list(case.rig().grads_by_path)
    if not names:
        raise Skipped("the layer has no parameters")
    matters = dict.fromkeys(names, False)
    for point in POINTS:
        for name in names:
            matters[name] |= _hold(case, point, name)
    for name in case.rig().plan.params:
        if not matters[name]:
            raise Failure(f"nothing that forward computes depends on the parameter {name!r}; use it, or do not plan it")
    return f"{len(names)} parameters each"


def input_gradient(case: LayerCase) -> None:
    """What backward returns is the derivative with respect to x, in both modes and with a batch of one."""
    if not case.floating:
        raise Skipped("samples are integers, which have no gradient")
    for point in POINTS:
        _hold(case, point, "x")


def _hold(case: LayerCase, point: Point, name: str) -> bool:
    """Compare one gradient, elsewhere where the function happens to have a kink."""
    for attempt in range(ATTEMPTS):
        probe = Probe(case, Point(point.training, point.rows, point.seed + ELSEWHERE * attempt))
        given = probe.dx if name == "x" else probe.given[name]
        if given is None:
            raise Failure("backward returned no gradient with respect to x")
        try:
            return probe.compare(name, given)
        except Kink:
            continue
    raise Failure(
        f"{point}, the gradient of {name} differs from central differences at {ATTEMPTS} points out of {ATTEMPTS}, and "
        "always where the function has a kink or a jump: is a derivative taken of something that has none?"
    )


def need_dx(case: LayerCase) -> None:
    """Where nobody needs dx, backward assigns the same gradients as where somebody does."""
    wanted: dict[str, Array] = {}
    spared: dict[str, Array] = {}
    for need, into in ((True, wanted), (False, spared)):
        rig = case.rig()
        x = case.batch(0)
        ctx = rig.context()
        out, cache = rig.forward(x, ctx)
        rig.fill_gradients(np.nan)
        rig.backward(cache, rig.dout(out, 0), ctx, need_dx=need)
        into.update({path: array.copy() for path, array in rig.grads_by_path.items()})
    for path, right in wanted.items():
        if not np.array_equal(right, spared[path], equal_nan=True):
            raise Failure(
                f"with ctx.need_dx false, the gradient of {path} is another one; "
                "need_dx says only whether dx must be returned, gradients of parameters are always assigned"
            )
