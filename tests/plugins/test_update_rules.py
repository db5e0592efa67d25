"""The update rules: against their formulas, in blocks, on functions with a known minimum."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nnplug import Array, Step, UpdateRule
from nnplug.arena import Arena
from nnplug_builtins.adagrad import AdaGrad
from nnplug_builtins.adam import Adam
from nnplug_builtins.adamw import AdamW
from nnplug_builtins.momentum import Momentum
from nnplug_builtins.rmsprop import RMSProp
from nnplug_builtins.sgd import SGD

# One line of mathematics a line of code, as the sources write it; nothing shared with the plugins.
Reference = Callable[[Array, Array, float], Array]  # start, gradients (T, n), learning rate -> end


def sgd(w: Array, gradients: Array, lr: float) -> Array:
    """Robbins and Monro 1951."""
    for dw in gradients:
        w = w - lr * dw
    return w


def momentum(mu: float) -> Reference:
    """CS231n, "Neural networks 3", SGD with momentum."""

    def run(w: Array, gradients: Array, lr: float) -> Array:
        v = np.zeros_like(w)
        for dw in gradients:
            v = mu * v - lr * dw
            w = w + v
        return w

    return run


def nesterov(mu: float) -> Reference:
    """CS231n, "Neural networks 3", Nesterov momentum in the form that keeps the look-ahead point."""

    def run(w: Array, gradients: Array, lr: float) -> Array:
        v = np.zeros_like(w)
        for dw in gradients:
            v_before = v
            v = mu * v - lr * dw
            w = w - mu * v_before + (1 + mu) * v
        return w

    return run


def adagrad(eps: float) -> Reference:
    """Duchi, Hazan and Singer 2011, diagonal form; eps outside the root as in CS231n."""

    def run(w: Array, gradients: Array, lr: float) -> Array:
        for t, dw in enumerate(gradients, 1):
            w = w - lr * dw / (np.sqrt((gradients[:t] ** 2).sum(axis=0)) + eps)
        return w

    return run


def rmsprop(rho: float, eps: float) -> Reference:
    """CS231n, "Neural networks 3", after Hinton's lecture 6.5."""

    def run(w: Array, gradients: Array, lr: float) -> Array:
        cache = np.zeros_like(w)
        for dw in gradients:
            cache = rho * cache + (1 - rho) * dw**2
            w = w - lr * dw / (np.sqrt(cache) + eps)
        return w

    return run


def adam(beta1: float, beta2: float, eps: float, weight_decay: float = 0.0) -> Reference:
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2, with lr * weight_decay as the decay."""

    def run(w: Array, gradients: Array, lr: float) -> Array:
        m = v = np.zeros_like(w)
        for t, dw in enumerate(gradients, 1):
            m = beta1 * m + (1 - beta1) * dw
            v = beta2 * v + (1 - beta2) * dw**2
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            w = w - lr * (m_hat / (np.sqrt(v_hat) + eps)) - lr * weight_decay * w
        return w

    return run


FORMULAS: dict[str, tuple[UpdateRule, Reference]] = {
    "sgd": (SGD(), sgd),
    "momentum": (Momentum(), momentum(0.9)),
    "momentum-0": (Momentum(momentum=0.0), sgd),
    "nesterov": (Momentum(momentum=0.8, nesterov=True), nesterov(0.8)),
    "adagrad": (AdaGrad(), adagrad(1e-8)),
    "adagrad-eps": (AdaGrad(eps=0.1), adagrad(0.1)),
    "rmsprop": (RMSProp(), rmsprop(0.99, 1e-8)),
    "rmsprop-options": (RMSProp(rho=0.9, eps=0.1), rmsprop(0.9, 0.1)),
    "adam": (Adam(), adam(0.9, 0.999, 1e-8)),
    "adam-options": (Adam(beta1=0.5, beta2=0.9, eps=0.1), adam(0.5, 0.9, 0.1)),
    "adamw": (AdamW(), adam(0.9, 0.999, 1e-8, 0.01)),
    "adamw-options": (AdamW(weight_decay=0.3, beta1=0.5, beta2=0.9, eps=0.1), adam(0.5, 0.9, 0.1, 0.3)),
}
RULES = [rule for rule, _ in FORMULAS.values()]


def new_slots(rule: UpdateRule, w: Array) -> dict[str, Array]:
    """The rule's slots as a run begins: zeros."""
    return {name: np.zeros_like(w) for name in rule.slots}


