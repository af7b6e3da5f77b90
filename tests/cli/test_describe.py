"""A component's options, as a person and as a program reads them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_options_with_types_defaults_units_and_texts(crowded: Cli) -> None:
    process = crowded("describe", "verifier", "brevity")
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == ("verifier brevity (openvlt-good/brevity, version 1): correct answers reached in few words")
    assert "Rewards correct answers that are reached in few words." in lines
    assert lines[-2].split() == ["option", "default", "unit", "what", "it", "does", "type"]
    assert lines[-1].split() == ["limit", "120", "words", "full", "score", "up", "to", "int,", "at", "least", "1"]


def test_as_json(crowded: Cli) -> None:
    described = json.loads(crowded("describe", "source", "openvlt-good/sums", "--json").stdout)
    assert (described["id"], described["version"], described["plugin"]) == ("openvlt-good/sums", "1", "good")
    assert described["options"] == [
        {
            "name": "largest",
            "type": "int",
            "required": False,
            "default": 9,
            "text": "largest number to add",
            "unit": "",
            "bounds": "at least 0",
            "affects_output": True,
        }
    ]


def test_a_shared_name_is_an_error_that_names_both(crowded: Cli) -> None:
    process = crowded("describe", "verifier", "twin")
    assert process.returncode == 3
    assert process.stderr == (
        "Error: The verifier name 'twin' belongs to several plugins: 'openvlt-shares-name-a/twin' and "
        "'openvlt-shares-name-b/twin'. Use one of these ids.\n"
    )
    assert crowded("describe", "verifier", "openvlt-shares-name-b/twin").returncode == 0


def test_a_builtin_keeps_its_name(crowded: Cli) -> None:
    assert "(openvlt/answer, version" in crowded("describe", "verifier", "answer").stdout
    theirs = crowded("describe", "verifier", "openvlt-takes-builtin-name/answer").stdout
    assert "Finds every answer correct." in theirs
    assert "shadowed: 'answer' is also openvlt/answer" in theirs


def test_an_unknown_name_offers_the_closest(crowded: Cli) -> None:
    process = crowded("describe", "verifier", "brevty")
    assert process.returncode == 3
    assert "There is no verifier 'brevty'. Did you mean 'brevity'?" in process.stderr
    assert "fails_on_import" in process.stderr, "what did not load may hold the name"
