"""What a plugin does wrong is said of the plugin, and stays with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt import UsageError
from openvlt.registry import Plugin, Registry

HEAD = """
from dataclasses import dataclass
from openvlt import Claim, Source, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Plain(Verifier):
    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()

"""
Load = Callable[[str], Plugin]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a one-file plugin from its text, and nothing else."""
    monkeypatch.setenv("OPENVLT_PLUGINS", "")

    def write(text: str) -> Plugin:
        file = tmp_path / "mine.py"
        file.write_text(HEAD + text)
        return Registry.discover([file]).plugins[-1]

    return write


def hook(call: str) -> str:
    return f"@hookimpl\ndef register_verifiers(register):\n    register({call})\n"


def test_a_class_is_registered_by_its_file(load: Load, tmp_path: Path) -> None:
    plugin = load(hook('"plain", Plain, summary="says yes"'))
    assert (plugin.status, plugin.origin, plugin.api) == ("ok", "file", 1)
    (entry,) = plugin.components
    assert (entry.kind, entry.id, entry.target) == ("verifier", "file:mine/plain", f"{tmp_path}/mine.py:Plain")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ('"Plain", Plain, summary="x"', "verifier name 'Plain' must be lower-case"),
        ('"a/b", Plain, summary="x"', "verifier name 'a/b' must be lower-case"),
        ("7, Plain, summary='x'", "verifier name 7 must be lower-case"),
        ('"plain", Plain', "missing 1 required keyword-only argument: 'summary'"),
        ('"plain", Plain, summary=""', "summary of verifier 'plain' must be one line of text"),
        ('"plain", Plain, summary="a\\nb"', "summary of verifier 'plain' must be one line of text"),
        ('"plain", "nowhere", summary="x"', "target 'nowhere' of verifier 'plain' must be 'package.module:Class'"),
        ('"plain", 3, summary="x"', "target 3 of verifier 'plain' must be"),
        ('"plain", Plain(), summary="x"', "target Plain() of verifier 'plain' must be"),
        ('"plain", type("Local", (Plain,), {"__qualname__": "f.<locals>.Local"}), summary="x"', "top level"),
        ('"plain", Plain, summary="x", requires="torch"', "requires of verifier 'plain' must be a tuple"),
        ('"plain", Plain, summary="x", requires=("a.b",)', "'a.b', which is not a top-level package"),
        ('"plain", Plain, summary="x", colour="red"', "unexpected keyword argument 'colour'"),
    ],
)
def test_a_wrong_argument_breaks_the_plugin(load: Load, call: str, reason: str) -> None:
    plugin = load(hook(call))
    assert (plugin.status, plugin.components) == ("broken", ())
    assert reason in plugin.reason
    assert "register_verifiers" in plugin.traceback


def test_one_name_twice_breaks_the_plugin(load: Load) -> None:
    plugin = load(hook('"plain", Plain, summary="x"') + '    register("plain", Plain, summary="y")\n')
    assert plugin.reason == "ValueError: verifier 'file:mine/plain' is already registered by plugin 'mine'"


def test_one_name_for_two_kinds_is_fine(load: Load) -> None:
    text = hook('"plain", Plain, summary="x"') + "@hookimpl\ndef register_filters(register):\n"
    assert load(text + '    register("plain", "some.module:Filter", summary="x")\n').status == "ok"


def test_two_files_of_one_stem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_PLUGINS", "")
    files = [tmp_path / folder / "mine.py" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(HEAD + hook('"plain", Plain, summary="x"'))
    first, second = Registry.discover([*files, files[0]]).plugins[-2:]
    assert (first.status, second.status) == ("ok", "broken")
    assert second.reason == "ValueError: another plugin is called 'file:mine/mine'; rename one of the two"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@hookimpl\ndef register_verifyers(register): ...", "Did you mean 'register_verifiers'?"),
        ("@hookimpl\ndef on_stage_ends(run, stage): ...", "Did you mean 'on_stage_end'?"),
        ("@hookimpl\ndef on_run_end(run, tracker): ...", "tracker"),
        ("def register_sources(register): ...", "hook 'register_sources' is not marked"),
        ("OPENVLT_API = 2", "plugin API 2, this openvlt offers 1"),
        ("OPENVLT_API = 'one'", "its OPENVLT_API is 'one'; it must be a whole number"),
    ],
)
def test_hooks_of_another_openvlt(load: Load, text: str, reason: str) -> None:
    plugin = load(hook('"plain", Plain, summary="x"') + text)
    assert (plugin.status, plugin.components) == ("incompatible", ())
    assert reason in plugin.reason


def test_a_registration_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    failing = "@hookimpl\ndef register_verifiers(register):\n    raise RuntimeError('stop')\n"
    event = "@hookimpl\ndef on_run_end(run):\n    raise AssertionError\n"
    sources = "@hookimpl\ndef register_sources(register):\n    register('half', 'a.b:C', summary='x')\n"
    file.write_text(HEAD + sources + failing + event)
    registry = Registry.discover([file])
    assert registry.plugins[-1].status == "broken"
    assert "half" not in registry.names("source")
    assert not any("half" in str(registry.hooks.get_name(plugin)) for plugin in registry.hooks.get_plugins())
    assert registry.hooks.hook.on_run_end.get_hookimpls() == [
        impl for impl in registry.hooks.hook.on_run_end.get_hookimpls() if "half" not in impl.plugin_name
    ]


def test_files_that_cannot_be_plugins(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not a Python file"):
        Registry.discover([tmp_path / "notes.txt"])
    with pytest.raises(UsageError, match="does not exist"):
        Registry.discover([tmp_path / "none.py"])


def test_a_file_that_was_named_is_loaded_whatever_is_allowed(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("").status == "ok"
    monkeypatch.setenv("OPENVLT_DISABLE_PLUGINS", "mine")
    assert load("").status == "disabled"
