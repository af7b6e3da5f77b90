"""Finds plugins, names their components and builds them from a recipe's words."""

from __future__ import annotations

from openvlt.registry.entries import Built, Entry, Plugin, Spec
from openvlt.registry.events import notify
from openvlt.registry.registry import Registry
from openvlt.registry.targets import resolve

__all__ = ["Built", "Entry", "Plugin", "Registry", "Spec", "notify", "resolve"]
