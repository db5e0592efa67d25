"""The command as a whole: overview, exit codes, errors, streams."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from nnplug.cli.main import COMMANDS

BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals, devices or terminals")


def test_help_names_every_command(process):
    """The overview says what each command does, on stdout."""
    done = process("--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: nnplug ")
    for name, text in COMMANDS.items():
        assert f"  {name}" in done.out
        assert text in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_overview_agrees_with_the_commands_own_help(name):
    """The overview, which imports no command, says what the command's own help begins with."""
    help_text = import_module(f"nnplug.cli.{name.replace('-', '_')}").command.help
    assert help_text.partition("\n")[0] == COMMANDS[name]


def test_overview_imports_no_numpy():
    """Help comes without the weight of NumPy or any command."""
    code = (
        "import sys; from nnplug.cli.main import main; assert main(['--help']) == 0; "
        "heavy = {'numpy', 'tqdm', 'safetensors', 'nnplug.job', 'nnplug.cli.train'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_version(cli):
    """The version is the installed distribution's."""
    assert cli("--version").out == f"nnplug {version('nnplug')}\n"


def test_without_a_command_the_overview_goes_to_stderr(cli):
    """Nothing asked for is wrong usage; the help that explains it is no result."""
    done = cli()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: nnplug ")
    assert "nnplug: error: name a command\n" in done.err


def test_unknown_command_is_suggested(cli):
    """A typo is answered by the command that was meant."""
    done = cli("trian")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "nnplug: error: there is no command 'trian'; did you mean 'train'? "
        f"The commands are: {', '.join(COMMANDS)}\n"
        "See `nnplug --help`.\n"
    )


@pytest.mark.parametrize(
    "args", [("--nope",), ("train", "--nope"), ("evaluate",), ("predict", "m"), ("show", "a", "b", "c")]
)
def test_wrong_usage_exits_with_2(cli, args):
    """What click refuses is one error and a pointer to the help."""
    done = cli(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("nnplug: error: ")
    assert done.err.endswith("--help`.\n")


def test_control_characters_of_arguments_are_not_printed(cli):
    """What is typed or pasted comes back as an escape."""
    for args in (["\x1b]0;owned\x07"], ["show", "\x1b[31m"], ["train", "\x9b31m"], ["train", "x", "--set", "\u202ea"]):
        done = cli(*args)
        assert done.code == 2
        assert done.err.replace("\n", "").isprintable()


def test_bug_in_a_layer_ends_with_its_name(process, site, layer_code, config):
    """The traceback of somebody's bug ends with whose it is."""
    site.add("clumsy", "2.1", oops=layer_code("oops", forward="return x[99, 99, 99], None"))
    done = process("train", config, "--quiet", "--set", "model.layers[1]=oops", path=site.path)
    assert (done.code, done.out) == (1, "")
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1] == (
        "nnplug: error: IndexError: too many indices for array: array is 2-dimensional, but 3 were indexed. "
        "This is a bug in the layer 'oops1' of clumsy 2.1 (module clumsy_oops)"
    )


def test_bug_in_a_layer_that_calls_itself_otherwise(process, site, layer_code, config):
    """``self`` is a habit; the one that runs is told, and not the chain around it."""
    code = layer_code("oops", forward="return x[99, 99, 99], None").replace("(self", "(this")
    site.add("clumsy", "2.1", oops=code)
    done = process("train", config, "--quiet", "--set", "model.layers[1]=oops", path=site.path)
    assert "This is a bug in the layer 'oops1' of clumsy 2.1 (module clumsy_oops)" in done.err


COMPOSITE = """
from attrs import frozen
from nnplug import Layer, Plan, hookimpl

@frozen
class Around(Layer):
    layer: Layer | str

    def plan(self, x):
        plan = self.layer.plan(x)
        return Plan(out=plan.out, children={"inner": (self.layer, plan)})

    def forward(self, params, x, ctx):
        return self.layer.forward(params["inner"], x, ctx.child("inner"))

    def backward(self, params, grads, cache, dout, ctx):
        return self.layer.backward(params["inner"], grads["inner"], cache, dout, ctx.child("inner"))

@hookimpl
def nnplug_layers():
    return {"around": Around}
"""


def test_bug_that_a_chain_finds_is_not_the_chains(process, site, layer_code, config):
    """A layer in a chain in somebody's composite returns no cache: the chain cannot unpack what it returns."""
    site.add("composite", around=COMPOSITE)
    site.add("clumsy", "2.1", oops=layer_code("oops", forward="return x"))
    layer = 'model.layers[1]={type="around", layer={type="chain", layers=["oops"]}}'
    done = process("train", config, "--quiet", "--set", layer, path=site.path)
    assert "ValueError: too many values to unpack (expected 2)" in done.err
    assert done.err.splitlines()[-1].endswith("This is a bug in the layer 'oops1' of clumsy 2.1 (module clumsy_oops)")


def test_what_a_plugin_prints_does_not_reach_stdout(process, site, layer_code):
    """A plugin that prints when it is imported cannot spoil the JSON."""
    site.add("chatty", loud=layer_code("loud", before="print('hello')\n"))
    done = process("show", "layer", "loud", "--json", path=site.path)
    assert done.out.startswith('{"kind": "layer", "name": "loud"')
    assert done.err == "hello\n"


@UNIX
def test_reader_who_leaves_early_is_no_error():
    """`nnplug plugins | head -1` is quiet."""
    with subprocess.Popen(
        [sys.executable, "-m", "nnplug", "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=BUFFERED
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@UNIX
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_error():
    """Output that cannot be written is a failure, told once."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "nnplug", "plugins"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=BUFFERED)
    assert (done.returncode, done.stderr) == (1, "nnplug: error: the standard output: No space left on device\n")


def test_terminal_that_cannot_show_a_character(process, site, layer_code):
    """An old code page gets an escape instead of a UnicodeEncodeError."""
    site.add("math", theta=layer_code("theta", doc="Rotates by θ."))
    done = process("show", "layer", "theta", path=site.path, PYTHONIOENCODING="latin-1")
    assert done.code == 0
    assert "  Rotates by \\u03b8.\n" in done.out


@UNIX
def test_closed_streams_are_no_error():
    """Who closes stdout and stderr wants to hear nothing."""
    done = subprocess.run(["sh", "-c", '"$0" -m nnplug show layers >&- 2>&-', sys.executable])
    assert done.returncode == 0
