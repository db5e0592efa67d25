"""Cases for update rules: a rule, and parameters with slots and gradients that it moves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from nnplug.arena import Arena
from nnplug.contracts import UpdateRule
from nnplug.registry import Registry
from nnplug.specs import Array, Step
from nnplug.testing.arrays import PoisonedArena
from nnplug.testing.outcome import Failure
from nnplug.testing.wording import brief
from nnplug.updater import Slots

FLAT = (30,)
SHAPES = ((6, 5), (5,), (4, 3, 2, 2))  # of weights, biases and filters


@frozen
class RuleCase:
    """An update rule, and the shape of what `apply` is given: a flat block of many parameters, or a parameter's own."""

    rule: UpdateRule
    registry: Registry
    shape: tuple[int, ...] = FLAT

    def __str__(self) -> str:
        told = brief(self.rule)
        return told if self.rule.elementwise else f"{told} on a parameter {self.shape}"


@frozen
class Moved:
    """Parameters on their way: values and slots, moved by one rule step by step.

    Args:
        rule: moves them.
        w: the values.
        slots: what the rule keeps for them, at first zero.
        arena: scratch memory.
    """

    rule: UpdateRule
    w: Array
    slots: Slots
    arena: Arena = field(factory=PoisonedArena)

    @classmethod
    def start(cls, rule: UpdateRule, w: Array) -> Moved:
        """Parameters before the first step."""
        return cls(rule, w.copy(), Slots({name: np.zeros_like(w) for name in rule.slots}))

    def copy(self) -> Moved:
        """What a checkpoint would bring back: values, slots, and a rule made anew."""
        slots = Slots({name: slot.copy() for name, slot in self.slots.items()})
        return Moved(copy.deepcopy(self.rule), self.w.copy(), slots)

    def step(self, t: int, dw: Array, learning_rate: float = 0.01, decay: bool = True) -> None:
        """One update; the gradient is a copy that the rule may spoil.

        Raises:
            Failure: the rule asks for a slot that it did not declare.
        """
        self.arena.start(self.w.shape)
        step = Step(t, learning_rate, decay, self.arena.empty)
        try:
            self.rule.apply(self.w, dw.copy(), self.slots, step)
        except KeyError as error:
            if error.args and error.args[0] not in self.slots:
                raise Failure(
                    f"apply asks for the slot {error.args[0]!r}, but slots = {tuple(self.rule.slots)}; declare it there"
                ) from error
            raise

    def bytes(self) -> bytes:
        """Values and slots, to be compared."""
        return b"".join(array.tobytes() for array in (self.w, *self.slots.values()))


def rule_cases(rule: UpdateRule, inputs: Sequence[Any], registry: Registry) -> list[RuleCase]:
    """The rule on a block, or on a parameter of each usual shape; update rules take no inputs.

    Raises:
        Failure: inputs were given, or its slots are no names.
    """
    if inputs:
        raise Failure("update rules are tried on parameters of the kit's own; leave inputs= out")
    slots: Any = rule.slots
    if not isinstance(slots, tuple) or not all(isinstance(name, str) for name in slots):
        raise Failure(f"slots must be a tuple of names, it is {slots!r}; write slots = ('v',)")
    return [RuleCase(rule, registry, shape) for shape in ((FLAT,) if rule.elementwise else SHAPES)]


@frozen
class Landscape:
    """A function to be minimised, its gradient, and where to start.

    Args:
        value: the function.
        gradient: its gradient.
        start: where the search begins.
        goal: the value that counts as minimised.
        steps: how many steps are given.
    """

    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    start: Array
    goal: float
    steps: int


def parabola(shape: tuple[int, ...]) -> Landscape:
    """``sum(k * (w - c)**2) / 2`` with curvatures k from 0.5 to 2; from about 1 down to 1% of where it starts."""
    rng = np.random.default_rng(0)
    k, c = rng.uniform(0.5, 2, shape), rng.standard_normal(shape)
    start = c + rng.standard_normal(shape)
    first = float(np.sum(k * (start - c) ** 2) / 2)
    return Landscape(
        lambda w: float(np.sum(k * (w - c) ** 2) / 2), lambda w: k * (w - c), start, 0.01 * first, steps=300
    )


def rosenbrock(shape: tuple[int, ...]) -> Landscape:
    """Rosenbrock's curved valley ``(1 - a)**2 + 100 * (b - a**2)**2``, from (0, 0), where it is 1, down to 0.1."""

    def value(w: Array) -> float:
        a, b = w.reshape(-1)
        return float((1 - a) ** 2 + 100 * (b - a**2) ** 2)

    def gradient(w: Array) -> Array:
        a, b = w.reshape(-1)
        return np.array([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)]).reshape(w.shape)

    return Landscape(value, gradient, np.zeros(shape), 0.1, steps=1500)
