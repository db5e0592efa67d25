"""Pooling: values against plain loops, gradients against numerical ones, ties."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, ShapeError
from nnplug.testing import check
from nnplug_conv.avg_pool2d import AvgPool2d
from nnplug_conv.global_avg_pool2d import GlobalAvgPool2d
from nnplug_conv.max_pool2d import MaxPool2d

# (options, shape of x): each is there for what its comment says
CASES = [
    ({}, (2, 3, 4, 6)),  # 2x2 side by side
    ({}, (2, 2, 5, 3)),  # a row and a column of pixels left over
    ({"size": 3, "stride": 1}, (2, 2, 5, 4)),  # windows that overlap
    ({"size": 3, "stride": 2}, (2, 1, 7, 5)),
    ({"size": 2, "stride": 3}, (2, 2, 5, 8)),  # pixels that stand in no window
    ({"size": 1}, (2, 2, 3, 2)),  # nothing happens
    ({"size": 3}, (1, 2, 3, 3)),  # a batch of one; one window
]
NAMES = [" ".join([*(f"{name} {value}" for name, value in options.items()), f"on {x}"]) for options, x in CASES]


def pool(x, size, stride, of_window):
    """A function of every window, a window at a time."""
    n, channels, height, width = x.shape
    out = np.empty((n, channels, (height - size) // stride + 1, (width - size) // stride + 1))
    for r, c, p, q in np.ndindex(out.shape):
        out[r, c, p, q] = of_window(x[r, c, p * stride : p * stride + size, q * stride : q * stride + size])
    return out


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("options", "shape"), CASES, ids=NAMES)
@pytest.mark.parametrize(("cls", "of_window"), [(MaxPool2d, np.max), (AvgPool2d, np.mean)], ids=["max", "mean"])
def test_values_and_gradients(hold_gradients, cls, of_window, options, shape, seed):
    """out is that of the loops, dx the numerical one; no two pixels are closer than 0.1, so that no maximum changes."""
    x = 0.1 * np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape)
    layer = cls(**options)
    done = hold_gradients(layer, x, seed)
    by_loops = pool(x, layer.size, layer.stride or layer.size, of_window)
    np.testing.assert_allclose(done.out, by_loops, rtol=1e-14)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 2, 1, 1), (3, 1, 2, 6)])
def test_global_mean(hold_gradients, shape, seed):
    """The mean of each channel, and the numerical dx."""
    x = np.random.default_rng(seed).standard_normal(shape)
    done = hold_gradients(GlobalAvgPool2d(), x, seed)
    by_loops = [[sum(channel.flat) / channel.size for channel in image] for image in x]
    np.testing.assert_allclose(done.out, by_loops, rtol=1e-12, atol=1e-14)


def max_pool_dx(x, dout, **options):
    """dx of a max pooling layer."""
    layer, x = MaxPool2d(**options), np.array(x, float)[None, None]
    _, cache = layer.forward({}, x, Context())
    return layer.backward({}, {}, cache, np.array(dout, float)[None, None], Context())[0, 0]


@pytest.mark.parametrize(
    ("window", "dx"),
    [
        ([[7, 7], [7, 7]], [[1, 0], [0, 0]]),
        ([[0, 7], [7, 7]], [[0, 1], [0, 0]]),
        ([[0, 0], [7, 7]], [[0, 0], [1, 0]]),
        ([[0.0, -0.0], [-1, -1]], [[1, 0], [0, 0]]),
    ],
)
def test_of_equal_pixels_the_first_takes_the_gradient(window, dx):
    """Row by row, and it takes all of it."""
    np.testing.assert_array_equal(max_pool_dx(window, [[1]]), dx)


def test_ties_in_windows_that_overlap():
    """Each window decides for itself, and a pixel gets the sum of what its windows give it."""
    dx = max_pool_dx([[5, 5, 5], [0, 5, 0]], [[1, 10]], size=2, stride=1)
    np.testing.assert_array_equal(dx, [[1, 10, 0], [0, 0, 0]])
    dx = max_pool_dx([[0, 5, 0], [0, 5, 5]], [[1, 10]], size=2, stride=1)
    np.testing.assert_array_equal(dx, [[0, 11, 0], [0, 0, 0]])


@pytest.mark.parametrize("layer", [MaxPool2d(), AvgPool2d(), GlobalAvgPool2d()])
def test_no_dx_where_nobody_needs_it(layer):
    """As the first layers of a network they compute nothing backwards."""
    out, cache = layer.forward({}, np.ones((2, 1, 4, 4)), Context())
    assert layer.backward({}, {}, cache, out, Context(need_dx=False)) is None


def test_plan():
    """Left-over pixels are dropped; the dtype stays."""
    x = ArraySpec((3, 7, 10), "float32")
    assert MaxPool2d().plan(x).out == ArraySpec((3, 3, 5), "float32")
    assert AvgPool2d(size=3, stride=2).plan(x).out == ArraySpec((3, 3, 4), "float32")
    assert GlobalAvgPool2d().plan(x).out == ArraySpec((3,), "float32")


@pytest.mark.parametrize(
    ("layer", "name"),
    [(MaxPool2d(3), "max_pool2d"), (AvgPool2d(3), "avg_pool2d"), (GlobalAvgPool2d(), "global_avg_pool2d")],
)
def test_samples_that_are_no_images_are_refused(layer, name):
    """While planning, with what was given and what was expected."""
    with pytest.raises(ShapeError) as error:
        layer.plan(ArraySpec((28, 28), "float32"))
    assert str(error.value) == (
        f"{name} needs images (C, H, W), given samples of shape (28, 28); "
        "a data loader may have an option for that, such as flatten = false"
    )
    with pytest.raises(ShapeError) as error:
        layer.plan(ArraySpec((1, 28, 28), "int64"))
    assert str(error.value) == (
        f"{name} needs floating-point images, given (1, 28, 28) int64; set input_dtype to float32 or float64"
    )


@pytest.mark.parametrize(("layer", "name"), [(MaxPool2d(3), "max_pool2d"), (AvgPool2d(3), "avg_pool2d")])
def test_images_smaller_than_a_window_are_refused(layer, name):
    """Either way."""
    for shape in ((2, 5), (5, 2)):
        with pytest.raises(ShapeError) as error:
            layer.plan(ArraySpec((1, *shape)))
        assert str(error.value) == f"{name} has windows of 3x3, larger than the image of {shape[0]}x{shape[1]}"


@pytest.mark.parametrize("cls", [MaxPool2d, AvgPool2d])
def test_options_out_of_range_are_refused(cls):
    """When the layer is made."""
    with pytest.raises(ValueError, match="'size' must be >= 1: 0"):
        cls(size=0)
    with pytest.raises(ValueError, match="'stride' must be >= 1: 0"):
        cls(stride=0)


@pytest.mark.parametrize(("name", "cls"), [("max_pool2d", MaxPool2d), ("avg_pool2d", AvgPool2d)])
def test_conforms(name, cls):
    """Whatever the contract asks for: memory, dtypes, batches of one, pickling, config."""
    examples = [cls(), cls(3, stride=1), cls(2, stride=3)]
    check(name, examples=examples, inputs=[ArraySpec((2, 5, 6)), ArraySpec((1, 4, 3))])


def test_the_global_mean_conforms():
    """Likewise."""
    check("global_avg_pool2d", inputs=[ArraySpec((2, 5, 6)), ArraySpec((3, 1, 1))])