def steps(learning_rate: float, count: int, decay: bool = True) -> Iterator[Step]:
    """Steps 1, 2, ..., count."""
    return (Step(t, learning_rate, decay, np.empty) for t in range(1, count + 1))


def run(rule: UpdateRule, w: Array, gradients: Array, learning_rate: float, decay: bool = True) -> Array:
    """The parameters after one update per row of ``gradients``; nothing given is changed."""
    w, slots = w.copy(), new_slots(rule, w)
    for step, dw in zip(steps(learning_rate, len(gradients), decay), gradients, strict=True):
        rule.apply(w, dw.copy(), slots, step)
    return w


def example(seed: int, count: int = 100, size: int = 37) -> tuple[Array, Array]:
    """Parameters, and gradients of very different sizes, a fifth of them zero."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-6, 3, size)
    gradients = rng.standard_normal((count, size)) * sizes * (rng.random((count, size)) < 0.8)
    return rng.standard_normal(size), gradients


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMULAS)
def test_hundred_steps_follow_the_formula(name: str, seed: int) -> None:
    """The plugin and the formula in the source agree to 1e-12 after 100 steps."""
    rule, reference = FORMULAS[name]
    w, gradients = example(seed)
    np.testing.assert_allclose(run(rule, w, gradients, 0.02), reference(w, gradients, 0.02), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES, ids=list(FORMULAS))
def test_blocks_give_what_the_whole_gives(rule: UpdateRule, dtype: str) -> None:
    """Splitting the vector changes no bit, whether blocks are long, short or out of step with vector registers."""
    w, gradients = example(seed=7, count=40, size=1000)
    w, gradients = w.astype(dtype), gradients.astype(dtype)
    blocked, slots = w.copy(), new_slots(rule, w)
    blocks = [slice(0, 5), slice(5, 6), slice(6, 517), slice(517, 1000)]
    for step, dw in zip(steps(0.02, 40), gradients.copy(), strict=True):
        for block in blocks:
            rule.apply(blocked[block], dw[block], {name: slot[block] for name, slot in slots.items()}, step)
    np.testing.assert_array_equal(blocked, run(rule, w, gradients, 0.02))


@pytest.mark.parametrize("rule", RULES, ids=list(FORMULAS))
def test_float32_is_computed_in_float32(rule: UpdateRule) -> None:
    """Scratch memory is asked for in the parameters' dtype, and the result is as exact as float32 can be."""
    w, gradients = example(seed=3)
    single, slots, asked = w.astype("float32"), new_slots(rule, w.astype("float32")), set()

    def empty(shape: Any, dtype: Any) -> Array:
        asked.add(np.dtype(dtype).name)
        return np.full(shape, np.nan, dtype)

    for t, dw in enumerate(gradients.astype("float32"), 1):
        rule.apply(single, dw, slots, Step(t, 0.02, True, empty))
    assert asked <= {"float32"}
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, run(rule, w, gradients, 0.02), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rule", RULES, ids=list(FORMULAS))
def test_second_step_allocates_nothing(rule: UpdateRule) -> None:
    """After the first step there is no new array: not one of the 800 kB that a temporary would take."""
    w, arena = np.ones(100_000), Arena()
    dw, slots = np.ones_like(w), new_slots(rule, w)
    arena.start(1)
    rule.apply(w, dw, slots, Step(15, 0.01, True, arena.empty))
    arena.start(1)
    tracemalloc.start()
    rule.apply(w, dw, slots, Step(16, 0.01, True, arena.empty))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


@pytest.mark.parametrize("rule", RULES, ids=list(FORMULAS))
def test_zero_gradients_leave_parameters_alone(rule: UpdateRule) -> None:
    """Where no gradient ever came, w stays as it is, bit for bit: no 0 / 0, no drift."""
    w = np.array([1.5, -2.25, 0.0, 1e-300])
    np.testing.assert_array_equal(run(rule, w, np.zeros((20, 4)), 0.1, decay=False), w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [Momentum(), Momentum(nesterov=True), RMSProp(), Adam(), AdamW()], ids=str)
