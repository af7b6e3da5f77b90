"""Tells plugins what has happened."""

from __future__ import annotations

import logging
from typing import Any

from openvlt.registry.registry import Registry

log = logging.getLogger(__name__)


def notify(registry: Registry, hook_name: str, **event: Any) -> None:
    """Call an event hook of every loaded plugin; an exception is logged and never fails the run.

    Args:
        registry: whose plugins are told.
        hook_name: ``on_stage_end`` or ``on_run_end``.
        event: the hook's arguments, by name.
    """
    plugins = registry.hooks.get_plugins()
    for plugin in sorted(plugins, key=lambda plugin: registry.hooks.get_name(plugin) or ""):
        call = registry.hooks.subset_hook_caller(hook_name, [other for other in plugins if other is not plugin])
        try:
            call(**event)
        except Exception:  # the boundary: a tracker that fails must not cost a run
            log.exception("plugin '%s' failed in %s; the run goes on", registry.hooks.get_name(plugin), hook_name)
