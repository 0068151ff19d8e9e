"""The query builder: a typed filter tree that becomes the contract's list of nodes. Never renders
text: values stay typed until the host binds them as parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional, Union

from .values import Value


class Operator(Enum):
    """How a condition compares."""

    EQUAL = "equal"
    NOT_EQUAL = "not-equal"
    GREATER_THAN = "greater-than"
    GREATER_EQUAL = "greater-equal"
    LESS_THAN = "less-than"
    LESS_EQUAL = "less-equal"
    IS_NULL = "is-null"
    IS_NOT_NULL = "is-not-null"
    IN = "in"
    NOT_IN = "not-in"
    CONTAINS = "contains"
    BEGINS_WITH = "begins-with"
    ENDS_WITH = "ends-with"
    EQUAL_USER_ID = "equal-user-id"
    NOT_EQUAL_USER_ID = "not-equal-user-id"


@dataclass
class ColumnSet:
    """Which columns to return; ``None`` means all that the caller may read."""

    columns: Optional[list[str]] = None


class Filter:
    """A filter tree. Join with ``&`` and ``|``, turn round with ``~``."""

    def __and__(self, other: "Filter") -> "Filter":
        return All([*(self.filters if isinstance(self, All) else [self]), other])

    def __or__(self, other: "Filter") -> "Filter":
        return Any([*(self.filters if isinstance(self, Any) else [self]), other])

    def __invert__(self) -> "Filter":
        return Negate(self)


@dataclass
class All(Filter):
    """All of these hold."""

    filters: list[Filter]


@dataclass
class Any(Filter):
    """One of these holds."""

    filters: list[Filter]


@dataclass
class Negate(Filter):
    """This does not hold."""

    filter: Filter


@dataclass
class Condition(Filter):
    """One comparison. ``path`` are the lookup columns to follow to the table of ``column``."""

    column: str
    operator: Operator
    values: list[Value] = field(default_factory=list)
    path: list[str] = field(default_factory=list)


class Column:
    """A column to compare; see ``column``. A null column satisfies no comparison with a value."""

    def __init__(self, name: str, path: tuple[str, ...] = ()) -> None:
        self.name = name
        self.path = path

    def through(self, *lookups: str) -> "Column":
        """Takes the column from the table that these lookup columns lead to, the first first."""
        return Column(self.name, lookups)

    def _compare(self, operator: Operator, *values: Value) -> Condition:
        return Condition(self.name, operator, list(values), list(self.path))

    def __eq__(self, value: Value) -> Condition:  # type: ignore[override]
        return self._compare(Operator.EQUAL, value)

    def __ne__(self, value: Value) -> Condition:  # type: ignore[override]
        return self._compare(Operator.NOT_EQUAL, value)

    def __gt__(self, value: Value) -> Condition:
        return self._compare(Operator.GREATER_THAN, value)

    def __ge__(self, value: Value) -> Condition:
        return self._compare(Operator.GREATER_EQUAL, value)

    def __lt__(self, value: Value) -> Condition:
        return self._compare(Operator.LESS_THAN, value)

    def __le__(self, value: Value) -> Condition:
        return self._compare(Operator.LESS_EQUAL, value)

    __hash__ = None  # type: ignore[assignment]

    def contains(self, text: str) -> Condition:
        """The text has this text anywhere in it."""
        return self._compare(Operator.CONTAINS, text)

    def begins_with(self, text: str) -> Condition:
        """The text begins with this text."""
        return self._compare(Operator.BEGINS_WITH, text)

    def ends_with(self, text: str) -> Condition:
        """The text ends with this text."""
        return self._compare(Operator.ENDS_WITH, text)

    def is_null(self) -> Condition:
        """The column has no value."""
        return self._compare(Operator.IS_NULL)

    def is_not_null(self) -> Condition:
        """The column has a value."""
        return self._compare(Operator.IS_NOT_NULL)

    def is_in(self, values: Iterable[Value]) -> Condition:
        """The column has one of these values."""
        return self._compare(Operator.IN, *values)

    def is_not_in(self, values: Iterable[Value]) -> Condition:
        """The column has none of these values."""
        return self._compare(Operator.NOT_IN, *values)

    def is_current_user(self) -> Condition:
        """The column is the user who runs the plug-in."""
        return self._compare(Operator.EQUAL_USER_ID)

    def is_not_current_user(self) -> Condition:
        """The column is another user."""
        return self._compare(Operator.NOT_EQUAL_USER_ID)


def column(name: str) -> Column:
    """Starts a condition on a column of the queried table: ``column("city") == "Bonn"``."""
    return Column(name)


@dataclass
class Order:
    """One sort key."""

    column: str
    descending: bool = False


@dataclass
class Query:
    """A query over one table. The methods return a changed copy, to build one in a chain."""

    table: str
    columns: Optional[list[str]] = None
    filter: Optional[Filter] = None
    orders: list[Order] = field(default_factory=list)
    top: Optional[int] = None
    page_size: Optional[int] = None
    paging_cookie: Optional[str] = None
    total_count: bool = False

    def _with(self, **changes: object) -> "Query":
        changed = copy.copy(self)
        for name, value in changes.items():
            setattr(changed, name, value)
        return changed

    def select(self, *columns: str) -> "Query":
        """Returns only these columns."""
        return self._with(columns=list(columns))

    def where(self, filter: Filter) -> "Query":
        """Adds a filter; several must all hold."""
        return self._with(filter=filter if self.filter is None else self.filter & filter)

    def order_by(self, column: str, *, descending: bool = False) -> "Query":
        """Adds a sort key."""
        return self._with(orders=[*self.orders, Order(column, descending)])

    def first(self, rows: int) -> "Query":
        """Returns at most this many rows in all."""
        return self._with(top=rows)

    def pages_of(self, rows: int) -> "Query":
        """Returns at most this many rows per page."""
        return self._with(page_size=rows)

    def after(self, cookie: str) -> "Query":
        """Starts after the page that returned this cookie."""
        return self._with(paging_cookie=cookie)


Node = Union[All, Any, Negate, Condition]
