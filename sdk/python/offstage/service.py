"""The organization service (IOrganizationService).

Every call is one request through the whole pipeline, in the caller's transaction. One that fails
raises ``PluginError`` with the platform's code. A step that swallows it fails the whole request,
unless it says ``on_nested_error = "catch"``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import host
from .entity import Entity, EntityCollection, EntityReference
from .errors import DataError
from .query import ColumnSet, Query
from .values import OptionValue, References

PAGE_SIZE = 500


@dataclass
class Upserted:
    """What an upsert did."""

    target: EntityReference
    created: bool


def _take(message: str, output: dict[str, Any], name: str, kind: type) -> Any:
    value = output.get(name)
    if not isinstance(value, kind):
        raise DataError(f"message `{message}` answered without a {kind.__name__} in `{name}`")
    return value


class OrganizationService:
    """Sends requests to the host; get one from ``context.service``."""

    def execute(self, message: str, **parameters: Any) -> dict[str, Any]:
        """Runs any message and returns its output parameters."""
        return host.current().execute(message, parameters)

    def create(self, target: Entity) -> uuid.UUID:
        """Makes a row; its id is derived from the operation if the row has none."""
        return _take("Create", self.execute("Create", Target=target), "id", uuid.UUID)

    def retrieve(self, target: EntityReference, *columns: str) -> Entity:
        """Reads one row; without columns, all of them."""
        wanted = ColumnSet(list(columns) or None)
        output = self.execute("Retrieve", Target=target, ColumnSet=wanted)
        return _take("Retrieve", output, "BusinessEntity", Entity)

    def retrieve_multiple(self, query: Query) -> EntityCollection:
        """Reads one page of rows."""
        output = self.execute("RetrieveMultiple", Query=query)
        return _take("RetrieveMultiple", output, "BusinessEntityCollection", EntityCollection)

    def retrieve_all(self, query: Query) -> Iterator[Entity]:
        """Reads all rows, page by page. The sandbox's limit of rows per query still holds."""
        query = query.pages_of(query.page_size or PAGE_SIZE)
        while True:
            page = self.retrieve_multiple(query)
            yield from page
            if not page.more_records or page.paging_cookie is None:
                return
            query = query.after(page.paging_cookie)

    def update(self, target: Entity) -> None:
        """Changes the columns that the row mentions."""
        self.execute("Update", Target=target)

    def upsert(self, target: Entity) -> Upserted:
        """Changes the row, or makes it if it does not exist."""
        output = self.execute("Upsert", Target=target)
        row = _take("Upsert", output, "Target", EntityReference)
        return Upserted(row, _take("Upsert", output, "RecordCreated", bool))

    def delete(self, target: EntityReference) -> None:
        """Deletes a row."""
        self.execute("Delete", Target=target)

    def associate(
        self, target: EntityReference, relationship: str, related: list[EntityReference]
    ) -> None:
        """Links rows over a relationship."""
        self._relate("Associate", target, relationship, related)

    def disassociate(
        self, target: EntityReference, relationship: str, related: list[EntityReference]
    ) -> None:
        """Unlinks rows of a relationship."""
        self._relate("Disassociate", target, relationship, related)

    def _relate(
        self,
        message: str,
        target: EntityReference,
        relationship: str,
        related: list[EntityReference],
    ) -> None:
        self.execute(
            message, Target=target, Relationship=relationship, RelatedEntities=References(related)
        )

    def set_state(self, target: EntityReference, state: int, status: int) -> None:
        """Sets a row's state and status."""
        self.execute(
            "SetState", EntityMoniker=target, State=OptionValue(state), Status=OptionValue(status)
        )

    def assign(self, target: EntityReference, assignee: EntityReference) -> None:
        """Gives a row to another user or team."""
        self.execute("Assign", Target=target, Assignee=assignee)
