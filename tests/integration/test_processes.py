"""Components in processes of their own, as parallel searches use them."""

from __future__ import annotations

import subprocess
import sys

import pytest

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
SCRIPT = '''
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from attrs import frozen
import nnplug

@frozen
class Twice(nnplug.Layer):
    """Everything times two."""

    def plan(self, x):
        return nnplug.Plan(out=x)

    def forward(self, params, x, ctx):
        return 2 * x, None

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * dout

def train(layers):
    import nnplug
    data = nnplug.load_data("digits")
    model = nnplug.build(layers, input_shape=64)
    return nnplug.Solver(model, data, epochs=1).fit().losses[0]

if __name__ == "__main__":
    nnplug.default_registry().register(Twice)
    model = nnplug.build(["twice", {"type": "affine", "units": 10}], input_shape=64)
    here = train(model.config.layers)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(train, model.config.layers).result() == here
'''


def run(folder, source, *words):
    """Run a program, which holds its own assertions: it ends well and complains of nothing."""
    script = folder / "search.py"
    script.write_text(source, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_spawned_workers_take_components_of_a_notebook(tmp_path):
    """A worker that never saw a registration in process is given components, which need none."""
    run(tmp_path, SCRIPT)


PARALLEL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import nnplug

LAYERS = [{"type": "affine", "units": 512}, "relu", {"type": "affine", "units": 2}]
SEEN = []

class Watch(nnplug.Callback):
    def step(self, run):
        SEEN.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

def train(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.random((512, 64)), rng.integers(0, 2, 512)
    model = nnplug.build(LAYERS, input_shape=64, seed=seed)
    history = nnplug.Solver(model, (x, y), epochs=1, batch_size=256, callbacks=[Watch()]).fit()
    return list(history.losses), max(SEEN)

if __name__ == "__main__":
    with threadpool_limits(1):
        here = [train(seed)[0] for seed in range(4)]  # the library's threads have run when processes are forked
    with ProcessPoolExecutor(
        2, mp_context=get_context(sys.argv[1]), initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        found = list(pool.map(train, range(4)))
    assert [losses for losses, _ in found] == here, found
    assert [threads for _, threads in found] == [1] * 4, found
"""


@pytest.mark.parametrize("start", ["spawn", pytest.param("fork", marks=UNIX)])
def test_parallel_runs_keep_to_one_thread_each(start, tmp_path):
    """However processes begin: they give what one gives, and a bound on the matrix library's threads stays."""
    run(tmp_path, PARALLEL, start)


WORKER = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

import nnplug

if __name__ == "__main__":
    x = np.random.default_rng(0).random((40, 6))
    layers = [{"type": "affine", "units": 9}, "relu", {"type": "affine", "units": 3}]
    registry = nnplug.Registry(disable=["nnplug:sigmoid"])
    model = nnplug.build({"layers": layers, "loss": "softmax"}, input_shape=6, registry=registry)
    with ProcessPoolExecutor(1, mp_context=get_context(sys.argv[1])) as pool:
        assert (pool.submit(model.scores, x).result() == model.scores(x)).all()
        there = pool.submit(getattr, model, "registry").result()
    assert there.names("layer") == registry.names("layer") != nnplug.default_registry().names("layer")
"""


@pytest.mark.parametrize("start", ["spawn", pytest.param("fork", marks=UNIX)])
def test_a_model_is_handed_to_another_process(start, tmp_path):
    """A worker computes the same scores, and knows the names that the model knows."""
    run(tmp_path, WORKER, start)
