"""What is checked of an update rule."""

from __future__ import annotations

import tracemalloc
from math import isfinite

import numpy as np
from attrs import evolve

from nnplug.arena import Arena
from nnplug.specs import Array
from nnplug.testing.arrays import close, no_global_random
from nnplug.testing.outcome import Failure, Skipped, sentence
from nnplug.testing.precision import COARSE, FINE, is_single, nudged
from nnplug.testing.rule_cases import Landscape, Moved, RuleCase, parabola, rosenbrock, rule_cases

RATES = (0.1, 0.01, 0.003, 0.001, 0.03, 0.3, 1.0)  # one of them suits every rule
STEPS = 6
ANY_SHAPE = "where elementwise = False, apply moves each parameter in its own shape, (D, M), biases (M,) and filters"
GROWTH = 4096  # bytes that many steps may add, for what Python keeps itself


def gradients(case: RuleCase, seed: int = 0) -> list[Array]:
    """A gradient for each of a few steps."""
    rng = np.random.default_rng([seed, 5])
    return [rng.standard_normal(case.shape) for _ in range(2 * STEPS)]


def values(case: RuleCase, seed: int = 0) -> Array:
    """Parameters to begin with."""
    return np.random.default_rng([seed, 6]).standard_normal(case.shape)


def in_place(case: RuleCase) -> None:
    """apply changes the parameters it is given, in place, and uses no global random numbers."""
    moved = Moved.start(case.rule, values(case))
    before = moved.w.copy()
    with no_global_random():
        for t, dw in enumerate(gradients(case)[:STEPS], 1):
            _step_of_any_shape(case, moved, t, dw)
    if np.array_equal(moved.w, before):
        raise Failure(
            "w is as it was after several updates; change it in place, w -= ..., for w = w - ... is a new array"
            + ("" if case.rule.elementwise else f", and {ANY_SHAPE}")
        )
    if not (np.isfinite(moved.w).all() and all(np.isfinite(slot).all() for slot in moved.slots.values())):
        raise Failure("w or a slot holds NaN or infinity after a few updates; step.empty gives memory full of rubbish")


def _step_of_any_shape(case: RuleCase, moved: Moved, t: int, dw: Array) -> None:
    try:
        moved.step(t, dw)
    except Failure:
        raise
    except Exception as error:
        if case.rule.elementwise:
            raise
        raise Failure(f"{sentence(error)}; {ANY_SHAPE}") from error


def blocks(case: RuleCase) -> None:
    """An elementwise rule moves a block of parameters exactly as it moves them all."""
    if not case.rule.elementwise:
        raise Skipped("elementwise = False: the rule is given one parameter at a time")
    whole = Moved.start(case.rule, values(case))
    cuts = (slice(0, 1), slice(1, 17), slice(17, None))
    parts = [Moved.start(case.rule, values(case)[cut]) for cut in cuts]
    for t, dw in enumerate(gradients(case)[:STEPS], 1):
        whole.step(t, dw)
        for part, cut in zip(parts, cuts, strict=True):
            part.step(t, dw[cut])
    for part, cut in zip(parts, cuts, strict=True):
        if not close(part.w, whole.w[cut]):
            raise Failure(
                "in blocks the parameters move otherwise than as a whole: a norm, mean or maximum over the block "
                "enters; write elementwise = False, then apply is given one parameter at a time"
            )


def minimises_parabola(case: RuleCase) -> str:
    """With one of several learning rates it comes down a parabola to 1% of where it starts."""
    return _descend(case, parabola(case.shape))


def minimises_rosenbrock(case: RuleCase) -> str:
    """With one of several learning rates it comes down Rosenbrock's valley, from 1 to 0.1."""
    return _descend(case, rosenbrock((2, *(1 for _ in case.shape[1:]))))


def _descend(case: RuleCase, land: Landscape) -> str:
    best, uphill = float("inf"), 0
    for rate in RATES:
        moved = Moved.start(evolve(case.rule, learning_rate=rate), land.start)
        moved = evolve(moved, arena=Arena())
        with np.errstate(all="ignore"):  # a rate that is too large for this rule
            for t in range(1, land.steps + 1):
                moved.step(t, land.gradient(moved.w), rate, decay=False)
                value = land.value(moved.w)
                if t == 1:
                    uphill += value > land.value(land.start)
                if value <= land.goal:
                    return f"with learning rate {rate:g} in {t} steps"
                if not isfinite(value) or value > 1e12:
                    break
        best = min(best, value)
    start = land.value(land.start)
    told = f"from {start:.3g} it comes down to {best:.3g} at best, not to {land.goal:.3g}"
    if uphill == len(RATES):
        told += "; the first step leads uphill at every learning rate, so the sign is wrong: w -= learning_rate * dw"
    raise Failure(f"{told} (learning rates {', '.join(f'{rate:g}' for rate in RATES)}, {land.steps} steps)")


