"""Makes the standard library's time and random numbers those of the operation.

A component has no clock and no source of randomness; without this, reading the time would end the
run, and ``random`` would go on from where the build left it. Only called inside a component: in
tests the standard library stays as it is."""

from __future__ import annotations

import os
import random
import time
import uuid

from . import host


class _OperationRandom(random.Random):
    """The generator behind ``random``: the numbers of the operation, the same in both runs."""

    def seed(self, *_arguments: object, **_named: object) -> None:
        """The operation is the seed."""

    def random(self) -> float:
        return (host.current().random() >> 11) / (1 << 53)

    def getrandbits(self, k: int) -> int:
        bits = 0
        for shift in range(0, k, 64):
            bits |= host.current().random() << shift
        return bits & ((1 << k) - 1)


def _urandom(size: int) -> bytes:
    words = (host.current().random().to_bytes(8, "little") for _ in range(0, size, 8))
    return b"".join(words)[:size]


def _milliseconds() -> int:
    return round(host.current().now().timestamp() * 1000)


def install() -> None:
    """Replaces what reads a clock or a source of randomness."""
    generator = _OperationRandom()
    for name in dir(generator):
        method = getattr(generator, name)
        if not name.startswith("_") and callable(method) and hasattr(random, name):
            setattr(random, name, method)
    os.urandom = random._urandom = _urandom
    uuid.uuid4 = lambda: uuid.UUID(bytes=_urandom(16), version=4)
    time.time = lambda: _milliseconds() / 1000
    time.time_ns = lambda: _milliseconds() * 1_000_000
    # A run stands still in time.
    time.monotonic = time.perf_counter = time.time
    time.monotonic_ns = time.perf_counter_ns = time.time_ns
