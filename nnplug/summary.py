"""The summary of a model: a table to print."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import frozen

from nnplug.contracts import Layer
from nnplug.specs import Plan

if TYPE_CHECKING:
    from nnplug.model import Model


@frozen
class SummaryRow:
    """One layer: its path and type, what it puts out for one sample, how many numbers it learns or holds."""

    path: str
    type: str
    out: tuple[int, ...]
    params: int
    bytes: int
    trainable: bool


@frozen
class Summary:
    """What `Model.summary` returns; ``print`` shows it as a table.

    Args:
        rows: a row a layer, composites before their children.
        params: the number of parameters.
        trained: how many of them learn.
        bytes: the memory of parameters and state.
        header: a line about the model.
    """

    rows: tuple[SummaryRow, ...]
    params: int
    trained: int
    bytes: int
    header: str

    def __str__(self) -> str:
        cells = [("layer", "type", "output", "parameters", "bytes")]
        for row in self.rows:
            count = f"{row.params:,}" + ("" if row.trainable else " (frozen)")
            cells.append((row.path, row.type, str(row.out), count, f"{row.bytes:,}"))
        widths = [max(len(line[i]) for line in cells) for i in range(5)]
        lines = [
            "  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in cells
        ]
        rule = "-" * len(lines[0])
        total = f"{self.params:,} parameters, {self.trained:,} of them trained, {self.bytes:,} bytes"
        return "\n".join(
            [self.header, rule, lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule, total]
        )

    def __repr__(self) -> str:
        return str(self)


def summarise(model: Model) -> Summary:
    """Describe every layer of a model."""
    rows = tuple(_rows(model, model.layer, model.plan, ""))
    layout = model.buffers.layout
    size = model.buffers.vector.nbytes + sum(array.nbytes for array in model.state.values())
    loss = model.registry.name_of(model.loss_function, default=type(model.loss_function).__name__)
    header = f"input {model.input_spec}, loss {loss}, dtype {model.dtype}"
    return Summary(rows, layout.size, layout.trained, size, header)


def _rows(model: Model, layer: Layer, plan: Plan, path: str, trainable: bool = True) -> Iterator[SummaryRow]:
    trainable = trainable and layer.trainable
    if path:
        prefix = f"{path}."
        own = [model.params[prefix + name] for name in plan.params]
        kept = own + [model.state[prefix + name] for name in plan.state]
        kind = model.registry.name_of(layer, default=type(layer).__name__)
        size = sum(array.nbytes for array in kept)
        yield SummaryRow(path, kind, plan.out.shape, sum(array.size for array in own), size, trainable)
    for name, (child, child_plan) in plan.children.items():
        yield from _rows(model, child, child_plan, f"{path}.{name}" if path else name, trainable)