def test_slots_do_not_end_among_the_subnormal_numbers(rule: UpdateRule, dtype: str) -> None:
    """Slots that fade away reach zero; left alone they stick at a few units of the smallest subnormal number."""
    smallest = np.finfo(dtype).smallest_normal
    w = np.zeros(4, dtype)
    start = np.array([1.0, 3.0, 50.0, 1e10], dtype) * smallest
    slots = {name: start.copy() for name in rule.slots}
    for step in steps(0.01, 64):
        rule.apply(w, np.zeros(4, dtype), slots, step)
    for slot in slots.values():
        assert not np.any((slot != 0) & (np.abs(slot) < smallest))
        assert np.all(slot <= start)


def test_adamw_without_decay_is_adam() -> None:
    """Biases, and weights at weight_decay = 0, move as Adam moves them, bit for bit."""
    w, gradients = example(seed=11)
    expected = run(Adam(), w, gradients, 0.02)
    np.testing.assert_array_equal(run(AdamW(weight_decay=0.5), w, gradients, 0.02, decay=False), expected)
    np.testing.assert_array_equal(run(AdamW(weight_decay=0.0), w, gradients, 0.02), expected)


# Learning rate and number of steps for the parabola and for Rosenbrock's function.
MINIMA: dict[str, tuple[UpdateRule, tuple[float, int], tuple[float, int]]] = {
    "sgd": (SGD(), (0.1, 300), (1e-3, 30_000)),
    "momentum": (Momentum(), (0.02, 300), (5e-4, 5_000)),
    "nesterov": (Momentum(nesterov=True), (0.02, 300), (3e-4, 8_000)),
    "adagrad": (AdaGrad(), (1.0, 300), (1.0, 10_000)),
    "rmsprop": (RMSProp(), (0.01, 1_000), (1e-3, 10_000)),
    "adam": (Adam(), (0.1, 300), (0.03, 3_000)),
    "adamw": (AdamW(weight_decay=0.0), (0.1, 300), (0.03, 3_000)),
}


def minimise(rule: UpdateRule, gradient: Callable[[Array], Array], w: Array, budget: tuple[float, int]) -> Array:
    """Where the rule gets to from ``w``."""
    slots = new_slots(rule, w)
    for step in steps(*budget):
        rule.apply(w, gradient(w), slots, step)
    return w


@pytest.mark.parametrize("name", MINIMA)
def test_reaches_the_minimum_of_a_parabola(name: str) -> None:
    """From the origin to the bottom of a valley ten times as steep across as along."""
    rule, budget, _ = MINIMA[name]
    bottom = np.array([1.0, -2.0])
    end = minimise(rule, lambda w: np.array([1.0, 10.0]) * (w - bottom), np.zeros(2), budget)
    np.testing.assert_allclose(end, bottom, atol=1e-3)


@pytest.mark.parametrize("name", MINIMA)
def test_reaches_the_minimum_of_rosenbrock(name: str) -> None:
    """Along the curved valley of (1 - a)**2 + 100 (b - a**2)**2, from (-1.2, 1) to (1, 1)."""
    rule, _, budget = MINIMA[name]

    def gradient(w: Array) -> Array:
        a, b = w.tolist()
        return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])

    end = minimise(rule, gradient, np.array([-1.2, 1.0]), budget)
    np.testing.assert_allclose(end, [1.0, 1.0], atol=1e-2)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (SGD, {"learning_rate": 0.0}, "'learning_rate' must be > 0: 0.0"),
        (Momentum, {"momentum": 1.0}, "'momentum' must be < 1: 1.0"),
        (Momentum, {"momentum": -0.1}, "'momentum' must be >= 0: -0.1"),
        (AdaGrad, {"eps": 0.0}, "'eps' must be > 0: 0.0"),
        (RMSProp, {"rho": 1.0}, "'rho' must be < 1: 1.0"),
        (RMSProp, {"learning_rate": -1.0}, "'learning_rate' must be > 0: -1.0"),
        (Adam, {"beta1": 1.0}, "'beta1' must be < 1: 1.0"),
        (Adam, {"beta2": -0.5}, "'beta2' must be >= 0: -0.5"),
        (Adam, {"eps": float("nan")}, "'eps' must be > 0: nan"),
        (AdamW, {"weight_decay": -0.01}, "'weight_decay' must be >= 0: -0.01"),
    ],
)
def test_options_out_of_range_are_refused(rule: type[UpdateRule], options: dict[str, float], message: str) -> None:
    """A value that makes no sense is refused when the rule is made, by its name."""
    with pytest.raises(ValueError) as caught:
        rule(**options)
    assert str(caught.value) == message
