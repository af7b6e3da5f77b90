"""A verdict on a whole plugin: each of its components is built and tried."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from openvlt.errors import OpenvltError, PluginError, UsageError, closest
from openvlt.records import Format
from openvlt.registry import Built, Entry, Plugin, Registry
from openvlt.registry.guard import told
from openvlt.registry.options import OptionInfo
from openvlt.testing.findings import Failed, Finding
from openvlt.testing.material import Material
from openvlt.testing.suites import examine

Outcome: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about a component.

    Attributes:
        entry: its registration.
        outcome: ``skipped`` if it says itself that it lacks something here.
        reason: what it lacks.
        findings: what is wrong with it.
    """

    entry: Entry
    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The verdict as ``openvlt check --json`` shows it."""
        named = {key: getattr(self.entry, key) for key in ("kind", "name", "id")}
        found = [asdict(each) for each in self.findings]
        return {**named, "outcome": self.outcome, "reason": self.reason, "findings": found}


def find_plugins(registry: Registry, name: str) -> list[Plugin]:
    """The plugins that a name, a distribution or a file stands for.

    Raises:
        UsageError: there is none.
    """
    wanted = Path(name).resolve()
    found = [
        plugin for plugin in registry.plugins
        if name in (plugin.name, plugin.distribution, f"{plugin.distribution}/{plugin.name}") or plugin.file == wanted
    ]  # fmt: skip
    if not found:
        names = [each for plugin in registry.plugins for each in (plugin.name, plugin.distribution)]
        raise UsageError(f"There is no plugin '{name}'.", closest(name, names))
    return found


def examine_plugin(
    registry: Registry,
    plugin: Plugin,
    settings: Mapping[str, Mapping[str, Any]],
    material: Material,
    kind: str | None = None,
) -> list[Verdict]:
    """Try all components of a plugin.

    Args:
        registry: that has it.
        plugin: with the status ``ok``.
        settings: options by the name of a component.
        material: what they are tried on.
        kind: only components of this kind.
    """
    wanted = [entry for entry in plugin.components if kind in (None, entry.kind)]
    return [_verdict(registry, entry, settings.get(entry.name, {}), material) for entry in wanted]


def check_settings(registry: Registry, entries: Sequence[Entry], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse settings that concern none of the components.

    Raises:
        UsageError: there is no such component, or those of this name have no such option; names the closest one.
    """
    for name, options in settings.items():
        named = [entry for entry in entries if entry.name == name]
        if not named:
            names = [entry.name for entry in entries]
            raise UsageError(f"There is no component '{name}' to set an option of.", closest(name, names))
        known = {option for entry in named for option in _options(registry, entry)}
        if known and (wrong := next((option for option in options if option not in known), None)):
            raise UsageError(f"The component '{name}' has no option '{wrong}'.", closest(wrong, sorted(known)))


def _options(registry: Registry, entry: Entry) -> list[str]:
    """The names of a component's options; none where its class cannot be imported, which is a finding."""
    try:
        return [option.name for option in registry.describe(entry.kind, entry.id).options]
    except PluginError:
        return []


def _verdict(registry: Registry, entry: Entry, options: Mapping[str, Any], material: Material) -> Verdict:
    if entry.status == "missing-extra":
        return Verdict(entry, "skipped", entry.reason)
    try:
        known = {option.name: option for option in registry.describe(entry.kind, entry.id).options}
        models = {name: "made" for name, option in known.items() if _asks(option)}
        given = {name: value for name, value in options.items() if name in known}  # another kind may have this name too
        built = registry.build(entry.kind, {"use": entry.id, **models, **given}, format=Format())
    except PluginError as error:
        return Verdict(entry, "failed", findings=(Finding("options", f"It cannot be built: {error}"),))
    except UsageError as error:
        option, is_refused = error.option.partition(".")[0], isinstance(error.__cause__, TypeError | ValueError)
        if option in given or (given and is_refused and not option):
            raise
        if is_refused and not (option and known[option].required):
            problem, remedy = f"Its own defaults are refused: {error.problem}", "Correct them, or give none."
            return Verdict(entry, "failed", findings=(Finding("options", problem, remedy),))
        return Verdict(entry, "skipped", str(error))
    except OpenvltError as error:
        return Verdict(entry, "skipped", str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary to a component, which makes its defaults
        return Verdict(entry, "failed", findings=(Finding("options", f"Making its defaults raises {told(error)}."),))
    try:
        findings = [*_identity(registry, built), *examine(built.component, material)]
    except OpenvltError as error:
        return Verdict(entry, "skipped", str(error))
    return Verdict(entry, "failed" if findings else "passed", findings=tuple(findings))


def _asks(option: OptionInfo) -> bool:
    """True if it is a model that must be named, which no check asks."""
    return option.required and option.type == "Model"


def _identity(registry: Registry, built: Built[Any]) -> list[Finding]:
    """What is recorded builds the same component again."""
    try:
        spec = json.loads(json.dumps(built.spec))
        again = registry.build(built.entry.kind, spec)
    except (OpenvltError, ValueError, TypeError) as error:
        return [Finding("identity", f"It cannot be built from what is recorded of it: {error}")]
    if (again.options, again.identity) != (built.options, built.identity):
        return [
            Finding("identity", "Built from what is recorded of it, it has other options.", "Keep options as given.")
        ]
    return []


def check_plugin(
    plugin: ModuleType,
    material: Material | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Sequence[Verdict]:
    """Assert that a plugin loads and that none of its components fails.

    Args:
        plugin: the module with its hooks.
        material: what its components are tried on.
        settings: options by the name of a component, for those that have no defaults.

    Returns:
        A verdict on each component, of which those that lack something here are ``skipped``.

    Raises:
        Failed: the plugin does not load, or a component fails.
        UsageError: a setting concerns none of its components, or is refused.
    """
    registry = Registry.discover(modules=[plugin])
    loaded = registry.plugins[-1]
    if loaded.status != "ok":
        raise Failed(plugin.__name__, [Finding("exceptions", f"It is {loaded.problem}")])
    check_settings(registry, loaded.components, settings or {})
    verdicts = examine_plugin(registry, loaded, settings or {}, material or Material())
    findings = [
        Finding(each.rule, f"{verdict.entry.kind} {verdict.entry.name}: {each.problem}", each.remedy)
        for verdict in verdicts
        for each in verdict.findings
    ]
    if findings:
        raise Failed(plugin.__name__, findings)
    return verdicts
