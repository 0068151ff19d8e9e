"""Runs plug-ins natively, against rows in memory, for unit tests.

    organization = Organization(Entity("account", {"name": "Fabrikam"}, id=ACCOUNT))
    run = organization.run("contoso.TrimName", "Create", Entity("contact", {"lastname": " Lee "}))
    assert run.target["lastname"] == "Lee"

Never a second pipeline: it runs one plug-in type, not its steps, and answers its requests from rows
and nothing else. What both runs make of it is tested with the package itself, by ``plugin check``."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any, Optional

from . import definition, host
from .context import Change, Context, ExecutionContext
from .entity import Entity, EntityCollection, EntityReference
from .errors import PluginError, codes
from .query import All, Any as AnyOf, Condition, Filter, Negate, Operator, Query
from .values import References

NOW = datetime.datetime(2026, 3, 1, 8, 30, tzinfo=datetime.timezone.utc)
USER = uuid.UUID("00000000-0000-0000-0000-0000000000a1")


@dataclass
class Run:
    """What came of one run."""

    target: Any
    changes: list[Change]
    context: Context
    trace: list[str]
    requests: list[tuple[str, dict[str, Any]]]


@dataclass
class Organization:
    """Rows, and the answers to a plug-in's requests. Faults are given by message name."""

    rows: dict[tuple[str, uuid.UUID], Entity] = field(default_factory=dict)
    playback: bool = False
    faults: dict[str, PluginError] = field(default_factory=dict)

    def __init__(self, *rows: Entity, playback: bool = False) -> None:
        self.rows = {}
        self.playback = playback
        self.faults = {}
        for row in rows:
            self._keep(row)

    def run(
        self,
        plugin_type: str,
        message: str,
        target: Any,
        *,
        pre_images: Optional[dict[str, Entity]] = None,
        post_images: Optional[dict[str, Entity]] = None,
        **properties: Any,
    ) -> Run:
        """Runs a plug-in type on a message with this ``Target``; raises what it raises."""
        execution = ExecutionContext(
            message_name=message,
            input_parameters={"Target": target},
            pre_entity_images=pre_images or {},
            post_entity_images=post_images or {},
            primary_entity_name=target.table,
            primary_entity_id=target.id or uuid.UUID(int=0),
            user_id=USER,
            operation_created_on=NOW,
            **properties,
        )
        context = Context(execution)
        answering = _Host(self)
        before = host.install(answering)
        try:
            definition.find(plugin_type)(context)
        finally:
            host.install(before)
        return Run(target, context.changes, context, answering.lines, answering.requests)

    def row(self, table: str, id: uuid.UUID) -> Entity:
        """A row; fails if there is none."""
        return self.rows[table, id]

    def table(self, table: str) -> list[Entity]:
        """The rows of a table, in the order they came."""
        return [row for row in self.rows.values() if row.table == table]

    def _keep(self, row: Entity) -> None:
        assert row.id is not None, f"a row of {row.table} needs an id to be stored"
        self.rows[row.table, row.id] = row


