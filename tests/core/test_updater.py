"""The update: blocks, groups, clipping, memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from math import sqrt
from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import evolve, frozen

import nnplug
from nnplug import Array, Model, PluginError, Registry, Step, UpdateRule
from nnplug.updater import BLOCK, SPLIT_FROM, Updater, clip

REGISTRY = Registry()
RULES = REGISTRY.names("update_rule")
SEEN: list[dict[str, Any]] = []


def affine(units: int, **options: Any) -> dict[str, Any]:
    """A table for an affine layer."""
    return {"type": "affine", "units": units, **options}


def model(layers: list[Any] | None = None, inputs: int = 4, dtype: str = "float64") -> Model:
    """A model with random gradients."""
    layers = layers or [affine(5), "relu", affine(3, trainable=False), affine(2)]
    found = nnplug.build(layers, input_shape=inputs, dtype=dtype, seed=2)
    gradient = found.network.buffers.gradient
    gradient[...] = np.random.default_rng(0).normal(size=gradient.shape)
    return found


@frozen
class Spy(UpdateRule):
    """Notes what it is given, and moves w by -1, its slot by 1."""

    slots: ClassVar[tuple[str, ...]] = ("s",)

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Note and move."""
        scratch = step.empty(w.shape, w.dtype)
        SEEN.append(
            {"shape": w.shape, "t": step.t, "rate": step.learning_rate, "decay": step.decay, "scratch": scratch}
        )
        w -= 1
        slots["s"][...] += 1


@frozen
class DecayingSpy(Spy):
    """The same, with a look at what decays."""

    decays: ClassVar[bool] = True


@frozen
class WholeSpy(DecayingSpy):
    """The same, a parameter at a time."""

    elementwise: ClassVar[bool] = False


@pytest.fixture(autouse=True)
def _forget() -> None:
    SEEN.clear()


def test_a_rule_gets_all_that_learns_in_one_block() -> None:
    """An elementwise rule that decays nothing is called once for weights and biases; nothing frozen."""
    m = model()
    before = m.network.buffers.vector.copy()
    Updater(Spy(), m.network.buffers).update(0.25)
    assert [(s["shape"], s["t"], s["rate"], s["decay"]) for s in SEEN] == [((20 + 6 + 5 + 2,), 1, 0.25, False)]
    np.testing.assert_array_equal(m.network.buffers.vector, before - np.repeat([1.0, 0.0], [33, before.size - 33]))


def test_a_rule_that_decays_gets_one_block_of_weights_and_one_of_biases() -> None:
    """Elementwise rules that look at ``step.decay``: all that decays, then all that does not; nothing frozen."""
    m = model()
    before = {path: array.copy() for path, array in m.params.items()}
    updater = Updater(DecayingSpy(), m.network.buffers)
    updater.update(0.25)
    updater.update(0.5)
    assert [(s["shape"], s["t"], s["rate"], s["decay"]) for s in SEEN] == [
        *(((20 + 6,), 1, 0.25, True), ((5 + 2,), 1, 0.25, False)),
        *(((20 + 6,), 2, 0.5, True), ((5 + 2,), 2, 0.5, False)),
    ]
    for path, array in m.params.items():
        np.testing.assert_array_equal(array, before[path] - (0 if path.startswith("affine2") else 2))
    assert updater.t == 2
    np.testing.assert_array_equal(updater.slots["s"], np.full(33, 2.0))


def test_a_rule_that_wants_matrices_gets_them() -> None:
    """``elementwise = False``: each parameter that learns in its own shape, with slots alike; nothing frozen."""
    m = model()
    frozen_before = m.params["affine2.W"].copy()
    updater = Updater(WholeSpy(), m.network.buffers)
    updater.update(0.1)
    assert [(s["shape"], s["decay"]) for s in SEEN] == [((4, 5), True), ((3, 2), True), ((5,), False), ((2,), False)]
    np.testing.assert_array_equal(m.params["affine2.W"], frozen_before)
    np.testing.assert_array_equal(updater.slots["s"], np.ones(33))


@frozen
class Rebinding(UpdateRule):
    """Puts another array where a slot is: no checkpoint would hold what it counts."""

    slots: ClassVar[tuple[str, ...]] = ("s",)

    def apply(self, w: Array, dw: Array, slots: Any, step: Step) -> None:
        """Not in place."""
        slots["s"] = slots["s"] + dw


@frozen
class WholeRebinding(Rebinding):
    """The same, a matrix at a time."""

    elementwise: ClassVar[bool] = False


@pytest.mark.parametrize("rule", [Rebinding(), WholeRebinding()])
def test_slots_cannot_be_put_elsewhere(rule: UpdateRule) -> None:
    """Only their contents can be changed."""
    with pytest.raises(PluginError, match=r"^an update rule puts another array in the place of slots\['s'\]; write in"):
        Updater(rule, model().network.buffers).update(0.1)


