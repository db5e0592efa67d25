"""The builder: names, paths, initial values, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import ConfigError, Initializer, Registry
from nnplug.config import ModelConfig


def affine(units: int, **options: Any) -> dict[str, Any]:
    """A table for an affine layer."""
    return {"type": "affine", "units": units, **options}


def chain(*layers: Any, **options: Any) -> dict[str, Any]:
    """A table for a chain."""
    return {"type": "chain", "layers": list(layers), **options}


def test_paths_are_type_and_count_or_the_own_name() -> None:
    """Layers are counted by type, named ones too; composites nest with a dot."""
    model = nnplug.build(
        [affine(3), "relu", affine(4, name="hidden"), affine(5), chain(affine(2), chain(affine(2)), name="head")],
        input_shape=2,
    )
    weights = [path for path in model.params if path.endswith(".W")]
    assert weights == ["affine1.W", "hidden.W", "affine3.W", "head.affine1.W", "head.chain1.affine1.W"]
    assert list(model.activations(np.zeros((1, 2)))) == [
        *("affine1", "relu1", "hidden", "affine3"),
        *("head.affine1", "head.chain1.affine1", "head.chain1", "head"),
    ]


def test_names_tables_and_components_build_the_same() -> None:
    """A name, a table and a component are three ways to say one thing."""
    registry = Registry()
    component = registry.create("layer", affine(3))
    by_table = nnplug.build([affine(3), "relu"], input_shape=4)
    by_component = nnplug.build([component, registry.create("layer", "relu")], input_shape=4)
    by_config = nnplug.build(ModelConfig(layers=(component, "relu")), input_shape=4)
    for model in (by_component, by_config):
        assert list(model.params) == list(by_table.params)
        np.testing.assert_array_equal(model.network.buffers.vector, by_table.network.buffers.vector)
        assert model.config == by_table.config


def test_names_left_in_components_are_resolved() -> None:
    """A component made by hand may hold names and tables; building resolves them, however deep."""
    registry = Registry()
    affine_class, chain_class = registry.get("layer", "affine"), registry.get("layer", "chain")
    model = nnplug.build([chain_class(layers=(affine_class(3, weight_init="zeros"), "tanh"))], input_shape=4)
    assert not model.params["chain1.affine1.W"].any()


def test_the_input_shape_may_stand_in_the_config() -> None:
    """A shape in the config is used; one given to build wins; a number means one dimension."""
    config = {"layers": [affine(2)], "input_shape": [3, 2]}
    assert nnplug.build(config).input_spec.shape == (3, 2)
    assert nnplug.build(config, input_shape=7).input_spec.shape == (7,)
    assert nnplug.build(config, input_shape=np.int64(7)).input_spec.shape == (7,)
    assert nnplug.build(config, input_shape=np.zeros((5, 4, 3)).shape[1:]).input_spec.shape == (4, 3)


# Initial values


def vector(layers: list[Any], **options: Any) -> Any:
    """The parameters of a network by path."""
    return {p: a.copy() for p, a in nnplug.build(layers, **{"input_shape": 4, **options}).params.items()}


@pytest.mark.parametrize("seed", range(5))
def test_the_seed_decides_and_nothing_else(seed: int) -> None:
    """The same seed gives the same bytes whatever the global generator does; another seed gives others."""
    layers = [affine(8), "relu", affine(3)]
    first = vector(layers, seed=seed)
    np.random.seed(seed)  # noqa: NPY002  (nothing may depend on it)
    state = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    again, other = vector(layers, seed=seed), vector(layers, seed=seed + 1)
    for path, array in first.items():
        assert array.tobytes() == again[path].tobytes()
        assert path.endswith("b") or not np.array_equal(array, other[path])
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]  # noqa: NPY002


def test_another_layer_leaves_the_others_initial_values_alone() -> None:
    """Values follow from seed and path: layers before, after and between change nothing."""
    plain = vector([affine(4, name="a"), affine(4, name="b")])
    for layers in (
        [affine(4, name="new"), affine(4, name="a"), affine(4, name="b")],
        [affine(4, name="a"), "relu", {"type": "dropout"}, affine(4, name="b")],
        [affine(4, name="a"), affine(4, name="b"), affine(9, name="new")],
    ):
        found = vector(layers)
        for path, array in plain.items():
            np.testing.assert_array_equal(found[path], array)
    assert not np.array_equal(plain["a.W"], plain["b.W"])


def test_float32_starts_from_the_rounded_numbers_of_float64() -> None:
    """The dtype decides about rounding, not about which numbers are drawn."""
    single, double = vector([affine(3)], dtype="float32"), vector([affine(3)], dtype="float64")
    assert single["affine1.W"].dtype == np.float32
    np.testing.assert_array_equal(single["affine1.W"], double["affine1.W"].astype(np.float32))


def test_weights_are_drawn_as_wide_as_they_should_be() -> None:
    """He weights of a wide layer have variance 2 / fan_in and mean 0; biases are zero."""
    found = vector([affine(500)], input_shape=(20, 20))
    assert found["affine1.W"].shape == (400, 500)
    assert found["affine1.W"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.01)
    assert found["affine1.W"].mean() == pytest.approx(0, abs=5e-4)
    assert not found["affine1.b"].any()


def test_an_initializer_may_be_a_table_or_a_strangers_component() -> None:
    """Initializers are found by table, and one that nobody registered works as a component."""

    @frozen
    class Ramp(Initializer):
        """0, 1, 2, ..."""

        def __call__(self, rng: Any, spec: nnplug.ParamSpec, dtype: Any) -> nnplug.Array:
            return np.arange(spec.size, dtype=dtype).reshape(spec.shape)

    affine_class = Registry().get("layer", "affine")
    found = vector([affine(2, weight_init={"type": "constant", "value": 3.0}), affine_class(2, weight_init=Ramp())])
    assert (found["affine1.W"] == 3).all()
    np.testing.assert_array_equal(found["affine2.W"], [[0, 1], [2, 3]])


# What is refused


def problems(**options: Any) -> list[str]:
    """What build says about a wrong argument."""
    given: dict[str, Any] = {"config": [affine(3)], "input_shape": 4, **options}
    with pytest.raises(ConfigError) as caught:
        nnplug.build(given.pop("config"), **given)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": None}, "model: needs 'input_shape', the shape of one sample, such as [784]"),
        ({"input_shape": -4}, "model.input_shape: every dimension must be at least 1: [-4]"),
        ({"input_shape": [3, 0]}, "model.input_shape: every dimension must be at least 1: [3, 0]"),
        ({"input_shape": [2.0]}, "model.input_shape[0]: expected an integer, got 2.0"),
        ({"seed": -1}, "seed: must be >= 0: -1"),
        ({"seed": "a"}, "seed: expected an integer, got 'a'"),
        ({"seed": 1.5}, "seed: expected an integer, got 1.5"),
        ({"dtype": "float16"}, "dtype: expected one of 'float32', 'float64', got 'float16'"),
        ({"dtype": np.int32}, "dtype: expected one of 'float32', 'float64', got 'int32'"),
        ({"dtype": "double precision"}, "dtype: expected one of 'float32', 'float64', got 'double precision'"),
        ({"classes": 0}, "classes: must be >= 1: 0"),
        ({"class_names": "ab"}, "class_names: expected a list, each a text or nothing, got 'ab'"),
        ({"class_names": ["a", 2]}, "class_names[1]: expected a text, got 2"),
        (
            {"scale": (0.0, 0.0)},
            "scale: must be two finite numbers, offset and factor, and the factor not 0: (0.0, 0.0)",
        ),
        (
            {"scale": (0, np.nan)},
            "scale: must be two finite numbers, offset and factor, and the factor not 0: (0.0, nan)",
        ),
        ({"scale": 2.0}, "scale: expected a list of a number, a number or nothing, got 2.0"),
        ({"config": []}, "model.layers: Length of 'layers' must be >= 1: 0"),
        ({"config": "relu"}, "model.layers: expected a list, each the name or table of a layer, got 'relu'"),
        (
            {"config": [affine(3), {"type": "relu", "name": "affine1"}]},
            "model.layers: two layers are called 'affine1'; names must differ",
        ),
        (
            {"config": {"layers": ["flatten"], "input_dtype": "int64"}, "scale": (0, 0.5)},
            "model.input_dtype: int64 cannot hold x times 0.5; the data is scaled, leave one of the two out",
        ),
        (
            {"config": {"layers": ["relu"], "input_dtype": "complex64"}},
            "model.input_dtype: must be in ('float32', 'float64', 'int32', 'int64', 'uint8') (got 'complex64')",
        ),
    ],
)
def test_what_build_is_given_is_checked(options: dict[str, Any], message: str) -> None:
    """Every wrong argument is a ConfigError that says where, what was given and what was expected."""
    assert problems(**options) == [message]


def test_everything_wrong_with_the_layers_is_told_at_once() -> None:
    """Three mistakes, three lines, each with its path."""
    found = problems(config={"layers": [{"type": "affine", "untis": 3}, "rellu", chain(affine(0))], "los": "svm"})
    assert "model.los: [model] has no option 'los'; did you mean 'loss'?" in found
    assert "model.layers[0].untis: affine has no option 'untis'; did you mean 'units'?" in found
    assert any(line.startswith("model.layers[1]: no layer is called 'rellu'; did you mean 'relu'?") for line in found)
    assert "model.layers[2].layers[0].units: must be >= 1: 0" in found


def test_numpy_scalars_are_kept_as_plain_numbers() -> None:
    """Seeds, scales and numbers of classes of NumPy's types are taken, and can be written to a file."""
    model = nnplug.build(
        [affine(3)],
        input_shape=4,
        seed=np.int64(3),
        dtype=np.dtype("float64"),
        scale=(np.float32(2), np.float64(0.5)),
        classes=np.int32(3),
        class_names=list(np.array(["a", "b", "c"])),
    )
    assert (model.seed, model.scale, model.classes, model.class_names) == (3, (2.0, 0.5), 3, ("a", "b", "c"))
    model.save("model.safetensors")
    assert nnplug.load("model.safetensors").scale == (2.0, 0.5)
