"""Nothing of foreign text controls a terminal, and JSON that is printed keeps its meaning."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata

import click
import pytest
from hypothesis import given, strategies as st

from openvlt.terminal import escape, escaped, raw


def test_every_control_format_and_surrogate_character_is_escaped() -> None:
    unsafe = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    kept = "\t\n\u200c\u200d"
    left = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) != "Cn"  # a later Unicode may assign it
        and (chr(code) not in kept and unicodedata.category(chr(code)) in unsafe) != (escape(chr(code)) != chr(code))
    ]
    assert left == []


@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_printed_json_keeps_its_meaning(value: object) -> None:
    assert json.loads(escape(json.dumps(value, ensure_ascii=False))) == value


@given(st.text(st.characters(codec=None)))  # type: ignore[arg-type]
def test_whatever_is_printed_can_be_encoded(text: str) -> None:
    escape(text).encode()


def test_all_output_is_escaped_and_the_streams_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with escaped():
        print("\x1b[2J\u202egold\ud800")
        print("\x07", file=sys.stderr)
        raw(sys.stdout).write("\x1b[0m\n")
    assert sys.stdout is before
    assert capsys.readouterr() == ("\\u001b[2J\\u202egold\\ud800\n\x1b[0m\n", "\\u0007\n")


def test_a_stream_without_a_character_gets_its_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    with escaped():
        print("é")
        click.echo("\u202e\U0001f600")
        sys.stdout.flush()
    assert content.getvalue() == b"\\u00e9\n\\u202e\\ud83d\\ude00\n"


@pytest.mark.parametrize(("given", "found"), [({}, "1 0 1"), ({"RAY_USAGE_STATS_ENABLED": "1"}, "1 1 1")])
def test_telemetry_is_off_unless_the_user_turned_it_on(given: dict[str, str], found: str) -> None:
    names = ("VLLM_NO_USAGE_STATS", "RAY_USAGE_STATS_ENABLED", "HF_HUB_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in names} | given
    code = f"import openvlt, os; print(*(os.environ[name] for name in {names}))"
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == found
