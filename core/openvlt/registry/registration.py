"""Loads one plugin: imports it, checks its hooks, registers its components. A failure is confined to the plugin."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, cast

import pluggy

from openvlt import hookspecs
from openvlt.errors import PASSING, closest, printable
from openvlt.registry.discovery import Candidate, why_disabled
from openvlt.registry.entries import Entry, Plugin, PluginStatus
from openvlt.registry.targets import target_of

if TYPE_CHECKING:
    from openvlt.interfaces import Component, Kind

HOOKS = tuple(name for name, value in vars(hookspecs).items() if hasattr(value, "openvlt_spec"))
# Derived from the names of the hooks: importing the interfaces would take a fifth of the time of ``list-plugins``.
KIND_OF_HOOK = {hook: cast("Kind", hook[len("register_") : -1]) for hook in HOOKS if hook.startswith("register_")}
WORDS: Mapping[str, Kind] = {"reward": "verifier", "example-filter": "filter"}
"""Other words for a kind; ``new-plugin`` writes an example of each."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:([A-Za-z_]\w*|[\w./-]+\.ya?ml)")


class Incompatible(Exception):
    """The plugin was written for another version of openvlt."""


def load(candidate: Candidate, manager: pluggy.PluginManager, taken: Callable[[Kind, str], str | None]) -> Plugin:
    """Load a plugin; never raises for a failure of the plugin.

    Args:
        candidate: the plugin.
        manager: gets the plugin's hooks if it loads.
        taken: returns the plugin that registered a kind and id, if any.

    Returns:
        The plugin with its components, or with the reason why it has none.
    """
    status: PluginStatus = "ok"
    reason, trace, api = why_disabled(candidate), "", None
    entries: list[Entry] = []
    start = time.perf_counter()
    if reason:
        status = "disabled"
    else:
        try:
            # What a plugin prints must not end up in the output of --json.
            with redirect_stdout(sys.stderr):
                module = candidate.load()
                api = getattr(module, "OPENVLT_API", hookspecs.PLUGIN_API)
                _check_api(api)
                entries = _register(candidate, module, manager, taken)
        except Incompatible as error:
            status, reason = "incompatible", str(error)
        except PASSING:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary: a plugin may raise anything
            import traceback

            status, reason = "broken", f"{type(error).__name__}: {printable(error)}".strip().splitlines()[0]
            trace = "".join(traceback.format_exception(error))
    return Plugin(
        name=candidate.name,
        origin=candidate.origin,
        distribution=candidate.distribution,
        version=candidate.version,
        api=api if isinstance(api, int) else None,
        status=status,
        reason=reason,
        load_ms=(time.perf_counter() - start) * 1000,
        components=tuple(entries),
        traceback=trace,
        file=candidate.file,
    )


def _check_api(api: object) -> None:
    """Refuse a plugin written for another API, before its hooks are checked."""
    if not isinstance(api, int):
        raise Incompatible(f"its OPENVLT_API is {api!r}; it must be a whole number")
    if api != hookspecs.PLUGIN_API:
        raise Incompatible(
            f"written for plugin API {api}, this openvlt offers {hookspecs.PLUGIN_API}; "
            "install matching versions of the two"
        )


def _register(
    candidate: Candidate,
    module: ModuleType,
    manager: pluggy.PluginManager,
    taken: Callable[[Kind, str], str | None],
) -> list[Entry]:
    """Run the module's register hooks; on any error the module is removed from the manager."""
    hooks = _hooks_of(module)
    full_name = f"{candidate.distribution}/{candidate.name}"
    if manager.has_plugin(full_name):
        raise ValueError(f"another plugin is called '{full_name}'; rename one of the two")
    try:
        manager.register(module, name=full_name)
    except pluggy.PluginValidationError as error:
        raise Incompatible(str(error).splitlines()[-1].strip()) from error
    entries: list[Entry] = []
    others = [plugin for plugin in manager.get_plugins() if plugin is not module]
    try:
        for hook in hooks:
            if hook in KIND_OF_HOOK:
                register = _registrar(candidate, KIND_OF_HOOK[hook], entries, taken)
                manager.subset_hook_caller(hook, others)(register=register)
    except BaseException:
        manager.unregister(module)
        raise
    return entries


def _hooks_of(module: ModuleType) -> list[str]:
    """The hooks a module implements.

    Raises:
        Incompatible: a hook does not exist or is not marked, so that it would never be called.
    """
    hooks = []
    for name, function in vars(module).items():
        if not isinstance(function, FunctionType):
            continue
        mark = getattr(function, "openvlt_impl", None)
        if mark is None and name in HOOKS:
            raise Incompatible(f"hook '{name}' is not marked; put @openvlt.hookimpl above it")
        if mark is not None:
            hook = mark["specname"] or name
            if hook not in HOOKS:
                raise Incompatible(f"there is no hook '{hook}'. {_meant(hook)}")
            hooks.append(hook)
    return hooks


def _meant(hook: str) -> str:
    word = hook.removeprefix("register_").removesuffix("s").replace("_", "-")
    if word in WORDS:
        return f"Use 'register_{WORDS[word]}s': the kind is called {WORDS[word]}."
    return closest(hook, list(HOOKS))


def _registrar(
    candidate: Candidate, kind: Kind, entries: list[Entry], taken: Callable[[Kind, str], str | None]
) -> Callable[..., None]:
    """The argument `register` of a hook for this kind."""

    def register(name: str, target: str | type[Component], *, summary: str, requires: Sequence[str] = ()) -> None:
        _check_arguments(kind, name, summary, requires)
        id = f"{candidate.distribution}/{name}"
        owner = taken(kind, id) or next((candidate.name for e in entries if (e.kind, e.id) == (kind, id)), None)
        if owner is not None:
            raise ValueError(f"{kind} '{id}' is already registered by plugin '{owner}'")
        entries.append(
            Entry(
                kind=kind,
                name=name,
                id=id,
                summary=summary,
                target=_checked_target(kind, name, target),
                requires=tuple(requires),
                plugin=candidate.name,
                version=candidate.version,
                editable=candidate.editable,
            )
        )

    return register


def _check_arguments(kind: Kind, name: object, summary: object, requires: object) -> None:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError(f"{kind} name {name!r} must be lower-case letters, digits, '-', '_' and '.'")

    if not (isinstance(summary, str) and summary.strip() and "\n" not in summary):
        raise ValueError(f"summary of {kind} '{name}' must be one line of text, not {summary!r}")
    if isinstance(requires, str) or not isinstance(requires, Sequence):
        raise TypeError(f"requires of {kind} '{name}' must be a tuple of package names, not {requires!r}")
    for package in requires:
        if not (isinstance(package, str) and package.isidentifier()):
            raise ValueError(f"{kind} '{name}' requires {package!r}, which is not a top-level package name")


def _checked_target(kind: Kind, name: str, target: object) -> str:
    if isinstance(target, type):
        if "<locals>" in target.__qualname__ or "." in target.__qualname__:
            raise ValueError(f"class {target.__qualname__} of {kind} '{name}' must be at the top level of its module")
        return target_of(target)
    if not (isinstance(target, str) and _TARGET.fullmatch(target)):
        raise ValueError(
            f"target {target!r} of {kind} '{name}' must be 'package.module:Class', 'package:file.yaml' or a class"
        )
    return target
