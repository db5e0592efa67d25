"""Specs: what a sample looks like, what a layer needs."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Dataset, ParamSpec, Plan, ShapeError, StateSpec


@pytest.mark.parametrize(
    ("shape", "expected", "size"),
    [
        (784, (784,), 784),
        (np.int64(784), (784,), 784),
        ((3, 32, 32), (3, 32, 32), 3072),
        ([3, np.int32(2)], (3, 2), 6),
        ((), (), 1),
        (np.zeros((5, 4)).shape, (5, 4), 20),
        ((0, 3), (0, 3), 0),
        (np.array([2, 3]), (2, 3), 6),
    ],
)
@pytest.mark.parametrize("spec", [ArraySpec, ParamSpec, StateSpec])
def test_shapes_are_tuples_of_integers(spec, shape, expected, size):
    """However a shape is written, it is kept as Python's own integers."""
    made = spec(shape)
    assert made.shape == expected
    assert [type(n) for n in made.shape] == [int] * len(expected)
    if spec is not StateSpec:
        assert made.size == size
        assert type(made.size) is int


@pytest.mark.parametrize("shape", [3.7, (3.0,), "784", ("3",), None, (2, None)], ids=repr)
@pytest.mark.parametrize("spec", [ArraySpec, ParamSpec, StateSpec])
def test_what_is_no_shape(spec, shape):
    """3.7 is no integer and a text is no shape: nothing is rounded or taken apart."""
    with pytest.raises(TypeError):
        spec(shape)


@pytest.mark.parametrize("shape", [-1, (3, -2)])
@pytest.mark.parametrize("spec", [ArraySpec, ParamSpec, StateSpec])
def test_negative_dimensions(spec, shape):
    """A kernel larger than its picture gives them; that is a matter of shapes, told where the layer stands."""
    with pytest.raises(ShapeError, match=r"^a shape cannot have negative dimensions, given \((-1,|3, -2)\)$"):
        spec(shape)


def test_dtypes_are_numpys():
    """However a dtype is written, it is kept as numpy.dtype; float64 unless said."""
    assert ArraySpec(3).dtype == np.dtype("float64")
    assert ArraySpec(3, "float32") == ArraySpec((3,), np.float32) == ArraySpec([3], np.dtype("f4"))
    with pytest.raises(TypeError):
        ArraySpec(3, "float31")


def test_with_shape_keeps_the_dtype():
    """Layers say what comes out by what came in."""
    assert ArraySpec((3, 4), "float32").with_shape(12) == ArraySpec((12,), "float32")
    assert ArraySpec((3, 4), "uint8").with_shape() == ArraySpec((), "uint8")
    assert str(ArraySpec((3, 4), "float32")) == "(3, 4) float32"


@pytest.mark.parametrize(
    ("spec", "fans"),
    [
        (ParamSpec((784, 50)), (784, 50)),
        (ParamSpec((50,)), (50, 50)),
        (ParamSpec(()), (1, 1)),
        (ParamSpec((8, 3, 5, 5), fan_in=75), (75, 5)),
        (ParamSpec((8, 3, 5, 5), fan_in=75, fan_out=200), (75, 200)),
    ],
)
def test_fans(spec, fans):
    """First and last dimension, unless the layer knows better."""
    assert (spec.fan_in, spec.fan_out) == fans


def test_a_parameter_starts_at_zero_and_decays():
    """Unless its layer says otherwise."""
    assert ParamSpec(3) == ParamSpec((3,), 0.0, decay=True)
    assert StateSpec(3) == StateSpec((3,), fill=0.0, dtype=None)


def test_what_only_names_make_clear_is_given_by_name():
    """Two numbers, or a number and names, in a row would be taken for each other."""
    with pytest.raises(TypeError):
        ParamSpec((3, 4), "he", True, 3, 4)
    with pytest.raises(TypeError):
        Dataset((), (), (), 10)


def test_plans_do_not_share_their_mappings():
    """An empty plan's dicts are its own."""
    one, other = Plan(ArraySpec(3)), Plan(ArraySpec(3))
    assert one == other
    assert one.params is not other.params
    assert one.children is not other.children


@pytest.mark.parametrize("value", [ArraySpec(3), ParamSpec(3), StateSpec(3), Plan(ArraySpec(3)), Dataset(train=())])
def test_specs_are_frozen(value):
    """What was planned stays as it was planned."""
    name = type(value).__attrs_attrs__[0].name
    with pytest.raises(AttributeError):
        setattr(value, name, None)


class Stream:
    """A Source that knows its rows and has a length."""

    rows = 7
    batches = None

    def __len__(self):
        """As a loader has one."""
        return self.rows

    def __repr__(self):
        return "Stream(7 rows)"


def test_a_data_set_shows_shapes_for_values():
    """A notebook shows what it holds in a line, whatever a split is made of; a Source and None show themselves."""
    x, y = np.zeros((200, 4)), np.zeros(200, "int64")
    data = Dataset(train=(x, y), validation=[x.tolist(), y.tolist(), None], test=Stream(), classes=3)
    assert repr(data) == (
        "Dataset(train=(float64 (200, 4), int64 (200,)), validation=(list of 200, list of 200, None), "
        "test=Stream(7 rows), classes=3, scale=None, class_names=None, feature_names=None)"
    )
    many = Dataset(train=(), class_names=tuple(map(str, range(1000))))
    assert repr(many) == (
        "Dataset(train=(), validation=None, test=None, classes=None, scale=None, "
        "class_names=('0', '1', '2', '3', '4', '5', ...), feature_names=None)"
    )
