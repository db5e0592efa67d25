"""The context: children with paths and streams of their own, scratch memory, and no ceremony by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import Context
from nnplug.arena import Arena
from nnplug.streams import Streams
from nnplug_builtins.affine import Affine


def test_a_layer_works_by_hand():
    """The first thing a learner tries."""
    W, b = np.arange(6.0).reshape(2, 3), np.ones(3)
    out, cache = Affine(3).forward({"W": W, "b": b}, np.array([[1.0, 2.0]]), Context())
    assert out.tolist() == [[7, 10, 13]]
    grads = {"W": np.empty_like(W), "b": np.empty_like(b)}
    dx = Affine(3).backward({"W": W, "b": b}, grads, cache, np.ones((1, 3)), Context())
    assert dx.tolist() == [[3, 12]]
    assert grads["W"].tolist() == [[1, 1, 1], [2, 2, 2]]


def test_defaults():
    """Inference, everything wanted, double precision."""
    ctx = Context()
    assert (ctx.training, ctx.need_dx, ctx.dtype, ctx.path) == (False, True, np.dtype("float64"), "")


def test_children_inherit_and_are_named():
    """A child's path is its own below its parent's; the rest is the parent's."""
    ctx = Context(training=True, dtype="float32", seed=3)
    child = ctx.child("block1", need_dx=False).child("affine2")
    assert (child.path, child.training, child.dtype, child.need_dx) == ("block1.affine2", True, np.float32, True)


@pytest.mark.parametrize("need_dx", [True, False])
def test_need_dx_is_the_composites_to_say(need_dx):
    """Whatever the parent was asked, and without a trace on the other."""
    ctx = Context(need_dx=not need_dx)
    assert ctx.child("a", need_dx=need_dx).need_dx is need_dx
    assert ctx.child("a").need_dx is True
    assert ctx.need_dx is not need_dx


def test_the_same_child_is_the_same_object():
    """A step allocates no contexts."""
    ctx = Context()
    assert ctx.child("a") is ctx.child("a")
    assert ctx.child("a", need_dx=False) is ctx.child("a", need_dx=False)


def test_every_path_has_a_stream_of_its_own():
    """Two dropouts do not drop alike; forward and backward of one layer share a stream."""
    ctx = Context(seed=1)
    assert ctx.child("a").rng is ctx.child("a", need_dx=False).rng
    assert ctx.child("a").rng.random() != ctx.child("b").rng.random()
    assert Context(seed=1).child("a").child("b").rng.random() != Context(seed=1).child("b").child("a").rng.random()


def test_the_same_seed_and_path_give_the_same_numbers():
    """Whether the seed is a number or streams that others use too."""
    np.testing.assert_array_equal(Context().child("a").rng.random(3), Context(seed=0).child("a").rng.random(3))
    by_number = Context(seed=7).child("a").rng.random(3)
    np.testing.assert_array_equal(by_number, Context(seed=Streams(7), path="a").rng.random(3))


@pytest.mark.parametrize("arena", [None, Arena()], ids=["by hand", "arena"])
@pytest.mark.parametrize("shape", [(2, 3), 6, (), np.int64(6)], ids=repr)
def test_scratch_memory(arena, shape):
    """Of the model's dtype unless said, aligned, with an arena or without one."""
    ctx = Context(dtype="float32", arena=arena).child("a")
    array = ctx.empty(shape)
    assert array.dtype == np.float32
    assert array.shape == np.empty(shape).shape
    assert array.ctypes.data % 64 == 0
    assert ctx.empty(shape, bool).dtype == bool
    assert ctx.empty(shape, "int64").dtype == np.int64


def test_children_draw_on_the_parents_arena():
    """A step's memory is one pool, whoever asks."""
    arena = Arena()
    ctx = Context(arena=arena)
    arena.start(2)
    first = [ctx.child("a").empty(3), ctx.child("b").empty(3)]
    places = [array.ctypes.data for array in first]
    assert places[0] != places[1]
    del first
    arena.start(2)
    second = [ctx.child("a").empty(3), ctx.child("b").empty(3)]
    assert [array.ctypes.data for array in second] == places


def test_by_hand_every_array_is_new():
    """Without an arena nothing is ever handed out twice."""
    ctx = Context()
    assert ctx.empty(3) is not ctx.empty(3)


def test_notes_are_each_contexts_own():
    """What one layer notes no other sees, nor another mode of the same layer."""
    ctx = Context()
    ctx.child("a").notes["ones"] = 1
    assert ctx.child("a").notes == {"ones": 1}
    assert ctx.notes == ctx.child("b").notes == ctx.child("a", need_dx=False).notes == {}


@pytest.mark.parametrize("frozen", ["chain1", "chain1.chain1", "chain1.chain1.standardize1"])
def test_running_statistics_stay_in_frozen_layers(frozen: str) -> None:
    """In one that is frozen itself, and in all inside one that is; beside it they move."""

    def block(path: str, layers: list[Any]) -> dict[str, Any]:
        return {"type": "chain", "layers": layers, "trainable": path != frozen}

    own = {"type": "standardize", "trainable": frozen != "chain1.chain1.standardize1"}
    layers = [block("chain1", [block("chain1.chain1", [own])]), "standardize", {"type": "affine", "units": 2}]
    model = nnplug.build(layers, input_shape=3)
    x = np.random.default_rng(0).normal(5.0, 2.0, (20, 3))
    nnplug.Solver(model, (x, np.arange(20) % 2), epochs=1, batch_size=10).fit()
    assert model.state["chain1.chain1.standardize1.rows"] == 0
    assert model.state["standardize1.rows"] == 20
    np.testing.assert_array_equal(model.activations(x)["chain1"], x.astype("float32"))


def test_by_hand_a_context_is_trainable() -> None:
    """And its children are as it is."""
    assert Context().child("a").trainable
    assert not Context(trainable=False).child("a").trainable
    assert [Context(frozen=("a.b",)).child(name).child("b").trainable for name in "ab"] == [False, True]
