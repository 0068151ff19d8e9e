"""Turns the generated types into those of the SDK and back, by hand. Only used in a component."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any, Optional

from wit_world.imports import types

from .context import Change, ExecutionContext
from .entity import Entity, EntityCollection, EntityReference
from .errors import DataError, codes
from .query import All, Any as AnyOf, ColumnSet, Condition, Filter, Negate, Operator, Order, Query
from .values import BigInt, Money, OptionValue, References

_LOW = (1 << 64) - 1
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_OPERATORS = {
    operator: types.ConditionOperator[operator.name] for operator in Operator
}
_OPERATORS_BACK = {there: here for here, there in _OPERATORS.items()}


def guid_from(guid: types.Guid) -> uuid.UUID:
    return uuid.UUID(int=guid.high << 64 | guid.low)


def guid_to(guid: uuid.UUID) -> types.Guid:
    return types.Guid(guid.int >> 64, guid.int & _LOW)


def time_from(milliseconds: int) -> datetime.datetime:
    return _EPOCH + milliseconds * _MILLISECOND


def time_to(time: datetime.datetime) -> int:
    if time.tzinfo is None:
        raise DataError(f"the time {time} has no time zone; use datetime.timezone.utc")
    return (time - _EPOCH) // _MILLISECOND


def reference_from(reference: types.EntityReference) -> EntityReference:
    return EntityReference(reference.table, guid_from(reference.id), reference.name)


def reference_to(reference: EntityReference) -> types.EntityReference:
    return types.EntityReference(reference.table, guid_to(reference.id), reference.name)


_VALUES_FROM = {
    types.Value_Null: lambda value: None,
    types.Value_Boolean: lambda value: value.value,
    types.Value_Integer: lambda value: value.value,
    types.Value_BigInt: lambda value: BigInt(value.value),
    types.Value_Decimal: lambda value: decimal.Decimal(value.value),
    types.Value_Double: lambda value: value.value,
    types.Value_Money: lambda value: Money(value.value),
    types.Value_Text: lambda value: value.value,
    types.Value_DateTime: lambda value: time_from(value.value),
    types.Value_OptionValue: lambda value: OptionValue(value.value),
    types.Value_OptionValues: lambda value: [OptionValue(option) for option in value.value],
    types.Value_Reference: lambda value: reference_from(value.value),
    types.Value_UniqueIdentifier: lambda value: guid_from(value.value),
    types.Value_Bytes: lambda value: value.value,
}


def value_from(value: Any) -> Any:
    return _VALUES_FROM[type(value)](value)


def _integer(value: int) -> Any:
    if not -(1 << 31) <= value < 1 << 31:
        raise DataError(f"{value} is no 32-bit number; use BigInt for a big integer column")
    return types.Value_Integer(value)


# Tried in this order: a bool is an int, and so are OptionValue and BigInt.
_VALUES_TO = [
    (type(None), lambda value: types.Value_Null()),
    (bool, types.Value_Boolean),
    (OptionValue, lambda value: types.Value_OptionValue(int(value))),
    (BigInt, lambda value: types.Value_BigInt(int(value))),
    (int, _integer),
    (Money, lambda value: types.Value_Money(format(value, "f"))),
    (decimal.Decimal, lambda value: types.Value_Decimal(format(value, "f"))),
    (float, types.Value_Double),
    (str, types.Value_Text),
    (datetime.datetime, lambda value: types.Value_DateTime(time_to(value))),
    (EntityReference, lambda value: types.Value_Reference(reference_to(value))),
    (uuid.UUID, lambda value: types.Value_UniqueIdentifier(guid_to(value))),
    (bytes, types.Value_Bytes),
    (list, lambda value: types.Value_OptionValues([int(option) for option in value])),
]


def value_to(value: Any) -> Any:
    for kind, make in _VALUES_TO:
        if isinstance(value, kind):
            return make(value)
    raise DataError(f"a {type(value).__name__} is no value of a column", codes.INVALID_ARGUMENT)


def entity_from(entity: types.Entity) -> Entity:
    attributes = {held.column: value_from(held.value) for held in entity.attributes}
    id = None if entity.id is None else guid_from(entity.id)
    return Entity(entity.table, attributes, id=id, row_version=entity.row_version)


def entity_to(entity: Entity) -> types.Entity:
    attributes = [types.Attribute(column, value_to(entity[column])) for column in entity]
    id = None if entity.id is None else guid_to(entity.id)
    return types.Entity(entity.table, id, entity.row_version, attributes)


def collection_from(page: types.EntityCollection) -> EntityCollection:
    rows = [entity_from(entity) for entity in page.entities]
    return EntityCollection(
        page.table, rows, page.more_records, page.paging_cookie, page.total_count
    )


def collection_to(page: EntityCollection) -> types.EntityCollection:
    rows = [entity_to(entity) for entity in page.entities]
    return types.EntityCollection(
        page.table, rows, page.more_records, page.paging_cookie, page.total_count
    )


def _filter_to(filter: Optional[Filter]) -> list[Any]:
    """Lays a tree out: children before parents, the root last."""
    nodes: list[Any] = []

    def push(filter: Filter) -> int:
        if isinstance(filter, All):
            node: Any = types.FilterNode_All([push(child) for child in filter.filters])
        elif isinstance(filter, AnyOf):
            node = types.FilterNode_Any([push(child) for child in filter.filters])
        elif isinstance(filter, Negate):
            node = types.FilterNode_Negate(push(filter.filter))
        elif isinstance(filter, Condition):
            values = [value_to(value) for value in filter.values]
            operator = _OPERATORS[filter.operator]
            condition = types.Condition(filter.path, filter.column, operator, values)
            node = types.FilterNode_Condition(condition)
        else:
            raise DataError(f"a {type(filter).__name__} is no filter", codes.INVALID_ARGUMENT)
        nodes.append(node)
        return len(nodes) - 1

    if filter is not None:
        push(filter)
    return nodes


def _filter_from(nodes: list[Any]) -> Optional[Filter]:
    done: list[Filter] = []
    for node in nodes:
        if isinstance(node, types.FilterNode_All):
            done.append(All([done[child] for child in node.value]))
        elif isinstance(node, types.FilterNode_Any):
            done.append(AnyOf([done[child] for child in node.value]))
        elif isinstance(node, types.FilterNode_Negate):
            done.append(Negate(done[node.value]))
        else:
            held = node.value
            values = [value_from(value) for value in held.values]
            operator = _OPERATORS_BACK[held.operator]
            done.append(Condition(held.column, operator, values, list(held.path)))
    return done[-1] if done else None


def query_to(query: Query) -> types.Query:
    return types.Query(
        query.table,
        query.columns,
        _filter_to(query.filter),
        [types.Order(order.column, order.descending) for order in query.orders],
        query.top,
        query.page_size,
        query.paging_cookie,
        query.total_count,
    )


def query_from(query: types.Query) -> Query:
    return Query(
        query.table,
        query.columns,
        _filter_from(query.filter),
        [Order(order.column, order.descending) for order in query.orders],
        query.top,
        query.page_size,
        query.paging_cookie,
        query.total_count,
    )


_PARAMETERS_FROM = {
    types.Parameter_Value: value_from,
    types.Parameter_Entity: entity_from,
    types.Parameter_Entities: collection_from,
    types.Parameter_References: lambda held: References(map(reference_from, held)),
    types.Parameter_Columns: ColumnSet,
    types.Parameter_Query: query_from,
}

_PARAMETERS_TO = [
    (Entity, lambda held: types.Parameter_Entity(entity_to(held))),
    (EntityCollection, lambda held: types.Parameter_Entities(collection_to(held))),
    (References, lambda held: types.Parameter_References([reference_to(row) for row in held])),
    (ColumnSet, lambda held: types.Parameter_Columns(held.columns)),
    (Query, lambda held: types.Parameter_Query(query_to(held))),
]


def parameter_to(parameter: Any) -> Any:
    for kind, make in _PARAMETERS_TO:
        if isinstance(parameter, kind):
            return make(parameter)
    return types.Parameter_Value(value_to(parameter))


def parameters_from(parameters: list[types.NamedParameter]) -> dict[str, Any]:
    return {
        named.name: _PARAMETERS_FROM[type(named.parameter)](named.parameter.value)
        for named in parameters
    }


def parameters_to(parameters: dict[str, Any]) -> list[types.NamedParameter]:
    return [types.NamedParameter(name, parameter_to(held)) for name, held in parameters.items()]


_CONTEXT = {
    types.Guid: guid_from,
    types.EntityReference: reference_from,
}


def context_from(context: types.Context) -> ExecutionContext:
    """Every property has the same name on both sides; what differs is its type."""
    properties: dict[str, Any] = {}
    for name, value in vars(context).items():
        properties[name] = _CONTEXT.get(type(value), lambda held: held)(value)
    properties["operation_created_on"] = time_from(context.operation_created_on)
    for name in ("input_parameters", "output_parameters", "shared_variables"):
        properties[name] = parameters_from(getattr(context, name))
    for name in ("pre_entity_images", "post_entity_images"):
        images = getattr(context, name)
        properties[name] = {image.alias: entity_from(image.entity) for image in images}
    return ExecutionContext(**properties)


_NAMED = {
    "set-input": types.Change_SetInput,
    "set-output": types.Change_SetOutput,
    "set-shared-variable": types.Change_SetSharedVariable,
}
_NAMES = {
    "remove-input": types.Change_RemoveInput,
    "remove-output": types.Change_RemoveOutput,
    "remove-shared-variable": types.Change_RemoveSharedVariable,
}


def change_to(change: Change) -> Any:
    if change.kind == "set-attribute":
        held = types.AttributeChange(change.parameter, change.column, value_to(change.value))
        return types.Change_SetAttribute(held)
    if change.kind == "remove-attribute":
        return types.Change_RemoveAttribute(
            types.AttributeRemoval(change.parameter, change.column)
        )
    if change.kind in _NAMED:
        named = types.NamedParameter(change.parameter, parameter_to(change.value))
        return _NAMED[change.kind](named)
    return _NAMES[change.kind](change.parameter)


def changes_to(changes: list[Change]) -> list[Any]:
    return [change_to(change) for change in changes]
