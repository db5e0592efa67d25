"""``nnplug check``: the conformance kit from the command line."""

from __future__ import annotations

import click

from nnplug.cli.failures import FAILED
from nnplug.cli.output import printable_lines, results_only, say, say_json
from nnplug.cli.params import json_option
from nnplug.hookspecs import KINDS


@click.command()
@click.argument("target", metavar="NAME|DISTRIBUTION")
@click.option("--kind", type=click.Choice(list(KINDS)), help="The kind, where several have the name.")
@json_option
def command(target: str, kind: str | None, as_json: bool) -> int:
    """Hold a component or a distribution against its contract.

    The checks are those of `nnplug.testing`: gradients, shapes, memory, dtypes, chance, options and more. Each failure
    says what to write instead. The exit code is 1 if any check fails or too little ran.

    \b
    nnplug check softsign                 the component of that name
    nnplug check constant --kind schedule
    nnplug check nnplug-conv              all components of the distribution
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    from nnplug.testing import examine

    with results_only():
        report = examine(target, kind=kind)
    if as_json:
        say_json(report.as_dict())
    else:
        say(printable_lines(str(report)))
    return 0 if report.passed else FAILED
