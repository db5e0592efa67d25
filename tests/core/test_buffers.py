"""The arrays of a model: where each parameter stands, and what sees what."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Context,
    Layer,
    NnplugError,
    Params,
    ParamSpec,
    Plan,
    PluginError,
    ShapeError,
    StateSpec,
)
from nnplug.buffers import Buffers, lay_out, physical_memory


@frozen
class Planned(Layer):
    """A layer that needs whatever it is told to need, and computes nothing."""

    params: dict[str, ParamSpec] = field(factory=dict)
    state: dict[str, StateSpec] = field(factory=dict)
    children: dict[str, Layer] = field(factory=dict)

    def plan(self, x: ArraySpec) -> Plan:
        """Hand out what was given."""
        children = {name: (child, child.plan(x)) for name, child in self.children.items()}
        return Plan(out=x, params=self.params, state=self.state, children=children)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return x."""
        return x, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """Return dout."""
        return dout


def need(*shape: int, decay: bool = True) -> ParamSpec:
    """A parameter."""
    return ParamSpec(shape, decay=decay)


NESTED = Planned(
    params={"W": need(2, 3), "b": need(3, decay=False)},
    state={"mean": StateSpec(2, fill=5)},
    children={
        "in": Planned(params={"b": need(2, decay=False), "W": need(4), "t": need()}),
        "ice": Planned(
            params={"W": need(3, 1), "b": need(1, decay=False)},
            children={"core": Planned(params={"W": need(2)}, state={"n": StateSpec((), 1, "int64")})},
            trainable=False,
        ),
        "out": Planned(params={"W": need(5)}),
    },
)


def allocate(layer: Layer, dtype: str = "float64") -> Buffers:
    """The arrays of a layer, each parameter filled with its own place's number."""
    plan = layer.plan(ArraySpec(1, dtype))
    layout = lay_out(layer, plan)
    starts = {placed.path: placed.start for placed in layout.params}
    return Buffers.allocate(plan, layout, dtype, lambda path, spec: np.full(spec.shape, starts[path]))


def test_the_vector_is_decayed_then_other_then_frozen() -> None:
    """Weights that learn come first, biases next, everything of a frozen layer and its children last."""
    layout = allocate(NESTED).layout
    paths = [placed.path for placed in layout.params]
    assert paths == ["W", "in.W", "in.t", "out.W", "b", "in.b", "ice.W", "ice.b", "ice.core.W"]
    assert layout.decayed == 6 + 4 + 1 + 5
    assert layout.trained == layout.decayed + 3 + 2
    assert layout.size == layout.trained + 3 + 1 + 2
    assert list(layout.state) == ["mean", "ice.core.n"]


def test_places_cover_the_vector_without_gap_or_overlap() -> None:
    """Each parameter starts where the one before ends."""
    layout = allocate(NESTED).layout
    ends = [0, *(placed.stop for placed in layout.params)]
    assert [placed.start for placed in layout.params] == ends[:-1]
    assert ends[-1] == layout.size
    assert all(placed.stop - placed.start == placed.spec.size for placed in layout.params)


@pytest.mark.parametrize(
    ("layer", "ends"),
    [
        (Planned(), (0, 0, 0)),
        (Planned(params={"b": need(3, decay=False)}), (0, 3, 3)),
        (Planned(params={"W": need(3)}, trainable=False), (0, 0, 3)),
        (Planned(children={"a": Planned(params={"W": need(2)}, trainable=False)}), (0, 0, 2)),
        (Planned(params={"W": need(0, 3)}), (0, 0, 0)),
        (Planned(params={"W": need(3)}), (3, 3, 3)),
    ],
    ids=["nothing", "only biases", "frozen", "frozen child", "empty", "only weights"],
)
def test_groups_may_be_empty(layer: Layer, ends: tuple[int, int, int]) -> None:
    """Where a group has no members its end is that of the one before."""
    layout = allocate(layer).layout
    assert (layout.decayed, layout.trained, layout.size) == ends


