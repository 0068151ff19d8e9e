"""Rows, references to rows, and result sets. A row never loads what is missing: it holds what the
request or the query gave it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .errors import DataError
from .values import Value


@dataclass(frozen=True)
class EntityReference:
    """A reference to one row. ``name`` is its primary name where the host knows it."""

    table: str
    id: uuid.UUID
    name: Optional[str] = field(default=None, compare=False)


class Entity(MutableMapping[str, Value]):
    """A row, or part of one, as a mapping of columns to values.

    A column that is there with ``None`` is cleared; one that is not there is not mentioned.
    """

    def __init__(
        self,
        table: str,
        attributes: Optional[dict[str, Value]] = None,
        *,
        id: Optional[uuid.UUID] = None,
        row_version: Optional[int] = None,
    ) -> None:
        self.table = table
        self.id = id
        self.row_version = row_version
        self._attributes: dict[str, Value] = dict(attributes or {})

    def __getitem__(self, column: str) -> Any:
        try:
            return self._attributes[column]
        except KeyError:
            raise DataError(
                f"column `{column}` of `{self.table}` is not mentioned here; "
                "add it to the image or the column set"
            ) from None

    def __setitem__(self, column: str, value: Value) -> None:
        self._attributes[column] = value

    def __delitem__(self, column: str) -> None:
        self._attributes.pop(column, None)

    def __contains__(self, column: object) -> bool:
        return column in self._attributes

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._attributes))

    def __len__(self) -> int:
        return len(self._attributes)

    def __repr__(self) -> str:
        return f"Entity({self.table!r}, {self._attributes!r}, id={self.id!r})"

    def get(self, column: str, default: Any = None) -> Any:
        """The value of a column, or ``default`` where it is not mentioned or has no value."""
        value = self._attributes.get(column)
        return default if value is None else value

    @property
    def reference(self) -> EntityReference:
        """A reference to the row."""
        if self.id is None:
            raise DataError(f"a row of `{self.table}` has no id here; only saved rows have one")
        return EntityReference(self.table, self.id)

    def overlaid_with(self, changes: Optional["Entity"]) -> "Entity":
        """This row with ``changes`` laid over it: what the row will be after an update."""
        merged = Entity(self.table, self._attributes, id=self.id)
        if changes is not None:
            merged.id = changes.id or self.id
            merged._attributes.update(changes._attributes)
        return merged


@dataclass
class EntityCollection:
    """One page of rows."""

    table: str
    entities: list[Entity]
    more_records: bool = False
    paging_cookie: Optional[str] = None
    total_count: Optional[int] = None

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities)

    def __len__(self) -> int:
        return len(self.entities)
