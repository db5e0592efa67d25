"""The command ``nnplug``: its overview, and the way from an exception to an exit code."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module  # noqa: TID251  (of commands listed below)
from pathlib import Path

import click

from nnplug.cli.failures import report
from nnplug.cli.output import complain, say
from nnplug.naming import suggest

COMMANDS = {
    "train": "Train a network as a config file or a preset says.",
    "evaluate": "Compute loss and metrics of a trained model.",
    "predict": "Predict with a trained model.",
    "show": "Show what there is to build with: layers, losses, presets.",
    "plugins": "List the installed plugins and what became of them.",
    "schema": "Print a JSON Schema of the config.",
    "check": "Hold a component or a distribution against its contract.",
    "new-plugin": "Write a distribution to start a plugin of your own from.",
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for, so that the others cost nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"nnplug.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with; suggest one if there is none."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = suggest(args[0], COMMANDS) or "."
            ctx.fail(f"there is no command {args[0]!r}{hint} The commands are: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"nnplug {version('nnplug')}")
    except PackageNotFoundError:
        raise click.ClickException("nnplug is not installed; run `pip install -e .` in its folder") from None
    ctx.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Neural networks in NumPy, assembled by name from plugins.

    \b
    Where to begin:
      nnplug train digits                     train a preset; it takes seconds
      nnplug show                             what there is to build with
      nnplug show layer affine                what a layer does, and its options
      nnplug show preset digits > my.toml     a config of one's own, to be edited
      nnplug train my.toml --set train.epochs=20
      nnplug evaluate runs/my-1/model.safetensors --data digits
      nnplug predict runs/my-1/model.safetensors images.npy

    Results go to stdout, everything else to stderr. `nnplug COMMAND --help` tells the rest.

    \b
    Exit codes:
      0  done                        3    training diverged
      1  failed                      130  interrupted by Ctrl-C
      2  wrong usage or config       143  interrupted by SIGTERM (129: SIGHUP)
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    if ctx.invoked_subcommand is None:
        say(ctx.get_help(), err=True)
        raise click.UsageError("name a command", ctx)


def _prepare_streams() -> None:
    """Neither a closed stream nor a terminal's encoding shall make a command fail."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (as long as we run)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _prepare_streams()
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        try:
            code: int | None = cli.main(args, prog_name="nnplug", standalone_mode=False)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            return report(error)
    return code or 0


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    """Tell a warning as the other messages are told: users of a command have no use for a line of source."""
    with suppress(OSError):  # stderr may be what is broken: no reason for a training to end
        complain(str(message), "warning")
