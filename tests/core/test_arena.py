"""Scratch memory: aligned, recycled in the order of the requests, kept apart by batch size."""

from __future__ import annotations

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


def test_requests_of_a_step_are_apart():
    """No two arrays of one step share memory."""
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
    first = [arena.empty(shape, "float32"), arena.empty(shape, np.float64)]
    assert arena.allocations == 2
    arena.start(4)
    second = [arena.empty(shape, np.dtype("float32")), arena.empty(shape, "float64")]
    assert arena.allocations == 2
    assert all(a is b for a, b in zip(first, second, strict=True))


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
    arena = Arena()
    arena.start(4)
    kept = [arena.empty((4, i), "float32") for i in (1, 2, 3)]
    arena.start(4)
    again = [arena.empty((4, 1), "float32"), arena.empty((4, 2), "float64"), arena.empty((4, 3), "float32")]
    assert arena.allocations == 4
    assert again[0] is kept[0]
    assert (again[1].dtype, again[1].shape) == (np.float64, (4, 2))
    assert again[2] is kept[2]
    arena.start(4)
    assert arena.empty((4, 1), "float32") is kept[0]
    assert arena.empty((2, 4), "float64") is not again[1]


def test_an_arena_works_before_start():
    """Its first arrays need no step."""
    assert Arena().empty((2, 2), "float32").shape == (2, 2)
