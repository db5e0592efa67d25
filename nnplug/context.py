"""The Context: what a layer or a loss may know about the step it is part of."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from nnplug.arena import Arena, aligned_empty
from nnplug.specs import Array
from nnplug.streams import Streams

if TYPE_CHECKING:
    from numpy.random import Generator


class Context:
    """Handed to ``forward``, ``backward`` and ``value_and_grad``; ``Context()`` works by hand.

    Attributes:
        training: True in a training step; dropout drops and running statistics move only then.
        trainable: False in a frozen layer and in all layers inside it: there running statistics stay as they are, and
            take the place of a batch's own in training, too.
        need_dx: in ``backward``, whether the gradient with respect to x will be used; if not, None may be returned.
        dtype: the model's floating-point dtype.
        path: the layer's path in the model, such as ``block1.affine2``.
        notes: a dict, empty at first, where a layer or loss may note what it would else work out anew in every step:
            a vector of ones, the contexts of children. Each layer has one of its own, for as long as one training
            lasts; no checkpoint keeps it. Never state: what follows from shapes and arguments alone, and is used only
            after a look that it still fits them. So no values of parameters, no memory of ``empty``, nothing that is
            handed out as output or cache.
    """

    def __init__(
        self,
        *,
        training: bool = False,
        trainable: bool = True,
        need_dx: bool = True,
        dtype: DTypeLike = "float64",
        seed: int | Streams = 0,
        arena: Arena | None = None,
        path: str = "",
        frozen: Container[str] = (),
    ) -> None:
        self.training = training
        self.trainable = trainable and path not in frozen
        self.need_dx = need_dx
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.path = path
        self._streams = seed if isinstance(seed, Streams) else Streams(seed)
        self._arena = arena
        self._frozen = frozen
        self.notes: dict[Any, Any] = {}
        self._needing: dict[str, Context] = {}
        self._others: dict[str, Context] = {}
        if arena is not None:
            arena.dtype = self.dtype
            self.empty = arena.empty  # type: ignore[method-assign]  # a call less, a dozen times a step

    @property
    def rng(self) -> Generator:
        """This layer's own random stream; the same seed and path give the same numbers. Checkpoints keep its place."""
        return self._streams.get("layer", self.path)

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """Scratch memory like ``numpy.empty``, 64-byte aligned; the default dtype is the model's.

        It is nobody else's for as long as you hold it or a view of it, until the step ends. Its address, its ``base``
        or a weak reference do not hold it; leave its flags as they are.

        Raises:
            TypeError: the dtype is one of references to Python objects, or of arrays.
            ValueError: a dimension is negative.
        """
        return aligned_empty(shape, self.dtype if dtype is None else dtype)

    def child(self, name: str, need_dx: bool = True) -> Context:
        """The context for a child of a composite: its path, its random stream, the same scratch memory."""
        children = self._needing if need_dx else self._others
        found = children.get(name)
        if found is None:
            path = f"{self.path}.{name}" if self.path else name
            found = children[name] = Context(
                training=self.training,
                trainable=self.trainable,
                need_dx=need_dx,
                dtype=self.dtype,
                seed=self._streams,
                arena=self._arena,
                path=path,
                frozen=self._frozen,
            )
        return found
