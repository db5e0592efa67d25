"""Threads of the matrix library: how many a step is worth, and that the bound is taken back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import nnplug
from nnplug import Callback, Run
from nnplug.threads import PER_THREAD, BlasThreads, threads_for


def threads() -> list[int]:
    """The threads of every matrix library that is loaded."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def affine(units: int) -> dict[str, Any]:
    """A table for an affine layer."""
    return {"type": "affine", "units": units}


@pytest.mark.parametrize(
    ("units", "batch_size", "expected"),
    [
        ([10], 1, 1),
        ([50, 10], 100, 2),
        ([1024, 1024, 10], 256, 77),
        ([1], PER_THREAD // 784, 1),
        ([1], PER_THREAD // 784 + 1, 2),
    ],
)
def test_the_largest_product_counts(units: list[int], batch_size: int, expected: int) -> None:
    """Multiply-adds of the largest product of a step over PER_THREAD, rounded up; nested layers count too."""
    flat: list[Any] = [affine(n) for n in units]
    nested = [{"type": "chain", "layers": flat}, "relu"]
    for layers in (flat, nested):
        model = nnplug.build({"layers": layers, "loss": "mse"}, input_shape=784)
        assert threads_for(model.network.plan, batch_size) == expected


def test_a_network_without_products_gets_one() -> None:
    """Nothing to share."""
    assert threads_for(nnplug.build({"layers": ["relu"], "loss": "mse"}, input_shape=3).network.plan, 10**9) == 1


@pytest.mark.skipif(not threads() or min(threads()) < 2, reason="the matrix library has one thread here")
def test_the_bound_is_taken_back() -> None:
    """Also after an error; a lower number that somebody set stays."""
    before, inside = threads(), []
    with suppress(KeyError), BlasThreads(1).bounded():
        inside = threads()
        raise KeyError
    assert set(inside) == {1}
    assert threads() == before
    with threadpool_limits(1, user_api="blas"), BlasThreads(2).bounded():
        assert set(threads()) == {1}


@pytest.mark.skipif(not threads() or min(threads()) < 2, reason="the matrix library has one thread here")
def test_training_bounds_them_and_evaluation_does_not() -> None:
    """A small network's steps run on one thread; what comes between epochs has all of them."""
    seen: dict[str, set[int]] = {"step": set(), "epoch": set()}

    class Watch(Callback):
        def step(self, run: Run) -> None:
            seen["step"].update(threads())

        def epoch(self, run: Run) -> None:
            seen["epoch"].update(threads())

    before = threads()
    x, y = np.random.default_rng(0).random((64, 4)), np.arange(64) % 2
    model = nnplug.build([affine(2)], input_shape=4, seed=0)
    nnplug.Solver(model, (x, y), epochs=1, batch_size=16, callbacks=[Watch()]).fit()
    assert seen == {"step": {1}, "epoch": set(before)}
    assert threads() == before


def test_two_that_train_at_once_leave_what_was_there() -> None:
    """The lower bound holds for as long as either trains, whoever ends first."""
    before = threads()
    with threadpool_limits(4, user_api="blas"):
        given = threads()
        one, other = BlasThreads(2).bounded(), BlasThreads(1).bounded()
        one.__enter__()
        other.__enter__()
        assert set(threads()) == {1}
        one.__exit__(None, None, None)
        assert set(threads()) == {1}
        other.__exit__(None, None, None)
        assert threads() == given
    assert threads() == before
