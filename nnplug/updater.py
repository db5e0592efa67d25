"""The update: an update rule applied to a model's flat parameters, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt
from typing import NamedTuple

import numpy as np

from nnplug.arena import Arena, aligned_empty
from nnplug.buffers import Buffers, Layout
from nnplug.contracts import UpdateRule
from nnplug.errors import PluginError
from nnplug.specs import Array, Step

BLOCK = 128 * 1024  # elements: what a rule touches of them stays in a cache; docs/explanation/speed.md
SPLIT_FROM = 2 * BLOCK  # under this splitting costs more calls than it saves traffic


class Slots(dict[str, Array]):
    """A block's slots, whose contents a rule changes: no checkpoint would hold an array put in the place of one."""

    def __setitem__(self, name: str, value: Array) -> None:
        if self.get(name) is not value:  # `slots["m"] *= 0.9` puts back what was there
            told = f"puts another array in the place of slots[{name!r}]; write into the one there"
            raise PluginError(f"an update rule {told}: slots[{name!r}][...] = ...")


class Block(NamedTuple):
    """A part of the parameters that is updated in one call, with its gradient and slots."""

    w: Array
    dw: Array
    slots: Slots
    decay: bool


class Updater:
    """Holds an update rule's slots and moves the parameters.

    Attributes:
        slots: every slot by name, flat, in the places of the parameters that learn.
        t: the number of updates done.
    """

    def __init__(self, rule: UpdateRule, buffers: Buffers) -> None:
        self.rule = rule
        trained = buffers.layout.trained
        self._gradient = buffers.gradient[:trained]
        self.slots = {name: aligned_empty(trained, buffers.vector.dtype) for name in rule.slots}
        for slot in self.slots.values():
            slot.fill(0)
        self.t = 0
        self._arena = Arena()
        self._blocks = list((self._make_blocks if rule.elementwise else self._make_whole)(buffers))

    def _make_blocks(self, buffers: Buffers) -> Iterator[Block]:
        for start, stop, decay in self._groups(buffers.layout):
            size = BLOCK if stop - start > SPLIT_FROM else max(1, stop - start)
            for i in range(start, stop, size):
                part = slice(i, min(i + size, stop))
                slots = {name: slot[part] for name, slot in self.slots.items()}
                yield Block(buffers.vector[part], buffers.gradient[part], Slots(slots), decay)

    def _make_whole(self, buffers: Buffers) -> Iterator[Block]:
        """A block for every parameter that learns, in its own shape."""
        layout = buffers.layout
        for placed in layout.params:
            if placed.stop <= layout.trained:
                slots = {name: placed.view(slot) for name, slot in self.slots.items()}
                decay = self.rule.decays and placed.stop <= layout.decayed
                yield Block(placed.view(buffers.vector), placed.view(buffers.gradient), Slots(slots), decay)

    def _groups(self, layout: Layout) -> tuple[tuple[int, int, bool], ...]:
        """Ranges of parameters that are treated alike, and whether they decay."""
        if self.rule.decays:
            return (0, layout.decayed, True), (layout.decayed, layout.trained, False)
        return ((0, layout.trained, False),)

    def update(self, learning_rate: float) -> None:
        """Clip the gradient if the rule asks for it, then move every parameter that learns."""
        self.t += 1
        rule, arena = self.rule, self._arena
        if rule.clip_norm is not None:
            clip(self._gradient, rule.clip_norm)
        plain = Step(self.t, learning_rate, False, arena.empty)
        decaying = plain._replace(decay=True) if rule.decays else plain
        for w, dw, slots, decay in self._blocks:
            arena.start(w.shape)
            rule.apply(w, dw, slots, decaying if decay else plain)


def clip(gradient: Array, norm: float) -> None:
    """Scale a gradient in place so that its Euclidean norm is at most ``norm`` (Pascanu et al. 2013)."""
    with np.errstate(over="ignore"):
        length = sqrt(np.dot(gradient, gradient))
    if length == inf:  # the squares overflow, long before the gradient itself does
        length = float(np.linalg.norm(gradient.astype(np.float64)))
    if length > norm:
        gradient *= norm / length
