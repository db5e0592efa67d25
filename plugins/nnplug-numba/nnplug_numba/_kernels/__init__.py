"""Everything that is compiled; importing it imports numba, which takes half a second."""

from nnplug_numba._kernels.activations import (
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from nnplug_numba._kernels.affine import add_bias
from nnplug_numba._kernels.rules import adam_step, momentum_step, nesterov_step, root_step, sgd_step
from nnplug_numba._kernels.softmax import softmax_by_index, softmax_by_probability

__all__ = [
    "adam_step",
    "add_bias",
    "momentum_step",
    "nesterov_step",
    "relu_backward",
    "relu_forward",
    "root_step",
    "sgd_step",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_by_index",
    "softmax_by_probability",
    "tanh_backward",
    "tanh_forward",
]
