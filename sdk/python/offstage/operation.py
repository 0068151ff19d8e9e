"""Values derived from the operation, so that the offline and the playback run agree. None of them
reads the machine: a plug-in that uses only these is deterministic."""

from __future__ import annotations

import datetime
import uuid

from . import host


def now() -> datetime.datetime:
    """When the operation was made, in UTC: the same in both runs."""
    return host.current().now()


def server_now() -> datetime.datetime:
    """The clock of the machine that runs now. It differs between the runs; for deadlines only."""
    return host.current().server_now()


def new_guid() -> uuid.UUID:
    """A new id; the n-th call of a run returns the same in both runs."""
    return host.current().new_guid()


def keyed_guid(key: str) -> uuid.UUID:
    """An id that depends on the root operation, the step and ``key`` only: the choice for rows made
    in a loop whose order may differ between the runs."""
    return host.current().keyed_guid(key)


def random_bits() -> int:
    """64 random bits; the n-th call of a run returns the same in both runs."""
    return host.current().random()


def trace(text: str) -> None:
    """Writes one line into the trace; rows of the trace survive a rollback."""
    host.current().trace(text)
