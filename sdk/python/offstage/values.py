"""The value of one column or parameter.

===================  ==========================================
Column               Python
===================  ==========================================
no value             ``None``
yes/no               ``bool``
whole number         ``int``
big integer          ``BigInt``
decimal              ``decimal.Decimal``
floating point       ``float``
money                ``Money``
text                 ``str``
date and time        ``datetime.datetime``, with a time zone
picklist, status     ``OptionValue``
multi-select         a list of ``OptionValue``
lookup               ``EntityReference``
unique identifier    ``uuid.UUID``
image, file          ``bytes``
===================  ==========================================

Never converts between types silently: a money column is not a decimal column.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from .entity import EntityReference


class BigInt(int):
    """A big integer, to tell it from a whole number."""


class OptionValue(int):
    """A picklist, state or status value, to tell it from a whole number."""


class Money(decimal.Decimal):
    """An amount in the row's currency, to tell it from a decimal. Arithmetic gives a ``Decimal``:
    wrap the result again."""


class References(list):
    """A parameter that is a list of references to rows."""


Value = Union[
    None,
    bool,
    int,
    BigInt,
    decimal.Decimal,
    float,
    Money,
    str,
    datetime.datetime,
    OptionValue,
    list[OptionValue],
    "EntityReference",
    uuid.UUID,
    bytes,
]
