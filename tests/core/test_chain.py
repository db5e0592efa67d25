"""The chain: forwards in order, backwards by the chain rule, and no further down than needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

import nnplug
from nnplug import ArraySpec, Context, Layer, ParamSpec, Plan, PluginError, Registry, ShapeError, StateSpec
from nnplug.chain import Chain
from nnplug.gradcheck import norm_error, numerical_gradient
from nnplug_builtins.affine import Affine
from nnplug_builtins.dropout import Dropout
from nnplug_builtins.flatten import Flatten
from nnplug_builtins.leaky_relu import LeakyRelu
from nnplug_builtins.relu import Relu
from nnplug_builtins.sigmoid import Sigmoid
from nnplug_builtins.tanh import Tanh

SAMPLE = (2, 3)
ROWS = 4


def arrays(plan: Plan, make: Any) -> dict[str, Any]:
    """An array for every parameter of a plan, nested as its layers are."""
    own = {name: make(spec.shape) for name, spec in plan.params.items()}
    return {**own, **{name: arrays(child, make) for name, (_, child) in plan.children.items()}}


def leaves(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The arrays of a nested dict by path."""
    found = {}
    for name, value in tree.items():
        found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def set_up(chain: Chain, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """Parameters, gradients full of NaN, a batch and the gradient of some loss."""
    rng = np.random.default_rng(seed)
    plan = chain.plan(ArraySpec(SAMPLE))
    params = arrays(plan, lambda shape: rng.normal(size=shape))
    grads = arrays(plan, lambda shape: np.full(shape, np.nan))
    return params, grads, rng.normal(size=(ROWS, *SAMPLE)), rng.normal(size=(ROWS, *plan.out.shape))


# Gradients

NETWORKS = {
    "sandwich": Chain((Affine(5), Tanh())),
    "nested": Chain((Chain((Affine(5), Sigmoid())), Chain((Affine(4), Tanh())), Affine(3))),
    "deep": Chain((Chain((Chain((Chain((Affine(4), Tanh())), Affine(3))), Sigmoid())), Affine(2))),
    "empty inside": Chain((Chain(()), Affine(3), Chain(()), Tanh(), Chain(()))),
    "no parameters": Chain((Flatten(), Chain((Tanh(), Sigmoid())))),
    "kinks": Chain((Affine(6), Relu(), Affine(5), LeakyRelu(0.1), Affine(3))),
    "random": Chain((Affine(6), Dropout(0.5), Chain((Affine(4), Dropout(0.5))))),
    "empty": Chain(()),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_the_numerical_ones(network, seed):
    """dx and every parameter's gradient, whatever the nesting."""
    chain = NETWORKS[network]
    params, grads, x, dout = set_up(chain, seed)

    def objective() -> float:
        out, _ = chain.forward(params, x, Context(training=True, seed=seed))
        return float(np.sum(out * dout))

    ctx = Context(training=True, seed=seed)
    _, cache = chain.forward(params, x, ctx)
    dx = chain.backward(params, grads, cache, dout, ctx)
    assert norm_error(dx, numerical_gradient(objective, x)) < 1e-6
    for path, gradient in leaves(grads).items():
        assert norm_error(gradient, numerical_gradient(objective, leaves(params)[path])) < 1e-6, path


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_the_same_where_dx_is_not_needed(network):
    """What is left out is not part of them."""
    chain = NETWORKS[network]
    params, grads, x, dout = set_up(chain)
    _, without, _, _ = set_up(chain)
    _, cache = chain.forward(params, x, Context())
    chain.backward(params, grads, cache, dout, Context())
    chain.backward(params, without, cache, dout, Context(need_dx=False))
    np.testing.assert_equal(leaves(without), leaves(grads))
    assert all(np.isfinite(gradient).all() for gradient in leaves(without).values())


def test_a_chain_is_its_layers_one_after_the_other():
    """Nested or flat, with the same parameters, scores and gradients are equal to the last bit."""
    flat = Chain((Affine(5), Tanh(), Affine(4), Sigmoid()))
    nested = Chain((Affine(5), Chain((Tanh(), Chain((Affine(4), Sigmoid()))))))
    params, grads, x, dout = set_up(flat)
    other = {
        "affine1": params["affine1"],
        "chain1": {"tanh1": {}, "chain1": {"affine1": params["affine2"], "sigmoid1": {}}},
    }
    other_grads = arrays(nested.plan(ArraySpec(SAMPLE)), np.empty)
    out, cache = flat.forward(params, x, Context())
    other_out, other_cache = nested.forward(other, x, Context())
    np.testing.assert_array_equal(out, other_out)
    dx = flat.backward(params, grads, cache, dout, Context())
    np.testing.assert_array_equal(dx, nested.backward(other, other_grads, other_cache, dout, Context()))
    np.testing.assert_array_equal(grads["affine2"]["W"], other_grads["chain1"]["chain1"]["affine1"]["W"])


# How far down


@frozen
class Recorder(Layer):
    """Out is x; writes down each call of backward, with what was asked for, and returns dx only if it was.

    Args:
        label: what it writes.
        log: where it writes.
        learns: whether it has a parameter.
        keeps: whether it has state.
    """

    label: str
    log: list[Any] = field(eq=False, repr=False)
    learns: bool = True
    keeps: bool = False

    def plan(self, x: ArraySpec) -> Plan:
        """A parameter and a state, if it has them."""
        params = {"w": ParamSpec(1)} if self.learns else {}
        return Plan(out=x, params=params, state={"s": StateSpec(1)} if self.keeps else {})

    def forward(self, params: Any, x: Any, ctx: Context) -> tuple[Any, str]:
        """Return x."""
        self.log.append((self.label, ctx.path, ctx.training))
        return x, self.label

    def backward(self, params: Any, grads: Any, cache: str, dout: Any, ctx: Context) -> Any:
        """Return dout, if it is needed."""
        assert cache == self.label, "every layer gets its own cache back"
        assert dout is not None, "nobody is asked for a gradient who was not given one"
        self.log.append((self.label, ctx.path, ctx.need_dx))
        if self.learns:
            grads["w"][...] = 1
        return dout if ctx.need_dx else None


def learner(label, log, **options):
    """A layer with a parameter."""
    return Recorder(label, log, **options)


def passer(label, log, **options):
    """A layer without one."""
    return Recorder(label, log, learns=False, **options)


# The layers from bottom to top, then who is asked in backward, and whether for dx, where nobody needs the chain's own.
FROZEN = {"trainable": False}
CASES = {
    "the first layer that trains is asked for no dx": (
        lambda log: [learner("a", log), passer("b", log), learner("c", log)],
        [("c", True), ("b", True), ("a", False)],
    ),
    "layers without parameters below it are not asked": (
        lambda log: [passer("a", log), passer("b", log), learner("c", log), passer("d", log)],
        [("d", True), ("c", False)],
    ),
    "nor are frozen ones": (
        lambda log: [learner("a", log, **FROZEN), passer("b", log), learner("c", log)],
        [("c", False)],
    ),
    "a frozen layer above is asked, for those below": (
        lambda log: [learner("a", log), learner("b", log, **FROZEN), learner("c", log)],
        [("c", True), ("b", True), ("a", False)],
    ),
    "where all is frozen, nobody is asked": (
        lambda log: [learner("a", log, **FROZEN), passer("b", log), learner("c", log, **FROZEN)],
        [],
    ),
    "where nothing has parameters, nobody is asked": (lambda log: [passer("a", log), passer("b", log)], []),
    "state is no parameter": (
        lambda log: [Recorder("a", log, learns=False, keeps=True), learner("b", log)],
        [("b", False)],
    ),
    "inside the chain that trains first it goes on": (
        lambda log: [
            passer("a", log),
            Chain([passer("b", log), learner("c", log), passer("d", log)]),
            learner("e", log),
        ],
        [("e", True), ("d", True), ("c", False)],
    ),
    "a chain above it is needed whole": (
        lambda log: [learner("a", log), Chain([passer("b", log), learner("c", log)])],
        [("c", True), ("b", True), ("a", False)],
    ),
    "a frozen chain below is left out": (
        lambda log: [Chain([learner("a", log), learner("b", log)], **FROZEN), learner("c", log)],
        [("c", False)],
    ),
    "a frozen chain above is needed whole": (
        lambda log: [learner("a", log), Chain([learner("b", log), passer("c", log)], **FROZEN), learner("d", log)],
        [("d", True), ("c", True), ("b", True), ("a", False)],
    ),
    "a chain of frozen layers is left out": (
        lambda log: [Chain([learner("a", log, **FROZEN), passer("b", log)]), learner("c", log)],
        [("c", False)],
    ),
    "a chain in a frozen chain does not train": (
        lambda log: [Chain([Chain([learner("a", log)])], **FROZEN), passer("b", log), learner("c", log)],
        [("c", False)],
    ),
    "a chain whose lower part is frozen": (
        lambda log: [
            Chain([learner("a", log, **FROZEN), Chain([passer("b", log), learner("c", log)])]),
            passer("d", log),
        ],
        [("d", True), ("c", False)],
    ),
    "an empty chain below": (lambda log: [Chain([]), learner("a", log)], [("a", False)]),
    "an empty chain above": (lambda log: [learner("a", log), Chain([])], [("a", False)]),
}


@pytest.mark.parametrize("case", CASES)
def test_backward_goes_no_further_down_than_needed(case):
    """Below the first layer that trains nobody is asked, and it itself for no dx: its largest product is saved."""
    make, expected = CASES[case]
    log: list[Any] = []
    chain = Chain(make(log))
    params, grads, x, dout = set_up(chain)
    _, cache = chain.forward(params, x, Context())
    log.clear()
    assert chain.backward(params, grads, cache, dout, Context(need_dx=False)) is None
    assert [(label, need_dx) for label, _, need_dx in log] == expected


@pytest.mark.parametrize("case", CASES)
def test_backward_goes_all_the_way_where_dx_is_needed(case):
    """Frozen or not: somebody below the chain waits for it."""
    log: list[Any] = []
    chain = Chain(CASES[case][0](log))
    params, grads, x, dout = set_up(chain)
    _, cache = chain.forward(params, x, Context())
    order = [label for label, _, _ in log]
    log.clear()
    assert chain.backward(params, grads, cache, dout, Context()) is dout
    assert [(label, need_dx) for label, _, need_dx in log] == [(label, True) for label in reversed(order)]


def test_an_empty_chain_that_nobody_needs():
    """There is nothing to do, and nothing is raised."""
    chain = Chain(())
    out, cache = chain.forward({}, np.ones((2, 3)), Context())
    assert out.shape == (2, 3)
    chain.backward({}, {}, cache, np.ones((2, 3)), Context(need_dx=False))


def test_children_have_contexts_of_their_own():
    """Paths, and with them random streams, follow the names; training goes down to every layer."""
    log: list[Any] = []
    chain = Chain([Recorder("a", log, name="first"), Chain([Recorder("b", log), Recorder("c", log)])])
    params, grads, x, dout = set_up(chain)
    _, cache = chain.forward(params, x, Context(training=True))
    assert log == [("a", "first", True), ("b", "chain1.recorder1", True), ("c", "chain1.recorder2", True)]
    log.clear()
    chain.backward(params, grads, cache, dout, Context(training=True))
    assert [path for _, path, _ in log] == ["chain1.recorder2", "chain1.recorder1", "first"]


def test_a_model_asks_for_no_dx_of_its_input():
    """The whole network is run as a chain whose own dx nobody needs."""
    registry = Registry()
    registry.register(Recorder)
    log: list[Any] = []
    layers = [passer("a", log), learner("b", log), {"type": "affine", "units": 2}, passer("c", log)]
    model = nnplug.build(layers, input_shape=3, registry=registry, dtype="float64")
    log.clear()
    _, gradients = model.gradients(np.zeros((4, 3)), np.array([0, 1, 0, 1]))
    assert [label for label, _, _ in log[:3]] == ["a", "b", "c"], "forwards"
    assert [(label, need_dx) for label, _, need_dx in log[3:]] == [("c", True), ("b", False)]
    assert gradients["recorder2.w"].tolist() == [1]


# Planning


def test_plans_follow_each_other():
    """Each layer is planned on what the one before puts out; names are types and counts."""
    plan = Chain((Affine(5), Relu(), Chain((Affine(4), Relu())), Affine(3, name="scores"))).plan(
        ArraySpec((2, 3), "float32")
    )
    assert plan.out == ArraySpec(3, "float32")
    assert plan.params == {}
    assert list(plan.children) == ["affine1", "relu1", "chain1", "scores"]
    assert plan.children["affine1"][1].params["W"].shape == (6, 5)
    assert plan.children["chain1"][1].children["affine1"][1].params["W"].shape == (5, 4)
    assert plan.children["scores"][0] == Affine(3, name="scores")


@frozen
class Square(Layer):
    """Takes squares only."""

    def plan(self, x: ArraySpec) -> Plan:
        """Refuse all else."""
        if len(x.shape) != 2 or x.shape[0] != x.shape[1]:
            raise ShapeError(f"square takes (n, n), given {x.shape}")
        return Plan(out=x)

    def forward(self, params: Any, x: Any, ctx: Context) -> tuple[Any, None]:
        """Return x."""
        return x, None

    def backward(self, params: Any, grads: Any, cache: None, dout: Any, ctx: Context) -> Any:
        """Return dout."""
        return dout


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ([Square()], "layers[0]"),
        ([Affine(4), Square()], "layers[1]"),
        ([Relu(), Chain((Square(),))], "layers[1].layers[0]"),
        ([Chain((Relu(), Chain((Relu(), Relu(), Square()))))], "layers[0].layers[1].layers[2]"),
    ],
)
def test_a_shape_error_says_where(layers, path):
    """The path is the config's, through every chain; the model's own is put in front."""
    with pytest.raises(ShapeError) as caught:
        Chain(layers).plan(ArraySpec(SAMPLE))
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: square takes (n, n), given (")
    with pytest.raises(ShapeError, match=r"^model\.layers\["):
        nnplug.build(layers, input_shape=SAMPLE)


def test_names_left_in_a_chain():
    """They are resolved when a model is built; planning the chain by hand says so."""
    with pytest.raises(ShapeError, match=r"'relu' is still a name; build the model with nnplug\.build"):
        Chain((Affine(3), "relu")).plan(ArraySpec(3))


# Names


def test_children_have_the_names_of_paths():
    """By type and count, or their own."""
    chain = Chain([Affine(3), Relu(), LeakyRelu(), Affine(3, name="last"), Affine(2)])
    assert [name for name, _ in chain.children] == ["affine1", "relu1", "leaky_relu1", "last", "affine3"]
    assert [layer for _, layer in chain.children] == list(chain.layers)


@pytest.mark.parametrize(
    "layers",
    [(Affine(3, name="a"), Relu(name="a")), (Affine(3, name="affine2"), Affine(3)), (Affine(3), Relu(name="affine1"))],
)
def test_two_children_of_one_name_are_refused(layers):
    """By hand as in a config: they would share their parameters in silence."""
    with pytest.raises(ValueError, match=r"two layers are called '(a|affine1|affine2)'; names must differ"):
        Chain(layers)


def test_equal_names_in_different_chains_are_fine():
    """A path holds the chain's name too."""
    model = nnplug.build([Chain((Affine(3, name="a"),)), Chain((Affine(3, name="a"),))], input_shape=2)
    assert sorted(model.params) == ["chain1.a.W", "chain1.a.b", "chain2.a.W", "chain2.a.b"]


def test_chains_are_values():
    """Equal layers make equal chains, from a list or a tuple."""
    assert Chain([Affine(3), Relu()]) == Chain((Affine(3), Relu()))
    assert Chain([Affine(3)]) != Chain([Affine(4)])
    assert repr(Chain([Relu()])).count("Relu") == 1


def test_the_chain_is_a_plugin_like_any_other():
    """It comes by an entry point, and has a name and options."""
    registry = Registry()
    assert registry.get("layer", "chain") is Chain
    assert registry.describe(registry.create("layer", {"type": "chain", "layers": ["relu"]})) == {
        "type": "chain",
        "trainable": True,
        "layers": [{"type": "relu", "name": "relu1", "trainable": True}],
    }


# Layers that break their contract


@frozen
class Unplanned(Layer):
    """Plans what it is told to, which is no plan."""

    planned: Any = None

    def plan(self, x):
        """Hand out what was given."""
        return self.planned

    def forward(self, params, x, ctx):
        """Nobody comes here."""

    def backward(self, params, grads, cache, dout, ctx):
        """Nobody comes here."""


@pytest.mark.parametrize(
    ("planned", "shown"),
    [
        (ArraySpec(4, "float32"), "ArraySpec(shape=(4,), dtype=dtype('float32'))"),
        (None, "None"),
        (Plan(out=(4,)), "Plan(out=(4,))"),  # type: ignore[arg-type]
        (Plan(out=None), "Plan(out=None, params={}, state={}, children={})"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_plan_is_refused_where_it_was_made(planned, shown):
    """And not where the next layer, or the loss, can do nothing with it."""
    told = (
        f"the layer unplanned1 planned {shown}, expected Plan(out=ArraySpec(...)): a fault of Unplanned "
        f"(module {__name__})"
    )
    with pytest.raises(PluginError) as caught:
        nnplug.build([Relu(), Chain((Unplanned(planned),))], input_shape=4)
    assert str(caught.value) == told