def slots_survive(case: RuleCase) -> None:
    """Values and slots are all there is: put back into a new rule, they go on to the same result, bit by bit."""
    moved = Moved.start(case.rule, values(case))
    other = Moved.start(case.rule, values(case, 1))
    for t, (dw, dother) in enumerate(zip(gradients(case)[:STEPS], gradients(case, 1), strict=False), 1):
        moved.step(t, dw)
        other.step(t, dother)
    resumed = moved.copy()
    for t, dw in enumerate(gradients(case)[STEPS:], STEPS + 1):
        moved.step(t, dw)
    for t, dw in enumerate(gradients(case)[STEPS:], STEPS + 1):
        resumed.step(t, dw)
    if moved.bytes() != resumed.bytes():
        raise Failure(
            "going on from a copy of values and slots gives another result: something is kept elsewhere, in the rule "
            "or the module; what lasts from step to step belongs in a slot, and step.t counts the steps"
        )
    alone = Moved.start(case.rule, values(case))
    for t, dw in enumerate(gradients(case), 1):
        alone.step(t, dw)
    if moved.bytes() != alone.bytes():
        raise Failure("updating other parameters in between changes the result; what lasts belongs in slots")


def learning_rate(case: RuleCase) -> None:
    """The step size is step.learning_rate, which schedule and warm-up have changed, not the rule's own option."""
    found = []
    for own, given in ((0.01, 0.01), (0.5, 0.01), (0.01, 0.5)):
        moved = Moved.start(evolve(case.rule, learning_rate=own), values(case))
        for t, dw in enumerate(gradients(case)[:STEPS], 1):
            moved.step(t, dw, given)
        found.append(moved.w)
    if not np.array_equal(found[0], found[1]) or np.array_equal(found[0], found[2]):
        raise Failure(
            "the step follows self.learning_rate, which knows nothing of schedule and warm-up; use step.learning_rate"
        )


def decay(case: RuleCase) -> str:
    """Weights decay only where step.decay allows it: not biases."""
    start = values(case).astype(np.float32).astype(np.float64)  # so that rounding to float32 is no decay
    found = []
    for allowed in (False, True):
        moved = Moved.start(case.rule, start)
        moved.step(1, np.zeros(case.shape), 0.01, decay=allowed)
        found.append(moved.w)
    if not np.array_equal(found[0], start):
        raise Failure(
            "with a gradient of zero, slots at zero and step.decay false, w moves; let weight decay act only "
            "`if step.decay`, and give a gradient of zero no direction"
        )
    decays = not np.array_equal(found[0], found[1])
    if decays and not case.rule.decays:
        raise Failure(
            "apply looks at step.decay, which is always false for a rule that does not announce it; write decays = True"
        )
    return "weights decay" if decays else "nothing decays"


def zero_gradient(case: RuleCase) -> None:
    """Gradients that are zero from the first step on lead to finite numbers, and no warning."""
    moved = Moved.start(case.rule, values(case))
    for t in range(1, STEPS):
        moved.step(t, np.zeros(case.shape))
    if not all(np.isfinite(array).all() for array in (moved.w, *moved.slots.values())):
        raise Failure("with gradients of zero, w or a slot becomes NaN or infinite; add a small eps where you divide")


def float64(case: RuleCase) -> None:
    """In a float64 model it computes in float64: w and slots follow gradients that differ by one part in a billion."""
    moved = [_last_gradient_nudged(case, by) for by in (0.0, FINE, COARSE)]
    for name in ("w", *case.rule.slots):
        arrays = [one.w if name == "w" else one.slots[name] for one in moved]
        if is_single(*arrays):
            raise Failure(
                f"{name} moves in float32 where w and dw are float64, with 7 digits instead of 16; compute in the "
                "dtype of w: no astype('float32'), and every new array with dtype=w.dtype"
            )


def _last_gradient_nudged(case: RuleCase, by: float) -> Moved:
    """Parameters after a few steps, the last one along a gradient that is `nudged`."""
    moved = Moved.start(case.rule, values(case))
    rng = np.random.default_rng(7)
    for t, dw in enumerate(gradients(case)[:STEPS], 1):
        moved.step(t, nudged(dw, by, rng) if t == STEPS else dw, learning_rate=1.0)
    return moved


def float32(case: RuleCase) -> None:
    """In a float32 model it moves as in float64, up to rounding."""
    found = []
    for dtype in (np.float64, np.float32):
        moved = Moved.start(case.rule, values(case).astype(dtype))
        for t, dw in enumerate(gradients(case)[:STEPS], 1):
            moved.step(t, dw.astype(dtype))
        found.append(moved)
    double, single = found
    if single.w.dtype != np.float32 or not close(single.w, double.w, 1e-3):
        raise Failure("in float32 the parameters end elsewhere than in float64; is eps too small for float32?")


def memory(case: RuleCase) -> str:
    """After the first steps no more memory is needed, however long training goes on."""
    arena = Arena()
    moved = evolve(Moved.start(case.rule, values(case)), arena=arena)
    dw = gradients(case)[0]
    for t in range(1, 2 * STEPS):
        moved.step(t, dw)
    taken = arena.allocations
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for t in range(2 * STEPS, 200):
            moved.step(t, dw)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    if arena.allocations > taken:
        raise Failure("step.empty is asked for other arrays in every step; ask for the same ones in the same order")
    if grown > GROWTH:
        raise Failure(
            f"every step keeps memory, {grown / (200 - 2 * STEPS):.0f} bytes of it; keep nothing but what is in slots"
        )
    return f"{taken} arrays of scratch memory"


CHECKS = (
    in_place,
    blocks,
    minimises_parabola,
    minimises_rosenbrock,
    slots_survive,
    learning_rate,
    decay,
    zero_gradient,
    float64,
    float32,
    memory,
)
ONE_OF = ("minimises_parabola",)

cases = rule_cases
