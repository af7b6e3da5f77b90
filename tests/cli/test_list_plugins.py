"""Every plugin is listed with its state, and none of them breaks a command."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt.cli import COMMANDS

Cli = Callable[..., subprocess.CompletedProcess[str]]
HEAVY = {"torch", "transformers", "datasets", "numpy", "PIL", "sympy", "pydantic", "httpx"}


def listed(process: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert process.returncode == 0, process.stderr
    return {plugin["name"]: plugin for plugin in json.loads(process.stdout)}


def test_each_bad_plugin_is_listed_with_its_reason(crowded: Cli) -> None:
    plugins = listed(crowded("list-plugins", "--json"))
    states = {name: (plugin["status"], plugin["reason"]) for name, plugin in plugins.items()}
    assert states["fails_on_import"] == (
        "broken",
        "ModuleNotFoundError: No module named 'a_package_that_does_not_exist'",
    )
    assert states["raises_while_registering"] == ("broken", "RuntimeError: the licence server is down")
    assert states["misspelt_hook"] == (
        "incompatible",
        "there is no hook 'register_verifier'. Did you mean 'register_verifiers'?",
    )
    assert states["api_two"][0] == "incompatible"
    assert "plugin API 2, this openvlt offers 1" in states["api_two"][1]
    assert plugins["api_two"]["api"] == 2
    for name in ("fails_on_import", "raises_while_registering", "misspelt_hook", "api_two"):
        assert plugins[name]["components"] == []


def test_the_good_plugin_among_bad_ones(crowded: Cli) -> None:
    good = listed(crowded("list-plugins", "--json"))["good"]
    assert good["load_ms"] > 0
    del good["load_ms"]
    ok = {"requires": [], "status": "ok", "reason": ""}
    assert good == {
        "name": "good",
        "origin": "dist",
        "distribution": "openvlt-good",
        "version": "1.2",
        "api": 1,
        "status": "ok",
        "reason": "",
        "components": [
            {
                "kind": "source",
                "name": "sums",
                "id": "openvlt-good/sums",
                "summary": "sums of two small numbers",
                "target": "openvlt_good.sums:Sums",
                **ok,
            },
            {
                "kind": "verifier",
                "name": "brevity",
                "id": "openvlt-good/brevity",
                "summary": "correct answers reached in few words",
                "target": "openvlt_good.brevity:Brevity",
                **ok,
            },
        ],
    }


def test_names_that_clash_are_shadowed_and_say_what_to_write(crowded: Cli) -> None:
    plugins = listed(crowded("list-plugins", "--json"))
    (answer,) = plugins["takes_builtin_name"]["components"]
    assert (answer["status"], answer["reason"]) == (
        "shadowed",
        "'answer' is also openvlt/answer; use 'openvlt-takes-builtin-name/answer'",
    )
    (twin,) = plugins["shares_name_a"]["components"]
    assert (twin["status"], twin["reason"]) == (
        "shadowed",
        "'twin' is also openvlt-shares-name-b/twin; use 'openvlt-shares-name-a/twin'",
    )
    (oracle,) = plugins["needs_extra"]["components"]
    assert (oracle["status"], oracle["reason"]) == (
        "missing-extra",
        "'oracle' needs a_missing_package: pip install 'openvlt-needs-extra[oracle]'",
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_with_all_of_them_installed_every_command_still_starts(crowded: Cli, command: str) -> None:
    process = crowded(command, "--help")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"Usage: openvlt {command}")


def test_the_table_for_people_names_what_json_names(crowded: Cli) -> None:
    lines = crowded("list-plugins").stdout.splitlines()
    assert lines[0].split() == ["name", "origin", "version", "status", "components", "reason"]
    good = next(line for line in lines if line.startswith("good "))
    assert good.split(maxsplit=4)[:4] == ["good", "openvlt-good", "1.2", "ok"]
    assert good.endswith("source: sums; verifier: brevity")


def test_verbose_shows_load_times_and_tracebacks(crowded: Cli) -> None:
    text = crowded("list-plugins", "--verbose").stdout
    assert text.splitlines()[0].endswith("load ms")
    assert "openvlt-raises-while-registering/raises_while_registering:\nTraceback" in text
    assert 'raise RuntimeError("the licence server is down")' in text


def test_one_kind_only(crowded: Cli) -> None:
    plugins = listed(crowded("list-plugins", "--json", "--kind", "source"))
    assert {one["kind"] for plugin in plugins.values() for one in plugin["components"]} == {"source"}
    assert "good" in plugins
    assert "shares_name_a" not in plugins


def test_the_switches(crowded: Cli) -> None:
    none = listed(crowded("list-plugins", "--json", OPENVLT_PLUGINS=""))
    assert {plugin["status"] for plugin in none.values()} == {"disabled"}
    one = listed(crowded("list-plugins", "--json", OPENVLT_PLUGINS="openvlt-good"))
    assert [name for name, plugin in one.items() if plugin["status"] == "ok"] == ["good"]
    off = listed(crowded("list-plugins", "--json", OPENVLT_DISABLE_PLUGINS="good, fails_on_import"))
    assert (off["good"]["status"], off["good"]["reason"]) == ("disabled", "named in OPENVLT_DISABLE_PLUGINS")
    assert off["fails_on_import"]["status"] == "disabled"
    assert off["shares_name_a"]["status"] == "ok"


def test_a_switch_that_names_no_plugin_is_told(crowded: Cli) -> None:
    process = crowded("list-plugins", OPENVLT_DISABLE_PLUGINS="goood")
    assert process.returncode == 0
    assert (
        process.stderr
        == "Note: OPENVLT_DISABLE_PLUGINS names 'goood', which is no plugin of this environment. Did you mean 'good'?\n"
    )


def test_a_terminal_shows_a_rich_table(all_plugins: Path) -> None:
    screen, terminal = os.openpty()
    environment = os.environ | {"PYTHONPATH": str(all_plugins), "COLUMNS": "200", "TERM": "xterm"}
    command = [sys.executable, "-m", "openvlt", "list-plugins", "--kind", "source"]
    with subprocess.Popen(command, env=environment, stdout=terminal, stderr=subprocess.PIPE) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
            while part := os.read(screen, 65536):
                shown += part
    os.close(screen)
    assert process.returncode == 0
    assert "\u2500" in shown.decode(), "the line below the header"
    assert "openvlt-good" in shown.decode()


@pytest.mark.parametrize("arguments", [["list-plugins"], ["--help"], ["list-plugins", "--json"]])
def test_the_start_imports_nothing_heavy(arguments: list[str], all_plugins: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(all_plugins)!r})
sys.argv = ["openvlt", *{arguments!r}]
from openvlt.__main__ import run
code = run(sys.argv[1:])
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(code, sorted({HEAVY!r} & loaded), file=sys.stderr)
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stderr == "0 []\n"


def test_a_reader_that_leaves_is_no_error(all_plugins: Path) -> None:
    command = f"PYTHONPATH={all_plugins} {sys.executable} -m openvlt list-plugins --json | head -c 1"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert process.stderr == ""


def test_plugins_by_others_are_listed(openvlt: Cli) -> None:
    listed = json.loads(openvlt("list-plugins", "--available", "--json").stdout)
    assert {"trainer", "filter", "verifier"} == {*next(each for each in listed if "papers" in each["name"])["kinds"]}
    assert "openvlt-papers" in openvlt("list-plugins", "--available", "--kind", "trainer").stdout
    assert "openvlt-papers" not in openvlt("list-plugins", "--available", "--kind", "source").stdout


def test_a_kind_may_be_called_by_another_word(openvlt: Cli) -> None:
    assert openvlt("list-plugins", "--kind", "reward").stdout == openvlt("list-plugins", "--kind", "verifier").stdout
    assert openvlt("describe", "reward", "format").returncode == 0
    assert "'rewad' is not one of" in openvlt("describe", "rewad", "format").stderr


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("rewards", "there is no hook 'register_rewards'. Use 'register_verifiers': the kind is called verifier. Fix"),
        ("example_filters", "Use 'register_filters': the kind is called filter. Fix"),
        ("sorces", "there is no hook 'register_sorces'. Did you mean 'register_sources'? Fix"),
    ],
)
def test_a_hook_that_does_not_exist(openvlt: Cli, tmp_path: Path, hook: str, said: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"from openvlt import hookimpl\n@hookimpl\ndef register_{hook}(register): ...\n")
    assert said in openvlt("check", file).stderr
