"""What losses and metrics ask of scores and targets, so that each says it in the same words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnplug import Array, ArraySpec, DataError, ShapeError

PIECE = 2**20  # rows that are looked at together: of a mapped file there may be more than fit in memory


def check_class_scores(who: str, scores: ArraySpec) -> int:
    """The number of classes C of scores (C,).

    Args:
        who: the component that asks, as messages name it.
        scores: what the network gives for one sample.

    Raises:
        ShapeError: scores have another number of dimensions, or there is only one.
    """
    if len(scores.shape) != 1:
        raise ShapeError(f"{who} needs scores (C,), the network gives {scores.shape}; end it with an affine layer")
    if scores.shape[0] < 2:
        raise ShapeError(
            f"{who} needs a score for each of at least 2 classes, the network gives {scores.shape}; "
            "for one yes or no take the loss binary_cross_entropy"
        )
    return scores.shape[0]


def check_scores(who: str, scores: Array) -> None:
    """Accept scores (N, C) of a batch.

    Raises:
        ShapeError: they have another number of dimensions.
    """
    if scores.ndim != 2:
        check_class_scores(who, ArraySpec(scores.shape[1:], scores.dtype))


def check_class_indices(who: str, scores: ArraySpec, targets: Array) -> None:
    """Accept targets (N,) of any integer dtype, each from 0 to C - 1.

    Raises:
        ShapeError: scores are not (C,).
        DataError: targets have another shape or dtype, or are out of range.
    """
    classes = check_class_scores(who, scores)
    if targets.ndim == 2 and targets.shape[1] == 1:
        raise DataError(f"{who}: class indices must be a vector (N,), given a column {targets.shape}; use y.ravel()")
    if targets.ndim == 2 and targets.shape[1] == classes:
        raise DataError(
            f"{who}: class indices must be a vector (N,), given a column for each class {targets.shape}; "
            "use y.argmax(axis=1)"
        )
    if targets.ndim != 1:
        raise DataError(f"{who}: class indices must be a vector (N,), given {targets.shape}")
    if targets.dtype.kind not in "iu":
        unknown = targets.dtype.kind == "f" and np.isnan(targets).any()
        cure = "leave out the rows where they are NaN" if unknown else "convert them with y.astype(int)"
        if targets.dtype.kind not in "fb":
            cure = "number them with names, y = np.unique(y, return_inverse=True)"
        raise DataError(f"{who}: class indices must be integers, given {targets.dtype}; {cure}")
    _refuse(
        lambda y: (y < 0) | (y >= classes),
        targets,
        who,
        f"a class index must be from 0 to {classes - 1} for {classes} scores; "
        "number the classes from 0 or give the last layer more units",
    )


def check_classes(who: str, scores: ArraySpec, targets: Array) -> None:
    """Accept class indices (N,), or one-hot rows and probabilities (N, C).

    Raises:
        ShapeError: scores are not (C,).
        DataError: targets of another shape or dtype; an index out of range; rows that are no probabilities.
    """
    classes = check_class_scores(who, scores)
    if targets.ndim != 2 or targets.shape[1] == 1:
        check_class_indices(who, scores, targets)
        return
    if targets.shape[1] != classes:
        raise DataError(
            f"{who}: one-hot targets must be (N, {classes}), a column for each score, given {targets.shape}; "
            f"give the last layer {targets.shape[1]} units or correct the targets"
        )
    _require_numbers(who, targets)
    _refuse(
        # So written, NaN is refused too.
        lambda p: ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1, dtype=np.float64) - 1) <= 1e-3)),
        targets,
        who,
        "a row must be one-hot or probabilities, none negative and their sum 1",
    )


def check_values(who: str, scores: ArraySpec, targets: Array) -> None:
    """Accept finite targets of the scores' own shape, and (N,) where there is one score a row.

    Raises:
        DataError: another shape, no numbers, NaN or infinity.
    """
    if targets.shape[1:] != scores.shape and not (targets.ndim == 1 and scores.shape == (1,)):
        wanted = ", ".join(["N", *map(str, scores.shape)]) if scores.shape else "N,"
        vector = " or (N,)" if scores.shape == (1,) else ""
        raise DataError(
            f"{who}: targets must be ({wanted}){vector} for scores {scores.shape} a row, given {targets.shape}; "
            "change the last layer's units or reshape the targets"
        )
    _require_numbers(who, targets)
    _refuse(lambda t: ~np.isfinite(t), targets, who, "targets must be finite; leave such rows out or fill them in")


def check_labels(who: str, scores: ArraySpec, targets: Array) -> None:
    """Accept what `check_values` accepts, from 0 to 1.

    Raises:
        DataError: another shape, no numbers, or a value below 0, above 1 or NaN.
    """
    check_values(who, scores, targets)
    _refuse(
        lambda y: (y < 0) | (y > 1),
        targets,
        who,
        "labels must be 0 or 1, or a probability between; turn labels -1 and 1 into these with (y > 0).astype(int)",
    )


def _require_numbers(who: str, targets: Array) -> None:
    if targets.dtype.kind not in "iufb":
        raise DataError(f"{who}: targets must be numbers, given {targets.dtype}; convert them with y.astype(float)")


def _refuse(wrong: Callable[[Array], Array], targets: Array, who: str, rule: str) -> None:
    """Raise ``rule`` with the first target that is ``wrong``, if there is one."""
    for start in range(0, len(targets), PIECE):
        found = wrong(targets[start : start + PIECE])
        if found.any():
            row, *rest = (int(i) for i in np.argwhere(found)[0])
            index = (start + row, *rest)
            where = ", ".join(map(str, index))
            value = np.array2string(targets[index], separator=", ", threshold=8)
            raise DataError(f"{who}: targets[{where}] is {value}, but {rule}")
