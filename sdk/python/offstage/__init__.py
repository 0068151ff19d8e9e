"""The SDK for Offstage plug-ins in Python: write a business rule once; it runs on the device while
offline and on the server when the work is played back.

    from offstage import Context, plugin

    @plugin("contoso.TrimName")
    def trim_name(context: Context) -> None:
        target = context.target
        if target.get("lastname"):
            target["lastname"] = target["lastname"].strip()

Types, steps and images are declared in ``plugin.toml`` beside the source. A plug-in never sees the
machine's clock, randomness, files or network: ``now``, ``new_guid``, ``keyed_guid`` and
``random_bits`` are derived from the operation and are the same in both runs. So are ``random``,
``uuid.uuid4``, ``time.time`` and ``os.urandom`` inside a component.

Unit tests run natively against ``offstage.testkit``.
"""

from .context import Context, ExecutionContext, Target
from .definition import plugin
from .entity import Entity, EntityCollection, EntityReference
from .errors import DataError, PluginError, codes
from .operation import keyed_guid, new_guid, now, random_bits, server_now, trace
from .query import ColumnSet, Condition, Filter, Operator, Order, Query, column
from .service import OrganizationService
from .values import BigInt, Money, OptionValue, References, Value

__all__ = [
    "BigInt",
    "ColumnSet",
    "Condition",
    "Context",
    "DataError",
    "Entity",
    "EntityCollection",
    "EntityReference",
    "ExecutionContext",
    "Filter",
    "Money",
    "Operator",
    "OptionValue",
    "Order",
    "OrganizationService",
    "PluginError",
    "Query",
    "References",
    "Target",
    "Value",
    "codes",
    "column",
    "keyed_guid",
    "new_guid",
    "now",
    "plugin",
    "random_bits",
    "server_now",
    "trace",
]
