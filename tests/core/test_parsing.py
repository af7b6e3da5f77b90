"""YAML of other people: within limits, or a sentence with the line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openvlt.bench.definition import define
from openvlt.errors import UsageError
from openvlt.recipe import read_recipe, read_yaml
from openvlt.records import Format
from openvlt.registry import Registry

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = (
    "a: &a {x: 1}\nb: &b {<<: [" + "*a," * 100 + "]}\nc: &c {<<: [" + "*b," * 100 + "]}\nd: {<<: [" + "*c," * 100 + "]}"
)

ODD = [
    (BOMB, "there are over 10,000 values"),
    (MERGES, "there are over 10,000 values"),
    ("a: " + "[" * 99_000, ":1: this is nested over 50 levels deep"),
    ("- " * 40_000, ":1: this is nested over 50 levels deep"),
    ("? " * 40_000, ":1: this is nested over 50 levels deep"),
    ("\n".join(f"key{number}: {number}" for number in range(12_000)), "has over 100,000 characters"),
    ("use: a\nx: 1\nuse: b", ":3: the key 'use' is also on line 1"),
    ('use: "\\ud800"', "half of a surrogate pair"),
    ('use: "a\\0b"', "a NUL character"),
    ("a\0b", "special characters are not allowed"),
    ("use: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ("use: !!binary aGk=", "a bytes is not a text"),
    ("use: 0x" + "f" * 9000, "more than 64 bits"),
    ("use: 1" + ":59" * 30_000, "more than 64 bits"),
    ("use: 1" + ":59" * 30_000 + ".5", "a value cannot be read"),
    ("use: " + "9" * 90_000, "a value cannot be read"),
    *(
        (f"use: !!{tag} {value}", "a value is not what its tag")
        for tag, value in [("int", ""), ("timestamp", "x"), ("bool", "x")]
    ),
    ("use: 2020-99-99", "month must be in 1..12"),
    ("use: &a {<<: *a}", "contains itself"),
]


@pytest.mark.parametrize(("text", "problem"), ODD, ids=range(len(ODD)))
def test_odd_yaml_ends_in_a_sentence_soon(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    started = time.thread_time()
    with pytest.raises(UsageError, match=problem.replace("(", r"\(")):
        read_recipe(str(path))
    with pytest.raises(UsageError, match=problem.replace("(", r"\(")):
        define(Registry.discover([]), str(path), Format())
    assert time.thread_time() - started < 5


def test_what_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(UsageError, match=r"odd\.yaml is not UTF-8 text"):
        read_yaml(path, "recipe")


def test_more_iterations_than_memory_holds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("name: odd\nbase: tiny-vl\niterations: 99999999999")
    with pytest.raises(UsageError, match="99,999,999,999 iterations are asked for, over 1,000"):
        read_recipe(str(path), iterations=2)
