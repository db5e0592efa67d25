"""The exceptions: one small tree, so that ``except nnplug.NnplugError`` catches everything we raise on purpose.

Each message says where, what was given, what was expected and what to do.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

TOLD = 100  # problems of one config; nobody reads on


class NnplugError(Exception):
    """Base of every error that nnplug raises on purpose."""


class RegistryError(NnplugError):
    """A name that no installed plugin provides, that two of them claim, or a registration that is refused."""


class PluginError(RegistryError):
    """A plugin that cannot be imported, breaks a contract or returns something else than it declared."""


class ShapeError(NnplugError):
    """Shapes that do not fit together; found while planning, before any memory is allocated.

    A layer raises it with a message; the composites around it add where the layer stands.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message, path)
        self.message = message
        self.path = path

    def within(self, path: str) -> ShapeError:
        """The same error, seen from outside: ``path`` is where the layer that raised it stands."""
        return ShapeError(self.message, f"{path}.{self.path}" if self.path else path)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DataError(NnplugError):
    """Data that cannot be trained on: missing files, NaN, wrong targets, an empty split."""


class ModelFileError(NnplugError):
    """A file that is no model of ours, or whose contents contradict each other."""


class CheckpointError(NnplugError):
    """A checkpoint that is broken, or that another run has written."""


class DivergedError(NnplugError):
    """Training produced a loss or a gradient that is not finite.

    Attributes:
        step: the number of the step, counted from 1.
        where: the path of the parameter or layer that is no number any more; "" where it is the loss itself.
        rows: the rows of the batch, counted from 0 in the data's train split; None where that is a stream.
        arrays: the batch, the parameters, their gradients and the state as they were before the update would have
            been made: ``batch/x``, ``params/affine1.W``, ``grads/affine1.W`` and so on. Where it was found after an
            update, parameters and state as they are then.
    """

    def __init__(self, message: str, step: int = 0, where: str = "", rows: Any = None, arrays: Any = None) -> None:
        super().__init__(message)
        self.step, self.where, self.rows = step, where, rows
        self.arrays: dict[str, Any] = dict(arrays or {})


@frozen
class Problem:
    """One thing that is wrong in a config: the dotted path to it, and a sentence."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(NnplugError):
    """A config that was refused; ``problems`` lists every reason at once."""

    def __init__(self, problems: list[Problem], source: str = "") -> None:
        super().__init__(problems, source)
        self.problems = problems
        self.source = source

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        lines = [f"{where}{problem}" for problem in self.problems[:TOLD]]
        if self.problems[TOLD:]:
            lines.append(f"{where}and more")
        return "\n".join(lines)
