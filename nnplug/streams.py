"""Random numbers: one seed, and a stream of its own for every purpose and path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.random import Generator


class Streams:
    """Named random generators that all follow from one seed.

    A stream depends on the seed and its own name alone, so a layer more or less leaves every other stream as it was.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._generators: dict[str, Generator] = {}

    def fresh(self, purpose: str, path: str = "") -> Generator:
        """A new generator at the start of the stream ``purpose:path``."""
        from numpy.random import PCG64, Generator, SeedSequence  # as long to import as all of nnplug's contracts

        name = f"{purpose}:{path}".encode()
        return Generator(PCG64(SeedSequence(self.seed, spawn_key=tuple(name))))

    def get(self, purpose: str, path: str = "") -> Generator:
        """The stream's own generator, which goes on where it stood."""
        name = f"{purpose}:{path}"
        if name not in self._generators:
            self._generators[name] = self.fresh(purpose, path)
        return self._generators[name]

    def state(self) -> dict[str, Any]:
        """Where every stream in use stands."""
        return {name: generator.bit_generator.state for name, generator in self._generators.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put every stream back to where it stood when ``state`` was taken; those unused then start anew."""
        self._generators.clear()
        for name, position in state.items():
            purpose, _, path = name.partition(":")
            self.get(purpose, path).bit_generator.state = position

    def copy(self) -> Streams:
        """Streams that stand where these stand, and go on by themselves."""
        streams = Streams(self.seed)
        streams.restore(self.state())
        return streams
