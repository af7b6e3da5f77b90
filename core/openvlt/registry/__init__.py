"""Finds plugins, and finds, describes and builds their components."""

from __future__ import annotations

from openvlt.registry.entries import Built, Entry, Plugin, Spec, Where
from openvlt.registry.registry import Registry
from openvlt.registry.targets import resolve

__all__ = ["Built", "Entry", "Plugin", "Registry", "Spec", "Where", "resolve"]
