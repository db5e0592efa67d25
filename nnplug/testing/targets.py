"""Targets of every usual sort for scores of every usual shape, for losses and metrics to choose from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import field, frozen
from numpy.random import Generator

from nnplug.specs import Array, ArraySpec

SHAPES = ((5,), (1,), (3, 4), (), (9,))


@frozen
class Batch:
    """Scores of a network and the targets that belong to them.

    Args:
        sort: what the targets are: ``class indices``, ``one-hot rows``, ``values``, ``labels`` or ``signs``.
        scores: the scores, float64, the first axis rows.
        targets: the targets.
        given: whether somebody gave them: then nobody knows what other scores would be fine.
    """

    sort: str
    scores: Array = field(eq=False, repr=False)
    targets: Array = field(eq=False, repr=False)
    given: bool = False

    @property
    def spec(self) -> ArraySpec:
        """The scores of one row."""
        return ArraySpec(self.scores.shape[1:], self.scores.dtype)

    @property
    def are_classes(self) -> bool:
        """Whether targets are class indices, each from 0 to C - 1."""
        return self.sort == "class indices"

    def take(self, rows: slice | list[int] | Array) -> Batch:
        """Some of the rows."""
        return Batch(self.sort, self.scores[rows], self.targets[rows], self.given)

    def __str__(self) -> str:
        columns = self.targets.shape[1:]
        shape = f"(N, {', '.join(map(str, columns))})" if columns else "(N,)"
        return f"scores {self.spec.shape} a row and {self.sort} {shape}"


def usual_batches(rows: int, seed: int) -> Iterator[Batch]:
    """Every usual pair of scores and targets."""
    for shape in SHAPES:
        rng = np.random.default_rng([seed, len(shape), *shape])
        scores = 2 * rng.standard_normal((rows, *shape))
        for sort, targets in _targets(rows, shape, rng):
            yield Batch(sort, scores, targets)


def _targets(rows: int, shape: tuple[int, ...], rng: Generator) -> Iterator[tuple[str, Array]]:
    if shape and shape[-1] > 1:
        indices = rng.integers(0, shape[-1], (rows, *shape[:-1]))
        yield "class indices", indices
        yield "one-hot rows", np.eye(shape[-1])[indices]
    shapes = [(rows, *shape), (rows,)] if shape == (1,) else [(rows, *shape)]
    for wanted in shapes:
        labels = rng.integers(0, 2, wanted)
        yield "values", rng.standard_normal(wanted)
        yield "labels", labels
        yield "signs", 2 * labels - 1


def given_batch(scores: Array, targets: Array) -> Batch:
    """A batch that somebody gave: integers, one for each row of several scores, are class indices."""
    scores, targets = np.asarray(scores), np.asarray(targets)
    classes = targets.dtype.kind in "iu" and targets.ndim == scores.ndim - 1 and scores.shape[-1] > 1
    return Batch("class indices" if classes else "targets", scores.astype(np.float64), targets, given=True)