@pytest.mark.parametrize("rule", [Spy(), WholeSpy()], ids=["blocks", "matrices"])
def test_scratch_memory_is_used_again(rule: UpdateRule) -> None:
    """After the first update no scratch is allocated, whatever shapes the parameters have."""
    m = model([affine(5), affine(4), affine(7), affine(2)])  # (4, 5), (5, 4), (4, 7), (7, 2): lengths come twice
    updater = Updater(rule, m.network.buffers)
    for _ in range(4):
        updater.update(0.1)
        blocks = len(SEEN)
        SEEN.clear()  # which held the arrays
        assert 0 < updater._arena.allocations <= blocks


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_give_the_bytes_of_the_whole(name: str, dtype: str) -> None:
    """A vector too large for one block is updated to the same bytes as if it were one, over several steps."""
    rule = REGISTRY.create("update_rule", name)
    units = (SPLIT_FROM + 12_345) // 100 + 1
    blocks, whole = (model([affine(units)], inputs=100, dtype=dtype).network.buffers for _ in range(2))
    split, single = Updater(rule, blocks), Updater(rule, whole)
    assert len(split._blocks) == (-(-units * 100 // BLOCK) + 1 if rule.decays else -(-units * 101 // BLOCK))
    one = np.arange(whole.layout.decayed)
    rng = np.random.default_rng(1)
    slots = {key: slot[: whole.layout.decayed] for key, slot in single.slots.items()}
    for t in range(1, 36):  # beyond the step where small numbers are flushed
        blocks.gradient[...] = rng.normal(size=blocks.gradient.shape)
        whole.gradient[...] = blocks.gradient
        split.update(0.01)
        step = Step(t, 0.01, True, np.empty)
        rule.apply(whole.vector[: one.size], whole.gradient[: one.size], slots, step)
    assert blocks.vector[: one.size].tobytes() == whole.vector[: one.size].tobytes()
    for key, slot in slots.items():
        assert split.slots[key][: one.size].tobytes() == slot.tobytes()


@pytest.mark.parametrize("size", [SPLIT_FROM - 1, SPLIT_FROM, SPLIT_FROM + 1, SPLIT_FROM + BLOCK])
def test_blocks_cover_every_parameter_once(size: int) -> None:
    """However large the vector: each parameter is moved once, and only very large ones are split."""
    m = model([affine(size)], inputs=1, dtype="float32")
    before = m.network.buffers.vector.copy()
    Updater(DecayingSpy(), m.network.buffers).update(0.1)
    np.testing.assert_array_equal(m.network.buffers.vector, before - 1)
    lengths = [s["shape"][0] for s in SEEN if s["decay"]]
    assert lengths == (
        [size] if size <= SPLIT_FROM else [BLOCK] * (size // BLOCK) + [size % BLOCK] * bool(size % BLOCK)
    )


@pytest.mark.parametrize("layers", [["relu"], [affine(3, trainable=False)]], ids=["nothing", "all frozen"])
@pytest.mark.parametrize("name", RULES)
def test_nothing_to_learn_is_no_error(layers: list[Any], name: str) -> None:
    """A network without parameters that learn can be updated, to no effect."""
    m = model(layers)
    before = m.network.buffers.vector.copy()
    Updater(evolve(REGISTRY.create("update_rule", name), clip_norm=1.0), m.network.buffers).update(0.1)
    np.testing.assert_array_equal(m.network.buffers.vector, before)


@pytest.mark.parametrize("name", RULES)
def test_an_update_allocates_nothing(name: str) -> None:
    """After the first update the peak of memory within one is a few small objects."""
    m = model([affine(300)], inputs=300, dtype="float32")
    updater = Updater(evolve(REGISTRY.create("update_rule", name), clip_norm=1e9), m.network.buffers)
    for _ in range(20):
        updater.update(0.01)
    tracemalloc.start()
    try:
        for _ in range(20):
            updater.update(0.01)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024
    finally:
        tracemalloc.stop()


# Clipping


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [0.5, 1.0, 1.5, 1e3, 1e15, 1e25, 1e37])
def test_the_norm_is_bounded_and_the_direction_kept(length: float, dtype: str) -> None:
    """A longer gradient is shortened to the norm exactly, even one whose squares overflow; a shorter one is left."""
    direction = np.random.default_rng(0).normal(size=1000)
    direction /= np.linalg.norm(direction)
    gradient = (direction * length).astype(dtype)
    kept = gradient.copy()
    clip(gradient, 1.0)
    eps = float(np.finfo(dtype).eps)
    assert np.linalg.norm(gradient.astype(float)) == pytest.approx(min(length, 1.0), rel=10 * eps)
    np.testing.assert_allclose(gradient, direction * min(length, 1.0), rtol=10 * eps)
    if length < 1:
        np.testing.assert_array_equal(gradient, kept)


def test_a_zero_gradient_is_not_divided_by() -> None:
    """The norm 0 is no division by zero."""
    gradient = np.zeros(3)
    clip(gradient, 1.0)
    assert not gradient.any()


def test_the_norm_is_that_of_all_that_learns() -> None:
    """One norm for all parameters together, weights and biases; what is frozen does not count."""
    m = model()
    layout = m.network.buffers.layout
    gradient = m.network.buffers.gradient
    gradient[layout.trained :] = 1e6
    length = sqrt((gradient[: layout.trained] ** 2).sum())
    expected = gradient[: layout.trained] / length * 0.5
    before = m.network.buffers.vector[: layout.trained].copy()
    rule = REGISTRY.create("update_rule", {"type": "sgd", "clip_norm": 0.5})
    Updater(rule, m.network.buffers).update(1.0)
    np.testing.assert_allclose(m.network.buffers.vector[: layout.trained], before - expected, rtol=1e-12)
