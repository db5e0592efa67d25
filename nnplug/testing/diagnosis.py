"""What is probably the matter with a wrong gradient: each usual mistake leaves its mark on the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations

import numpy as np
from attrs import field, frozen

from nnplug.specs import Array
from nnplug.testing.differences import agree


@frozen
class Wrong:
    """A gradient that differs from the right one.

    Args:
        name: of what it is the gradient: ``W``, ``x``.
        given: what the component computed.
        right: what differences say, in the same shape.
        rows: the number of rows in the batch.
        before: what the array held before it was assigned.
        dout: the gradient that came in from above.
        others: right gradients of other things, by name.
        of_row: the right gradient that a single row of the batch would give, by the row's index.
    """

    name: str
    given: Array
    right: Array
    rows: int
    before: Array | None = None
    dout: Array | None = None
    others: Mapping[str, Array] = field(factory=dict)
    of_row: Callable[[int], Array] | None = None


def diagnose(wrong: Wrong) -> str:
    """One sentence: the likely cause and what to write instead; else the worst element with both its values."""
    causes = (cause(wrong) for cause in CAUSES)
    return next((cause for cause in causes if cause), worst_element(wrong))


def not_finite(wrong: Wrong) -> str:
    """NaN or infinity in it."""
    bad = int((~np.isfinite(wrong.given)).sum())
    if not bad:
        return ""
    return f"{bad} of its {wrong.given.size} elements are NaN or infinite: never assigned, or divided by zero"


def accumulated(wrong: Wrong) -> str:
    """Added to what the array held."""
    if wrong.before is None or not agree(wrong.given - wrong.before, wrong.right):
        return ""
    name = wrong.name
    return f"it is added to what the array held before; assign it, grads['{name}'][...] = d{name}, not +="


def missing(wrong: Wrong) -> str:
    """Zero, or left as it was."""
    if not wrong.given.any():
        return f"it is zero, but the result does depend on {wrong.name}: a path through the formula is missing"
    if wrong.before is not None and np.array_equal(wrong.given, wrong.before):
        return f"it was never assigned; write grads['{wrong.name}'][...] = d{wrong.name}"
    return ""


def flat(wrong: Wrong) -> str:
    """A function that does not change."""
    if wrong.right.any() or not wrong.given.any():
        return ""
    return (
        f"by differences it is zero, for the result does not change with {wrong.name}: forward rounds, compares or "
        "ignores it, and backward has a derivative all the same"
    )


def sign(wrong: Wrong) -> str:
    """The other sign."""
    return "its sign is wrong: it is minus the right one" if agree(-wrong.given, wrong.right) else ""


def factor(wrong: Wrong) -> str:
    """A constant factor, such as a stray 1/N."""
    length = float(np.vdot(wrong.right, wrong.right))
    times = float(np.vdot(wrong.given, wrong.right)) / length if length > 0 else 0.0
    if times == 0.0 or not agree(wrong.given / times, wrong.right):
        return ""
    if abs(times * wrong.rows - 1) < 1e-4 and wrong.rows > 1:
        return (
            f"it is divided by the number of rows (here {wrong.rows}): leave the stray 1/N out and sum, "
            "for the model takes the mean"
        )
    if abs(times / wrong.rows - 1) < 1e-4 and wrong.rows > 1:
        return f"it is multiplied by the number of rows (here {wrong.rows}); leave that out"
    return f"it is {times:.4g} times the right one: a factor {1 / times:.4g} is missing"


def one_row(wrong: Wrong) -> str:
    """Not summed over the batch."""
    if wrong.of_row is None or wrong.rows < 2:
        return ""
    for row in (0, wrong.rows - 1):
        if agree(wrong.given, wrong.of_row(row)):
            which = "first" if row == 0 else "last"
            return f"it is that of the batch's {which} row alone; sum over the rows, dout.sum(axis=0) for a bias"
    return ""


def transposed(wrong: Wrong) -> str:
    """Axes exchanged or reversed."""
    shape = wrong.right.shape
    for axes in permutations(range(len(shape))):
        turned = wrong.right.transpose(axes)
        if list(axes) != sorted(axes) and agree(wrong.given, turned.reshape(shape)):
            return "it is transposed: its numbers are right but stand along other axes; (A.T @ B).T is B.T @ A"
    for axis in _axis_sets(len(shape)):
        if agree(wrong.given, np.flip(wrong.right, axis)):
            return f"it is the right one back to front along axis {', '.join(map(str, axis))}"
    return ""


def _axis_sets(ndim: int) -> Iterator[tuple[int, ...]]:
    for mask in range(1, 2**ndim):
        yield tuple(i for i in range(ndim) if mask >> i & 1)


def swapped(wrong: Wrong) -> str:
    """The gradient of something else."""
    for name, right in wrong.others.items():
        if right.shape == wrong.given.shape and right.any() and agree(wrong.given, right):
            return f"it is the gradient of {name}: the two are swapped"
    return ""


def shortcut(wrong: Wrong) -> str:
    """What passes by, as in ``out = x + f(x)``, is left out or counted twice."""
    if wrong.dout is None or wrong.dout.shape != wrong.given.shape:
        return ""
    if agree(wrong.given + wrong.dout, wrong.right):
        return "dout itself is missing in the sum: for out = x + f(x) it is dout plus what f gives back"
    if agree(wrong.given - wrong.dout, wrong.right):
        return "it is too large by dout: only out = x + f(x) adds it"
    if agree(wrong.given, wrong.dout):
        return "it is dout, passed on as it came: the derivative of the layer is missing"
    return ""


def worst_element(wrong: Wrong) -> str:
    """No usual mistake: where it is worst."""
    apart = np.abs(wrong.given - wrong.right)
    index = np.unravel_index(int(np.argmax(apart)), apart.shape)
    at = ", ".join(str(int(i)) for i in index)
    return f"at worst, element [{at}] is {wrong.given[index]:.6g} and by differences {wrong.right[index]:.6g}"


CAUSES = (not_finite, accumulated, missing, flat, sign, factor, one_row, transposed, swapped, shortcut)
