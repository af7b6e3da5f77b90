"""What holds for every built-in component, whatever its kind."""

from __future__ import annotations

import json

import pytest

from openvlt import DataError, Format, UsageError
from openvlt.registry import Entry, Registry

REGISTRY = Registry.discover()
COMPONENTS = [entry for entry in REGISTRY.entries() if entry.id.startswith("openvlt/")]


def test_every_builtin_plugin_is_ok() -> None:
    builtin = [plugin for plugin in REGISTRY.plugins if plugin.origin == "builtin"]
    assert {plugin.name: plugin.reason for plugin in builtin if plugin.status != "ok"} == {}
    assert all(plugin.components for plugin in builtin)


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_it_explains_itself(entry: Entry) -> None:
    description = REGISTRY.describe(entry.kind, entry.name)
    assert description.text, "its class has a docstring"
    assert [option.name for option in description.options if not option.text] == []


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_it_is_built_from_its_defaults_and_again_from_what_is_recorded(entry: Entry) -> None:
    required = [option.name for option in REGISTRY.describe(entry.kind, entry.name).options if option.required]
    if entry.status == "missing-extra" or set(required) - {"format"}:
        pytest.skip(f"{entry.reason or 'it has no default for ' + ', '.join(required)}")
    try:
        built = REGISTRY.build(entry.kind, entry.name, format=Format())
    except (UsageError, DataError) as error:
        pytest.skip(f"its defaults alone are refused: {error}")
    again = REGISTRY.build(entry.kind, {"use": entry.id, **json.loads(json.dumps(built.options))})
    assert (again.options, again.identity) == (built.options, built.identity)
