"""The summary of a model: a table to print."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from nnplug.contracts import Layer
from nnplug.network import Network
from nnplug.registry import Registry
from nnplug.specs import ArraySpec, Plan


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


def summarise(network: Network, input_spec: ArraySpec, registry: Registry) -> Summary:
    """Describe every layer of a network."""
    rows = tuple(_rows(network, registry, network.layer, network.plan, ""))
    buffers = network.buffers
    size = buffers.vector.nbytes + sum(array.nbytes for array in buffers.state.values())
    loss = registry.name_of(network.loss, default=type(network.loss).__name__)
    header = f"input {input_spec}, loss {loss}, dtype {buffers.vector.dtype}"
    return Summary(rows, buffers.layout.size, buffers.layout.trained, size, header)


def _rows(
    network: Network, registry: Registry, layer: Layer, plan: Plan, path: str, trainable: bool = True
) -> Iterator[SummaryRow]:
    trainable = trainable and layer.trainable
    if path:
        itemsize = network.buffers.vector.itemsize
        size = sum(spec.size for spec in plan.params.values())
        kept = sum(network.buffers.state[f"{path}.{name}"].nbytes for name in plan.state)
        kind = registry.name_of(layer, default=type(layer).__name__)
        yield SummaryRow(path, kind, plan.out.shape, size, size * itemsize + kept, trainable)
    for name, (child, child_plan) in plan.children.items():
        child_path = f"{path}.{name}" if path else name
        yield from _rows(network, registry, child, child_plan, child_path, trainable)
