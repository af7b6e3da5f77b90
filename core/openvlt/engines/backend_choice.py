"""Chooses a backend for models that name none, or several."""

from __future__ import annotations

from collections.abc import Sequence

from openvlt.errors import PluginError, UsageError
from openvlt.interfaces import Backend, DefaultFor
from openvlt.records import Model
from openvlt.registry import Entry, Registry, Spec
from openvlt.registry.targets import component_class, is_data, is_installed, read_data

LARGE = 2_000_000_000
"""Bytes of weights from which a backend for large models is worth its start-up of about a minute."""


def choose_backend(model: Model, size_bytes: int | None, registry: Registry) -> tuple[str, str]:
    """Choose a backend for a model that names none.

    Args:
        model: to run.
        size_bytes: of its weights, None if they are not on this machine.
        registry: has the backends; each declares what it is the default for.

    Returns:
        The backend's name, and the reason in half a sentence.

    Raises:
        UsageError: no plugin has a backend for such a model.
    """
    if model.url:
        return _first(registry, "endpoints").name, "it has a URL"
    if size_bytes is not None and size_bytes < LARGE:
        return _first(registry, "any").name, "the model is small"
    large = _defaults(registry, "large")
    if ready := [entry for entry in large if entry.status == "ok"]:
        return ready[0].name, "it is installed and the model is large"
    absent = f"{large[0].name} is not installed" if large else "no backend for large models is installed"
    return _first(registry, "any").name, absent


def keep_for_endpoints(backend: Spec | tuple[Spec, ...] | None, registry: Registry) -> Spec | None:
    """The backend a model names if that backend asks endpoints; None if endpoints replace it.

    Raises:
        PluginError: there is no such backend.
    """
    if not backend or isinstance(backend, tuple):
        return None
    entry = registry.find("backend", _name(backend))
    if is_data(entry.target):
        entry = registry.find("backend", read_data(entry.target)["use"])
    return backend if _default_for(entry) == "endpoints" else None


def first_installed(specs: Sequence[Spec], registry: Registry) -> tuple[Spec, str]:
    """The first backend whose packages are installed, else the last, and the reason in half a sentence."""
    names = list(map(_name, specs))
    for name, spec in zip(names, specs, strict=True):
        if all(is_installed(package) for package in registry.find("backend", name).requires):
            return spec, f"it is the first of {', '.join(names)} that is installed"
    return specs[-1], f"none of {', '.join(names)} is installed"


def _first(registry: Registry, models: DefaultFor) -> Entry:
    """The default backend for such models. If none is installed, building the first tells what to install."""
    entries = _defaults(registry, models)
    if not entries:
        raise UsageError(
            "No loaded plugin has a backend for this model.", "Install one, or name a backend in the recipe."
        )
    return next((entry for entry in entries if entry.status == "ok"), entries[0])


def _defaults(registry: Registry, models: DefaultFor) -> list[Entry]:
    """The default backends for such models, installed or not, in order of registration."""
    # a backend that is data only presets options of another, and is used only where it is named
    own = (entry for entry in registry.entries("backend") if entry.status != "shadowed" and not is_data(entry.target))
    return [entry for entry in own if _default_for(entry) == models]


def _default_for(entry: Entry) -> DefaultFor | None:
    try:
        component = component_class(entry)
    except PluginError:  # a broken backend is an error only where it is named
        return None
    return component.default_for if issubclass(component, Backend) else None


def _name(spec: Spec) -> str:
    return spec if isinstance(spec, str) else str(spec["use"])
