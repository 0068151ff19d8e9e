"""The WebAssembly side: the contract's imports as a host, and its export.

Generated types end here; nothing of them reaches a plug-in author. Never imported outside a
component, where ``wit_world`` does not exist."""

from __future__ import annotations

import traceback
from typing import Any, Optional

import wit_world
from componentize_py_types import Err
from wit_world.imports import operation, organization, tracing, types

from . import convert, definition, determinism, host
from .context import Context, ExecutionContext
from .errors import PluginError


class Imports:
    """The imports of the contract."""

    def execute(self, message: str, parameters: dict[str, Any]) -> dict[str, Any]:
        request = types.Request(message, convert.parameters_to(parameters))
        try:
            return convert.parameters_from(organization.execute(request))
        except Err as error:
            fault = error.value
            raise PluginError(fault.message, fault.code, fault.status) from None

    def parent_context(self, level: int) -> Optional[ExecutionContext]:
        parent = organization.parent_context(level)
        return None if parent is None else convert.context_from(parent)

    def is_offline_playback(self) -> bool:
        return organization.is_offline_playback()

    def now(self) -> Any:
        return convert.time_from(operation.now())

    def server_now(self) -> Any:
        return convert.time_from(operation.server_now())

    def new_guid(self) -> Any:
        return convert.guid_from(operation.new_guid())

    def random(self) -> int:
        return operation.random()

    def keyed_guid(self, key: str) -> Any:
        return convert.guid_from(operation.keyed_guid(key))

    def trace(self, text: str) -> None:
        tracing.trace(text)


class WitWorld(wit_world.WitWorld):
    """The contract's export."""

    def execute(self, plugin_type: str, context: types.Context) -> list[Any]:
        """Runs the plug-in type of this name."""
        try:
            function = definition.find(plugin_type)
            run = Context(convert.context_from(context))
            function(run)
            return convert.changes_to(run.changes)
        except PluginError as error:
            raise Err(types.Fault(error.code, error.message, error.status)) from None
        except BaseException:
            # The caller reads "an unexpected error"; the trace says where it happened.
            tracing.trace(traceback.format_exc())
            raise


host.install(Imports())
determinism.install()