def test_layers_see_views_of_the_vectors() -> None:
    """Named arrays, nested as the layers are, are the vector's own memory; gradients stand in the same places."""
    buffers = allocate(NESTED)
    assert buffers.params["in"]["W"].shape == (4,)
    assert buffers.params["in"]["t"].shape == ()
    np.testing.assert_array_equal(buffers.params["ice"]["core"]["W"], buffers.vector[-2:])
    buffers.vector[:6] = range(6)
    np.testing.assert_array_equal(buffers.params["W"], [[0, 1, 2], [3, 4, 5]])
    buffers.grads["out"]["W"][...] = 9
    place = next(placed for placed in buffers.layout.params if placed.path == "out.W")
    np.testing.assert_array_equal(buffers.gradient[place.start : place.stop], [9] * 5)
    assert buffers.gradient.sum() == 45


def test_layers_get_parameters_state_and_children_but_gradients_of_parameters_only() -> None:
    """State stands beside the parameters, has no gradient, its own dtype and the value it asked for."""
    buffers = allocate(NESTED, "float32")
    assert set(buffers.params) == {"W", "b", "mean", "in", "ice", "out"}
    assert set(buffers.grads) == {"W", "b", "in", "ice", "out"}
    np.testing.assert_array_equal(buffers.params["mean"], np.full(2, 5, np.float32))
    assert buffers.params["mean"].dtype == np.float32
    assert buffers.params["ice"]["core"]["n"].dtype == np.int64
    assert int(buffers.params["ice"]["core"]["n"]) == 1
    assert buffers.params["mean"] is buffers.state["mean"]


def test_mappings_are_read_only() -> None:
    """A layer can write into its arrays, but cannot put others in their place."""
    buffers: Any = allocate(NESTED)
    for mapping in (buffers.params, buffers.params["in"], buffers.grads["in"], buffers.state):
        with pytest.raises(TypeError):
            mapping["W"] = np.zeros(4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_are_aligned_and_gradients_start_at_zero(dtype: str) -> None:
    """Both vectors begin on a 64-byte boundary, are contiguous and of the model's dtype."""
    buffers = allocate(NESTED, dtype)
    for vector in (buffers.vector, buffers.gradient):
        assert vector.ctypes.data % 64 == 0
        assert vector.flags.c_contiguous
        assert vector.dtype == dtype
    assert not buffers.gradient.any()


def test_a_twin_shares_parameters_and_nothing_else() -> None:
    """A twin's gradients and state are its own; in another dtype its parameters are, too."""
    buffers = allocate(NESTED)
    twin, other = buffers.twin(), buffers.twin("float32")
    twin.params["W"][...] = -1
    assert (buffers.params["W"] == -1).all()
    assert (other.params["W"] != -1).all()
    twin.grads["W"][...] = 3
    twin.state["mean"][...] = 3
    assert not buffers.gradient.any()
    assert (buffers.state["mean"] == 5).all()
    assert {a.dtype for a in (other.vector, other.gradient, other.state["mean"])} == {np.dtype("float32")}
    assert other.state["ice.core.n"].dtype == np.int64


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Planned(params={"W": need(1)}, state={"W": StateSpec(1)}), "the model plans 'W' twice"),
        (Planned(params={"a": need(1)}, children={"a": Planned()}), "the model plans 'a' twice"),
        (
            Planned(children={"in": Planned(state={"a": StateSpec(1)}, children={"a": Planned()})}),
            "in. plans 'a' twice",
        ),
        (Planned(params={"in.W": need(1)}, children={"in": Planned(params={"W": need(1)})}), "a dot in a name would"),
        (Planned(children={"a.b": Planned(params={"W": need(1)})}), "plans 'a.b'; a dot in a name would"),
    ],
)
def test_names_that_would_collide_are_refused(layer: Layer, message: str) -> None:
    """Two arrays must not have one path, or one would silently be lost."""
    with pytest.raises(ShapeError) as caught:
        allocate(layer)
    assert message in str(caught.value)


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", "U5", "object"])
def test_state_that_no_file_can_hold_is_refused(dtype: str) -> None:
    """Now, and not when the model is saved after hours of training."""
    layer = Planned(children={"in": Planned(state={"a": StateSpec(1, dtype=dtype)})})
    with pytest.raises(ShapeError) as caught:
        allocate(layer)
    assert str(caught.value) == f"in.a is planned with dtype {np.dtype(dtype)}, which no model file can hold"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Planned(params={"a": (3,)}), "in.a is planned as (3,), expected ParamSpec(shape)"),  # type: ignore[dict-item]
        (Planned(params={"a": StateSpec(3)}), "in.a is planned as StateSpec("),  # type: ignore[dict-item]
        (Planned(state={"m": (3,)}), "in.m is planned as (3,), expected StateSpec(shape)"),  # type: ignore[dict-item]
        (Planned(state={"m": 0.0}), "in.m is planned as 0.0, expected StateSpec(shape)"),  # type: ignore[dict-item]
    ],
)
def test_what_describes_no_array_is_refused(layer: Layer, message: str) -> None:
    """A shape alone does not say how a parameter starts."""
    with pytest.raises(PluginError) as caught:
        allocate(Planned(children={"in": layer}))
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f": a fault of Planned (module {__name__})")


