"""The host that a plug-in talks to: the contract's imports in a component, a fake one in tests.

Never holds anything else: whoever runs a plug-in installs its host first."""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Any, Optional, Protocol

if TYPE_CHECKING:
    from .context import ExecutionContext


class Host(Protocol):
    """The functions of the contract, with the SDK's types."""

    def execute(self, message: str, parameters: dict[str, Any]) -> dict[str, Any]: ...
    def parent_context(self, level: int) -> Optional["ExecutionContext"]: ...
    def is_offline_playback(self) -> bool: ...
    def now(self) -> datetime.datetime: ...
    def server_now(self) -> datetime.datetime: ...
    def new_guid(self) -> uuid.UUID: ...
    def random(self) -> int: ...
    def keyed_guid(self, key: str) -> uuid.UUID: ...
    def trace(self, text: str) -> None: ...


_current: Optional[Host] = None


def install(host: Optional[Host]) -> Optional[Host]:
    """Makes ``host`` the one that plug-ins talk to; returns the one before."""
    global _current
    before, _current = _current, host
    return before


def current() -> Host:
    """The host of this run."""
    if _current is None:
        raise RuntimeError("no plug-in runs here; tests run one with offstage.testkit")
    return _current
