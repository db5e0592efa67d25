"""Scratch memory: aligned, recycled in the order of the requests, never while it is in use, apart by batch size."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from nnplug.arena import Arena, aligned_empty

SHAPES = [(3, 5), (1,), (), (0, 4), (7,), (2, 3, 4), 6, np.int64(6), [2, 2], (np.int64(2), 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", np.int64, np.dtype("complex128")], ids=str)
def test_aligned_empty_is_like_numpys(shape, dtype):
    """Shape and dtype are those of numpy.empty; the first element, if any, lies on a 64-byte boundary."""
    array, expected = aligned_empty(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert array.size == 0 or array.ctypes.data % 64 == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array[...] = 1
    assert (array == 1).all()


def place(array: np.ndarray) -> int:
    """Where an array lies, without a reference to it."""
    return array.ctypes.data


def test_requests_of_a_step_are_apart():
    """No two arrays that somebody refers to share memory."""
    arena = Arena()
    arena.start(4)
    arrays = [arena.empty(shape, "float32") for shape in [(4, 5), (4, 5), 20, (2, 10)]]
    for i, array in enumerate(arrays):
        array.fill(i)
    assert [float(array.max()) for array in arrays] == [float(array.min()) for array in arrays] == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_the_next_step_gets_the_same_arrays(shape):
    """From the second step on nothing is allocated, however the shape is written."""
    arena = Arena()
    arena.start(4)
    first = [place(array) for array in (arena.empty(shape, "float32"), arena.empty(shape, np.float64))]
    assert arena.allocations == 2
    arena.start(4)
    second = [place(array) for array in (arena.empty(shape, np.dtype("float32")), arena.empty(shape, "float64"))]
    assert arena.allocations == 2
    assert first == second


def test_what_nobody_refers_to_is_handed_out_again_within_a_step():
    """The array that was used last of those that fit, and in the next step the same again."""
    arena = Arena()
    for _ in range(3):
        arena.start(4)
        first, second = arena.empty((4, 5)), arena.empty((4, 5))
        other, kind = arena.empty((5, 4)), arena.empty((4, 5), "float32")
        wanted = place(second)
        del first, second, other, kind
        assert place(arena.empty((4, 5))) == wanted
        assert arena.allocations == 4


VIEWS = {
    "itself": lambda array: array,
    "reshaped": lambda array: array.reshape(-1),
    "a view of views": lambda array: array.T[1:].reshape(5, 2, 2)[::2, 1],
    "broadcast": lambda array: np.broadcast_to(array, (3, 4, 6)),
    "strides": lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (8, 8)),
    "windows": lambda array: np.lib.stride_tricks.sliding_window_view(array, 2, axis=0),
    "another dtype": lambda array: array.view(np.int64),
    "a buffer": np.frombuffer,
    "dlpack": np.from_dlpack,
    "a subclass": lambda array: array.view(np.recarray),
    "in a cache": lambda array: {"x": (array[1:], None)},
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_is_a_reference(view):
    """Nothing is handed out while a view of it lives, in its own step or a later one; when it is gone, it is."""
    arena = Arena()
    arena.start(4)
    first = arena.empty((4, 6))
    where, held = place(first), view(first)
    del first
    others = [arena.empty((4, 6)), arena.empty((4, 6))]
    assert where not in map(place, others)
    del held
    assert place(arena.empty((4, 6))) == where

    arena.start(4)
    held, others = view(arena.empty((4, 6))), None
    for _ in range(3):
        arena.start(4)
        assert place(arena.empty((4, 6))) != where
    assert arena.allocations == 4
    del held


def test_batch_sizes_keep_their_own_pools():
    """An epoch's short last batch does not cost the others their memory."""
    arena = Arena()
    for epoch in range(3):
        for rows in (8, 8, 3):
            arena.start(rows)
            arena.empty((rows, 2), "float32")
            arena.empty(rows, "float32")
        assert arena.allocations == 4, epoch


def test_another_shape_or_dtype_replaces_that_request_alone():
    """A step that asks for something else, as evaluation between two steps would, costs one array."""

    def step(*requests):
        arena.start(4)
        arrays = [arena.empty(*request) for request in requests]
        return [place(array) for array in arrays]

    arena = Arena()
    kept = step(*(((4, i), "float32") for i in (1, 2, 3)))
    again = step(((4, 1), "float32"), ((4, 2), "float64"), ((4, 3), "float32"))
    assert arena.allocations == 4
    assert (again[0], again[2]) == (kept[0], kept[2])
    assert step(((4, 1), "float32"), ((2, 4), "float64"))[0] == kept[0]
    assert arena.allocations == 5


def test_a_request_may_write_its_shape_in_another_way():
    """In every step anew: nothing is allocated after the first, and nothing is mistaken."""
    arena = Arena()
    for shape in [6, (2, 3), np.int64(6), (6,), np.int64(6), (2, 3), [6]]:
        arena.start(4)
        assert arena.empty((6,)).shape == (6,)
        assert arena.empty(shape).shape == np.empty(shape).shape
    assert arena.allocations <= 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy 2.5 would rather have views
@pytest.mark.parametrize(("attribute", "value"), [("shape", (4, 5)), ("dtype", "int64")])
def test_an_array_changed_in_place_serves_no_other_request(attribute, value):
    """What fits is what an array is now, not what it was asked for as."""
    arena = Arena()
    for _ in range(3):
        arena.start(4)
        array = arena.empty((20,))
        setattr(array, attribute, value)
        del array
        other = arena.empty((20,))
        assert (other.shape, other.dtype) == ((20,), np.float64)


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "told"),
    [
        (3, object, TypeError, "scratch memory is for numbers, not for dtype('O')"),
        (3, [("a", object)], TypeError, "scratch memory is for numbers"),
        (3, (float, (2,)), TypeError, "scratch memory is for numbers"),
        (-1, float, ValueError, r"the shape (-1,) of scratch memory has a negative dimension"),
        ((2, -3), "U0", ValueError, r"the shape (2, -3) of scratch memory"),
    ],
    ids=str,
)
def test_what_is_no_array_of_numbers_is_refused(shape, dtype, error, told):
    """Memory that held something else would be read as references."""
    for ask in (Arena().empty, aligned_empty):
        with pytest.raises(error, match=re.escape(told)):
            ask(shape, dtype)


def test_a_debugger_cannot_make_held_arrays_look_free():
    """One that looks at local variables refers to what is in them, in Python 3.11 and 3.12."""
    program = """
import sys
import numpy, numpy.typing

def look(frame, event, arg):
    if frame.f_globals["__name__"] == "nnplug.arena":
        frame.f_locals
        return look

sys.settrace(look)
from nnplug.arena import Arena
sys.settrace(None)
arena = Arena()
held = arena.empty(3)
arena.start(1)
kept = arena.empty(3)
arena.start(1)
print(arena.empty(3) is kept, arena.allocations)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "3"]


def test_many_live_requests_of_many_shapes():
    """However many are held, and whatever they were before, no two are the same array."""
    arena = Arena()
    for step in range(3):
        arena.start(1)
        held = [arena.empty((1 + (i + step) % 3,)) for i in range(300)]
        assert len({place(array) for array in held}) == 300
        del held


def test_an_arena_works_before_start():
    """Its first arrays need no step."""
    assert Arena().empty((2, 2), "float32").shape == (2, 2)
