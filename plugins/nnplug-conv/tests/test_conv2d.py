"""Convolution: values against plain loops, gradients against numerical ones, in one part and in several."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nnplug import ArraySpec, Context, ParamSpec, ShapeError
from nnplug.testing import check
from nnplug_conv import _columns
from nnplug_conv.conv2d import Conv2d

# (layer, shape of x): each is there for what its comment says
CASES = [
    (Conv2d(3), (2, 2, 5, 4)),  # nothing but the defaults, and no square
    (Conv2d(2, size=2, stride=2), (2, 1, 5, 6)),  # windows side by side, a row of pixels left over
    (Conv2d(2, size=3, padding=1), (2, 2, 4, 3)),  # the size stays
    (Conv2d(2, size=3, stride=2, padding=1), (2, 2, 5, 4)),
    (Conv2d(2, size=2, stride=3), (2, 2, 5, 8)),  # pixels that stand in no window
    (Conv2d(3, size=1), (2, 2, 3, 4)),  # a product for each pixel
    (Conv2d(2, size=3), (2, 2, 3, 3)),  # one window
    (Conv2d(2, size=2, padding=3), (1, 1, 2, 3)),  # a batch of one; windows that lie in the padding
]
NAMES = [f"{layer.size}x{layer.size} stride {layer.stride} padding {layer.padding}" for layer, _ in CASES]


@pytest.fixture(params=[_columns.CHUNK, 1], ids=["in one part", "an image at a time"])
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch as a whole, and cut into parts of one image."""
    monkeypatch.setattr(_columns, "CHUNK", request.param)


def convolve(x, W, b, stride, padding):
    """The definition, a number at a time; a pixel beside the image is 0."""
    n, channels, height, width = x.shape
    filters, _, size, _ = W.shape
    down, across = (height + 2 * padding - size) // stride + 1, (width + 2 * padding - size) // stride + 1
    out = np.empty((n, filters, down, across))
    for r, m, p, q in np.ndindex(out.shape):
        total = b[m]
        for c, i, j in np.ndindex(channels, size, size):
            row, column = p * stride + i - padding, q * stride + j - padding
            if 0 <= row < height and 0 <= column < width:
                total += W[m, c, i, j] * x[r, c, row, column]
        out[r, m, p, q] = total
    return out


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("layer", "shape"), CASES, ids=NAMES)
@pytest.mark.usefixtures("_parts")
def test_values_and_gradients(hold_gradients, layer, shape, seed):
    """out is that of the loops; dx, dW and db are the numerical ones."""
    x = np.random.default_rng(seed).standard_normal(shape)
    done = hold_gradients(layer, x, seed)
    by_loops = convolve(x, done.params["W"], done.params["b"], layer.stride, layer.padding)
    np.testing.assert_allclose(done.out, by_loops, rtol=1e-12, atol=1e-12)


def test_by_hand():
    """One filter on one image, worked out on paper: it is not turned over, as mathematicians do."""
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    params = {"W": np.array([[[[1.0, 10.0], [100.0, 1000.0]]]]), "b": np.array([0.5])}
    grads = {"W": np.empty((1, 1, 2, 2)), "b": np.empty(1)}
    layer = Conv2d(1, size=2)
    out, cache = layer.forward(params, x, Context())
    dx = layer.backward(params, grads, cache, np.array([[[[1.0, 2.0]]]]), Context())
    np.testing.assert_array_equal(out, [[[[5421.5, 6532.5]]]])
    np.testing.assert_array_equal(dx, [[[[1, 12, 20], [100, 1200, 2000]]]])
    np.testing.assert_array_equal(grads["W"], [[[[5, 8], [14, 17]]]])
    np.testing.assert_array_equal(grads["b"], [3])


def test_a_large_batch_is_the_same_as_its_images():
    """A batch too large for one part, whose last part is smaller, gives what each image gives alone."""
    layer, rng = Conv2d(4, size=5, padding=2), np.random.default_rng(0)
    x = rng.standard_normal((30, 8, 14, 14))
    params = {"W": rng.standard_normal((4, 8, 5, 5)), "b": rng.standard_normal(4)}
    grads, sums = ({"W": np.zeros((4, 8, 5, 5)), "b": np.zeros(4)} for _ in range(2))
    assert x[0].size * 25 * x.itemsize * len(x) > 2 * _columns.CHUNK
    out, cache = layer.forward(params, x, Context())
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(params, grads, cache, dout, Context())
    for i in range(len(x)):
        alone = {"W": np.empty((4, 8, 5, 5)), "b": np.empty(4)}
        out_alone, cache = layer.forward(params, x[i : i + 1], Context())
        np.testing.assert_allclose(out[i], out_alone[0], rtol=1e-10, atol=1e-10)
        dx_alone = layer.backward(params, alone, cache, dout[i : i + 1], Context())
        np.testing.assert_allclose(dx[i], dx_alone[0], rtol=1e-10, atol=1e-10)
        for name, grad in alone.items():
            sums[name] += grad
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, sums[name], rtol=1e-10, atol=1e-9)


