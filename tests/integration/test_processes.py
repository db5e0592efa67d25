"""Components in processes of their own, as parallel searches use them."""

from __future__ import annotations

import subprocess
import sys

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


def test_spawned_workers_take_components_of_a_notebook(tmp_path):
    """A worker that never saw a registration in process is given components, which need none."""
    script = tmp_path / "search.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
