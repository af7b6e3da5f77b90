"""Finds plugins, names their components and builds them from a recipe's words."""

from __future__ import annotations

from openvlt.registry.building import Built
from openvlt.registry.description import Description
from openvlt.registry.entries import Entry, EntryStatus, Origin, Plugin, PluginStatus
from openvlt.registry.events import notify
from openvlt.registry.options import OptionInfo, options_of
from openvlt.registry.registry import Registry
from openvlt.registry.targets import resolve

__all__ = [
    "Built",
    "Description",
    "Entry",
    "EntryStatus",
    "OptionInfo",
    "Origin",
    "Plugin",
    "PluginStatus",
    "Registry",
    "notify",
    "options_of",
    "resolve",
]
