"""The plug-in types of a package: what ``@plugin`` found. Never reads declarations: they are in
``plugin.toml``, and the host compares the names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import DataError

if TYPE_CHECKING:
    from .context import Context

PluginFunction = Callable[["Context"], None]

_plugins: dict[str, PluginFunction] = {}


def plugin(type_name: str) -> Callable[[PluginFunction], PluginFunction]:
    """Makes a function the plug-in type of this name, as ``plugin.toml`` declares it."""

    def register(function: PluginFunction) -> PluginFunction:
        if type_name in _plugins and _plugins[type_name] is not function:
            raise ValueError(f"two functions are the plug-in type `{type_name}`")
        _plugins[type_name] = function
        return function

    return register


def find(type_name: str) -> PluginFunction:
    """The function of a plug-in type."""
    function = _plugins.get(type_name)
    if function is None:
        known = ", ".join(_plugins) or "none"
        raise DataError(f"this package exports no plug-in type `{type_name}`; it exports {known}")
    return function