def test_memory_for_columns_does_not_grow_with_the_batch():
    """They are 25 times as large as the images; a part of them at a time is in memory."""
    params, x = {"W": np.ones((1, 8, 5, 5)), "b": np.zeros(1)}, np.zeros((100, 8, 14, 14))
    tracemalloc.start()
    try:
        out, _ = Conv2d(1, size=5, padding=2).forward(params, x, Context())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.nbytes + _columns.CHUNK / 2 < peak < 2 * _columns.CHUNK < 25 * x.nbytes / 3


def test_no_images():
    """No rows in, no rows out."""
    params = {"W": np.ones((3, 2, 3, 3)), "b": np.ones(3)}
    out, _ = Conv2d(3).forward(params, np.empty((0, 2, 5, 6)), Context())
    assert out.shape == (0, 3, 3, 4)


def test_no_dx_where_nobody_needs_it():
    """The first layer of a network skips dx and still assigns its gradients."""
    params, grads = {"W": np.ones((1, 1, 2, 2)), "b": np.zeros(1)}, {"W": np.empty((1, 1, 2, 2)), "b": np.empty(1)}
    ctx = Context(need_dx=False)
    _, cache = Conv2d(1, size=2).forward(params, np.ones((3, 1, 2, 2)), ctx)
    assert Conv2d(1, size=2).backward(params, grads, cache, np.ones((3, 1, 1, 1)), ctx) is None
    np.testing.assert_array_equal(grads["W"], np.full((1, 1, 2, 2), 3))
    np.testing.assert_array_equal(grads["b"], [3])


def test_plan():
    """W (M, C, K, K) decays and says how many numbers meet in one; b does not decay."""
    plan = Conv2d(8, size=5, stride=2, padding=1, weight_init="xavier").plan(ArraySpec((3, 28, 21), "float32"))
    assert plan.out == ArraySpec((8, 13, 10), "float32")
    assert plan.params == {
        "W": ParamSpec((8, 3, 5, 5), "xavier", fan_in=75, fan_out=200),
        "b": ParamSpec((8,), 0.0, decay=False),
    }


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            ArraySpec((784,), "float32"),
            (
                "conv2d needs images (C, H, W), given samples of shape (784,); "
                "a data loader may have an option for that, such as flatten = false"
            ),
        ),
        (
            ArraySpec((3, 8, 8), "uint8"),
            "conv2d needs floating-point images, given (3, 8, 8) uint8; set input_dtype to float32 or float64",
        ),
        (ArraySpec((1, 2, 8)), "conv2d has windows of 5x5, larger than the image of 4x10, padding included"),
    ],
)
def test_samples_that_do_not_fit_are_refused(x, message):
    """While planning, with what was given and what was expected."""
    with pytest.raises(ShapeError) as error:
        Conv2d(4, size=5, padding=1).plan(x)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "'filters' must be >= 1: 0"),
        ({"filters": 1, "size": 0}, "'size' must be >= 1: 0"),
        ({"filters": 1, "stride": 0}, "'stride' must be >= 1: 0"),
        ({"filters": 1, "padding": -1}, "'padding' must be >= 0: -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    """When the layer is made."""
    with pytest.raises(ValueError, match=message):
        Conv2d(**options)


def test_conforms():
    """Whatever the contract asks for: memory, dtypes, batches of one, pickling, config."""
    check("conv2d", examples=[layer for layer, _ in CASES[:6]], inputs=[ArraySpec((2, 5, 6)), ArraySpec((1, 4, 3))])


def test_padding_is_no_wider_than_the_image():
    """Else filters would see nothing but zeros, and a small file could ask for any amount of memory."""
    Conv2d(1, size=3, padding=8).plan(ArraySpec((1, 8, 7), "float32"))
    with pytest.raises(ShapeError, match="conv2d needs a padding no wider than the image or"):
        Conv2d(1, size=3, padding=9).plan(ArraySpec((1, 8, 7), "float32"))