class _Host:
    """The contract, answered from an organization."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.lines: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.ids = 0
        self.randoms = 0

    def execute(self, message: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((message, parameters))
        if message in self.organization.faults:
            raise self.organization.faults[message]
        answer = getattr(self, f"_{message.lower()}", None)
        if answer is None:
            return {}
        return answer(**parameters)

    def _create(self, Target: Entity) -> dict[str, Any]:
        row = Entity(Target.table, dict(Target), id=Target.id or self.new_guid())
        if (row.table, row.id) in self.organization.rows:
            raise PluginError("a row with this id exists already", codes.DUPLICATE_RECORD)
        self.organization._keep(row)
        return {"id": row.id}

    def _stored(self, table: str, id: Optional[uuid.UUID]) -> Entity:
        row = self.organization.rows.get((table, id or uuid.UUID(int=0)))
        if row is None:
            raise PluginError(f"{table} with id {id} does not exist", codes.OBJECT_DOES_NOT_EXIST)
        return row

    def _update(self, Target: Entity) -> dict[str, Any]:
        self._stored(Target.table, Target.id).update(Target)
        return {}

    def _delete(self, Target: EntityReference) -> dict[str, Any]:
        self._stored(Target.table, Target.id)
        del self.organization.rows[Target.table, Target.id]
        return {}

    def _retrieve(self, Target: EntityReference, ColumnSet: Any) -> dict[str, Any]:
        return {"BusinessEntity": _select(self._stored(Target.table, Target.id), ColumnSet.columns)}

    def _retrievemultiple(self, Query: Query) -> dict[str, Any]:
        found = [row for row in self.organization.table(Query.table) if _holds(Query.filter, row)]
        for order in reversed(Query.orders):
            found.sort(key=lambda row: (row.get(order.column) is not None, row.get(order.column)),
                       reverse=order.descending)
        total = len(found) if Query.total_count else None
        limit = Query.top if Query.top is not None else Query.page_size
        page = [_select(row, Query.columns) for row in found[:limit]]
        return {"BusinessEntityCollection": EntityCollection(Query.table, page, total_count=total)}

    def parent_context(self, level: int) -> Optional[ExecutionContext]:
        return None

    def is_offline_playback(self) -> bool:
        return self.organization.playback

    def now(self) -> datetime.datetime:
        return NOW

    def server_now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc)

    def new_guid(self) -> uuid.UUID:
        self.ids += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"id {self.ids}")

    def random(self) -> int:
        self.randoms += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"random {self.randoms}").int >> 64

    def keyed_guid(self, key: str) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"key {key}")

    def trace(self, text: str) -> None:
        self.lines.append(text)


def _select(row: Entity, columns: Optional[list[str]]) -> Entity:
    kept = {name: row[name] for name in row if columns is None or name in columns}
    return Entity(row.table, kept, id=row.id)


def _plain(value: Any) -> Any:
    return value.id if isinstance(value, EntityReference) else value


_COMPARISONS = {
    Operator.EQUAL: lambda held, value: held == value,
    Operator.NOT_EQUAL: lambda held, value: held != value,
    Operator.GREATER_THAN: lambda held, value: held > value,
    Operator.GREATER_EQUAL: lambda held, value: held >= value,
    Operator.LESS_THAN: lambda held, value: held < value,
    Operator.LESS_EQUAL: lambda held, value: held <= value,
    Operator.CONTAINS: lambda held, value: value.lower() in held.lower(),
    Operator.BEGINS_WITH: lambda held, value: held.lower().startswith(value.lower()),
    Operator.ENDS_WITH: lambda held, value: held.lower().endswith(value.lower()),
}


def _holds(filter: Optional[Filter], row: Entity) -> bool:
    if filter is None:
        return True
    if isinstance(filter, All):
        return all(_holds(child, row) for child in filter.filters)
    if isinstance(filter, AnyOf):
        return any(_holds(child, row) for child in filter.filters)
    if isinstance(filter, Negate):
        return not _holds(filter.filter, row)
    assert isinstance(filter, Condition)
    return _condition_holds(filter, row)


def _condition_holds(condition: Condition, row: Entity) -> bool:
    if condition.path:
        raise NotImplementedError("the testkit follows no lookups; test this with the package")
    held = _plain(row.get(condition.column))
    if condition.operator is Operator.IS_NULL:
        return held is None
    if held is None:
        return False
    values = [_plain(value) for value in condition.values]
    if condition.operator is Operator.IS_NOT_NULL:
        return True
    if condition.operator is Operator.IN:
        return held in values
    if condition.operator is Operator.NOT_IN:
        return held not in values
    if condition.operator is Operator.EQUAL_USER_ID:
        return held == USER
    if condition.operator is Operator.NOT_EQUAL_USER_ID:
        return held != USER
    return bool(_COMPARISONS[condition.operator](held, values[0]))


__all__ = ["NOW", "USER", "Organization", "References", "Run"]
