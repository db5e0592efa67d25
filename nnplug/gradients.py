"""A network's gradients, outside any training: by backpropagation and by central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
from attrs import evolve

from nnplug.context import Context
from nnplug.gradcheck import numerical_gradient
from nnplug.network import Network
from nnplug.specs import Array

Whole: TypeAlias = tuple[Array, Array, Array | None]  # x, targets and weights
Make: TypeAlias = Callable[[Network, bool], Context]  # a context for a network, in which dx is needed or not


def analytic(network: Network, batch: Whole, make: Make) -> tuple[float, dict[str, Array]]:
    """The objective, and the gradient of every parameter by path, as a training step computes them."""
    network = evolve(network, buffers=network.buffers.twin())
    layout = network.buffers.layout
    frozen = layout.trained < layout.size  # below the lowest layer that trains a step computes no gradient
    loss, _ = network.backpropagate(*batch, make(network, frozen))
    return loss, network.buffers.named(network.buffers.gradient)


def of_input(network: Network, batch: Whole, make: Make) -> Array:
    """The gradient of the objective with respect to x as the network sees it."""
    network = evolve(network, buffers=network.buffers.twin())
    _, dx = network.backpropagate(*batch, make(network, True))
    return np.array(dx)


def numerical(network: Network, batch: Whole, make: Make, names: Iterable[str], h: float) -> dict[str, Array]:
    """The gradients of some parameters by central differences, in float64."""
    buffers = network.buffers.twin("float64")
    network = evolve(network, buffers=buffers)
    views, kept = buffers.named(buffers.vector), {path: array.copy() for path, array in buffers.state.items()}

    def objective() -> float:
        for path, array in kept.items():
            buffers.state[path][...] = array
        return network.objective(*batch, make(network, False))

    return {name: numerical_gradient(objective, views[name], h) for name in names}
