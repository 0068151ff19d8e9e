"""The execution context of one plug-in run (IPluginExecutionContext) and its change log.

Never changes a row or the request by itself: what a plug-in explicitly sets or removes is logged in
order, equal values too, and the host applies the log when the run returns."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any, Optional

from . import host
from .entity import Entity, EntityReference
from .errors import DataError, codes
from .service import OrganizationService
from .values import Value

_NIL = uuid.UUID(int=0)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


@dataclass
class Change:
    """One entry of the change log; ``kind`` is the contract's name, such as ``set-attribute``."""

    kind: str
    parameter: str
    column: str = ""
    value: Any = None


@dataclass
class ExecutionContext:
    """The properties of IPluginExecutionContext (versions 1 to 7), by their platform names."""

    business_unit_id: uuid.UUID = _NIL
    correlation_id: uuid.UUID = _NIL
    depth: int = 1
    initiating_user_id: uuid.UUID = _NIL
    user_id: uuid.UUID = _NIL
    authenticated_user_id: uuid.UUID = _NIL
    input_parameters: dict[str, Any] = field(default_factory=dict)
    output_parameters: dict[str, Any] = field(default_factory=dict)
    is_executing_offline: bool = False
    is_in_transaction: bool = True
    isolation_mode: int = 2
    message_name: str = ""
    mode: int = 0
    operation_id: uuid.UUID = _NIL
    operation_created_on: datetime.datetime = _EPOCH
    organization_id: uuid.UUID = _NIL
    organization_name: str = ""
    environment_id: str = ""
    owning_extension: EntityReference = EntityReference("sdkmessageprocessingstep", _NIL)
    step_key: str = ""
    primary_entity_id: uuid.UUID = _NIL
    primary_entity_name: str = ""
    secondary_entity_name: str = ""
    pre_entity_images: dict[str, Entity] = field(default_factory=dict)
    post_entity_images: dict[str, Entity] = field(default_factory=dict)
    request_id: uuid.UUID = _NIL
    shared_variables: dict[str, Any] = field(default_factory=dict)
    stage: int = 20
    initiating_user_agent: str = ""
    is_application_user: bool = False
    configuration: str = ""
    secure_configuration: str = ""

    def input(self, name: str) -> Any:
        """An input parameter."""
        if name not in self.input_parameters:
            raise DataError(
                f"message `{self.message_name}` has no parameter `{name}`", codes.INVALID_ARGUMENT
            )
        return self.input_parameters[name]

    def pre_image(self, alias: str) -> Entity:
        """The row before the main operation."""
        return self._image(self.pre_entity_images, "pre", alias)

    def post_image(self, alias: str) -> Entity:
        """The row after the main operation."""
        return self._image(self.post_entity_images, "post", alias)

    def _image(self, images: dict[str, Entity], kind: str, alias: str) -> Entity:
        if alias not in images:
            raise DataError(
                f"step `{self.step_key}` has no {kind} image `{alias}`; declare it in plugin.toml"
            )
        return images[alias]

    @property
    def primary_reference(self) -> EntityReference:
        """A reference to the row that the message is about."""
        if self.primary_entity_id == _NIL:
            raise DataError(f"a row of `{self.primary_entity_name}` has no id here yet")
        return EntityReference(self.primary_entity_name, self.primary_entity_id)


class Target(Entity):
    """The row of the request, for changing: what is set and deleted is logged."""

    def __init__(self, parameter: str, entity: Entity, log: list[Change]) -> None:
        super().__init__(entity.table, id=entity.id, row_version=entity.row_version)
        self._attributes = entity._attributes
        self._parameter = parameter
        self._log = log

    def __setitem__(self, column: str, value: Value) -> None:
        """Sets a column; it counts as this plug-in's decision even if the value is the same."""
        super().__setitem__(column, value)
        self._log.append(Change("set-attribute", self._parameter, column, value))

    def __delitem__(self, column: str) -> None:
        """Takes a column out of the request, so that it is left as it is stored."""
        super().__delitem__(column)
        self._log.append(Change("remove-attribute", self._parameter, column))


class Context:
    """The context that a plug-in gets: every property is an attribute (``context.depth``), and
    every change goes through a method, or through ``target``, that logs it."""

    def __init__(self, properties: ExecutionContext) -> None:
        self.properties = properties
        self.changes: list[Change] = []
        self.service = OrganizationService()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.properties, name)

    @property
    def target(self) -> Target:
        """The row in ``Target``, in Create, Update and Upsert."""
        return self.entity("Target")

    def entity(self, parameter: str) -> Target:
        """The row in an input parameter, for changing."""
        held = self.properties.input(parameter)
        if not isinstance(held, Entity):
            raise DataError(
                f"parameter `{parameter}` of `{self.properties.message_name}` is no row",
                codes.INVALID_ARGUMENT,
            )
        return Target(parameter, held, self.changes)

    def trace(self, text: str) -> None:
        """Writes one line into the trace."""
        host.current().trace(text)

    def is_offline_playback(self) -> bool:
        """IsOfflinePlayback: this is the second run, on the server. The host notices the question:
        what only the offline run did is then carried over."""
        return host.current().is_offline_playback()

    def parent_context(self, level: int = 1) -> Optional[ExecutionContext]:
        """The context ``level`` operations up; 1 is ParentContext."""
        return host.current().parent_context(level)

    def set_input(self, name: str, value: Any) -> None:
        """Sets an input parameter as a whole."""
        self._set("input", self.properties.input_parameters, name, value)

    def remove_input(self, name: str) -> None:
        """Takes an input parameter out."""
        self._remove("input", self.properties.input_parameters, name)

    def set_output(self, name: str, value: Any) -> None:
        """Sets an output parameter."""
        self._set("output", self.properties.output_parameters, name, value)

    def remove_output(self, name: str) -> None:
        """Takes an output parameter out."""
        self._remove("output", self.properties.output_parameters, name)

    def set_shared_variable(self, name: str, value: Any) -> None:
        """Sets a shared variable, for later steps of the same operation."""
        self._set("shared-variable", self.properties.shared_variables, name, value)

    def remove_shared_variable(self, name: str) -> None:
        """Takes a shared variable out."""
        self._remove("shared-variable", self.properties.shared_variables, name)

    def _set(self, kind: str, held: dict[str, Any], name: str, value: Any) -> None:
        held[name] = value
        self.changes.append(Change(f"set-{kind}", name, value=value))

    def _remove(self, kind: str, held: dict[str, Any], name: str) -> None:
        held.pop(name, None)
        self.changes.append(Change(f"remove-{kind}", name))
