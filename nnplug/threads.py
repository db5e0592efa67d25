"""How many threads the matrix library takes for the products of a training step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from threading import Lock
from typing import Any, ClassVar

from nnplug.specs import Plan

PER_THREAD = 3_500_000  # multiply-adds of the largest product that keep one more thread busy; docs/explanation/speed.md


def threads_for(plan: Plan, batch_size: int) -> int:
    """The number of threads that the largest product of a step is worth.

    A layer with a parameter that is a matrix makes, for each of its outputs, ``fan_in`` multiplications a row. Waking a
    thread and fetching what it wrote take longer than a small product does, and the more threads the longer.
    """
    return max(1, ceil(batch_size * _largest(plan) / PER_THREAD))


def _largest(plan: Plan) -> int:
    own = [spec.fan_in * plan.out.size for spec in plan.params.values() if len(spec.shape) > 1]
    return max([*own, *(_largest(child) for _, child in plan.children.values())], default=0)


class BlasThreads:
    """Bounds the threads of the matrix library for a while.

    Args:
        most: not more than so many; where fewer are set already, by the user or around a search, they stay.
    """

    _lock: ClassVar[Lock] = Lock()
    _entered: ClassVar[list[int]] = []  # the bounds in force, in this process
    _before: ClassVar[list[tuple[Any, int]]] = []  # the pools, and how many threads each had when there were none

    def __init__(self, most: int) -> None:
        from threadpoolctl import ThreadpoolController

        self._most = most
        self._pools: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Bound them, and put them back to what they were; where several train at once, when the last has ended."""
        with self._lock:
            if not self._entered:
                self._before[:] = [(pool, pool.num_threads) for pool in self._pools]
            self._entered.append(self._most)
            self._apply()
        try:
            yield
        finally:
            with self._lock:
                self._entered.remove(self._most)
                self._apply()

    def _apply(self) -> None:
        for pool, threads in self._before:
            wanted = min(threads, *self._entered) if self._entered else threads
            if pool.num_threads != wanted:
                pool.set_num_threads(wanted)