def test_an_initializer_of_another_shape_is_refused() -> None:
    """What an initializer returns is not broadcast."""
    layer = Planned(params={"W": need(2, 3)})
    plan = layer.plan(ArraySpec(1))
    with pytest.raises(NnplugError, match=r"^the initializer of W returned shape \(3,\), expected \(2, 3\)$"):
        Buffers.allocate(plan, lay_out(layer, plan), "float32", lambda path, spec: np.zeros(3))


WIDE = {"type": "affine", "units": 10**6}


@pytest.mark.parametrize("units", [10**6, 10**13, 10**20, 10**40])
def test_too_many_parameters_end_in_one_sentence(units: int) -> None:
    """A network that no memory can hold is refused with its size."""
    with pytest.raises(NnplugError, match=r"^the model has [\d,]+ parameters, [\d.]+ GiB and as much again for") as e:
        nnplug.build([WIDE, {"type": "affine", "units": units}], input_shape=3)
    assert str(e.value).endswith("which this computer cannot allocate; make it smaller")


@pytest.mark.skipif(physical_memory() == float("inf"), reason="this system does not tell how much memory it has")
def test_what_the_system_would_promise_but_does_not_have_is_refused() -> None:
    """Parameters that fit into memory, but not together with their gradients, are refused before memory is used."""
    units = int(0.6 * physical_memory() / 4 / 10**5)
    with pytest.raises(NnplugError, match=r"GiB and as much again for gradients, which this computer cannot allocate;"):
        nnplug.build([{"type": "affine", "units": units, "weight_init": "zeros"}], input_shape=10**5)


def test_shape_errors_come_before_any_allocation() -> None:
    """A network of 10**12 parameters with a layer that does not fit fails without taking memory."""

    @frozen
    class Picky(Layer):
        """Wants images."""

        def plan(self, x: ArraySpec) -> Plan:
            raise ShapeError(f"picky needs images, given {x}")

        def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
            raise NotImplementedError

        def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
            raise NotImplementedError

    layers = [WIDE, WIDE, {"type": "chain", "layers": ["relu", Picky()]}]
    nnplug.build(["relu", {"type": "affine", "units": 2}], input_shape=2)  # imports done
    tracemalloc.start()
    try:
        with pytest.raises(
            ShapeError, match=r"^model.layers\[2\].layers\[1\]: picky needs images, given \(1000000,\) "
        ):
            nnplug.build(layers, input_shape=3)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
