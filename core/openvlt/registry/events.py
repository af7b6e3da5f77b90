"""Notifies plugins of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openvlt.registry.registry import Registry


def notify(registry: Registry, hook_name: str, **event: object) -> None:
    """Call an event hook of every loaded plugin; an exception is logged and never fails the run.

    Args:
        registry: its plugins are notified.
        hook_name: ``on_stage_end`` or ``on_run_end``.
        event: the hook's arguments, by name.
    """
    import logging

    log = logging.getLogger(__name__)
    plugins = registry.hooks.get_plugins()
    for plugin in sorted(plugins, key=lambda plugin: registry.hooks.get_name(plugin) or ""):
        call = registry.hooks.subset_hook_caller(hook_name, [other for other in plugins if other is not plugin])
        try:
            call(**event)
        except Exception as error:  # the boundary: a tracker that fails must not cost a run
            name = registry.hooks.get_name(plugin)
            problem = f"{type(error).__name__}: {error}"
            debug = log.isEnabledFor(logging.DEBUG)
            log.warning("plugin '%s' failed in %s, the run goes on: %s", name, hook_name, problem, exc_info=debug)
