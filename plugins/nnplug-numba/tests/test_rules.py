"""Update rules move parameters as the built-ins do."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import Step

RULES = [
    "sgd",
    "momentum",
    {"type": "momentum", "momentum": 0.5, "nesterov": True},
    "adagrad",
    {"type": "adagrad", "eps": 0.1},
    "rmsprop",
    {"type": "rmsprop", "rho": 0.5, "eps": 0.1},
    "adam",
    {"type": "adam", "beta1": 0.5, "beta2": 0.9, "eps": 0.1},
    {"type": "adam", "beta1": 0.0},
    "adamw",
    {"type": "adamw", "weight_decay": 0.5, "beta1": 0.8, "beta2": 0.9, "eps": 0.1},
]


def moved(rule, w, gradients, *, decay):
    """The parameters and slots after a few steps."""
    w, slots = w.copy(), {name: np.zeros_like(w) for name in rule.slots}
    for t, dw in enumerate(gradients, 1):
        rule.apply(w, dw.copy(), slots, Step(t, 0.01 / t, decay, np.empty))
    return {"w": w, **slots}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decay", [True, False])
@pytest.mark.parametrize("spec", RULES, ids=str)
def test_as_the_built_in(preferred, without, rounding, dtype, spec, decay, seed):
    """Parameters and every slot, over steps whose learning rate changes; large and small gradients, and none."""
    rng = np.random.default_rng(seed)
    size = (1, 7, 64, 1000, 1003)[seed]
    w = rng.standard_normal(size).astype(dtype)
    gradients = (rng.standard_normal((40, size)) * 10.0 ** rng.integers(-4, 3, size)).astype(dtype)
    gradients[:, ::5] = 0
    found = [
        moved(registry.create("update_rule", spec), w, gradients, decay=decay) for registry in (preferred, without)
    ]
    assert type(found[0]["w"]) is np.ndarray
    for name, right in found[1].items():
        np.testing.assert_allclose(found[0][name], right, **rounding, err_msg=name)


@pytest.mark.parametrize(
    "spec", ["momentum", {"type": "momentum", "nesterov": True}, "rmsprop", "adam", "adamw"], ids=str
)
def test_slots_never_are_subnormal(preferred, dtype, spec):
    """Gradients that stay zero take them to zero, and never to the slow numbers in between."""
    rule = preferred.create("update_rule", spec)
    first = 10.0 ** np.arange(-18, 0, 2)
    w, slots = np.zeros(9, dtype), {name: np.zeros(9, dtype) for name in rule.slots}
    rule.apply(w, first.astype(dtype), slots, Step(1, 0.01, False, np.empty))
    if dtype == "float64":
        for slot in slots.values():
            slot *= 1e-290
    for t in range(2, 2000):
        rule.apply(w, np.zeros(9, dtype), slots, Step(t, 0.01, False, np.empty))
        for name, slot in slots.items():
            assert not np.any((slot != 0) & (np.abs(slot) < np.finfo(dtype).tiny)), (name, t)
    assert not slots[rule.slots[0]][:1].any()


def test_nan_is_not_hidden(preferred, dtype):
    """A gradient that is not a number makes parameters and slots so, for the guard to find."""
    for name in ("momentum", "rmsprop", "adagrad", "adam", "adamw"):
        rule = preferred.create("update_rule", name)
        found = moved(rule, np.ones(3, dtype), [np.array([0, np.nan, 1], dtype)], decay=True)
        for array in found.values():
            assert np.isnan(array).tolist() == [False, True, False], name
