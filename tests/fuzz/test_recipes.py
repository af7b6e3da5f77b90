"""Recipes, settings and benchmark files of other people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from entrance import command, fuzzed
from hypothesis import strategies as st
from odd import TEXTS, VALUES, file_of, mutated

from openvlt.recipe import find_recipes

WHOLE = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in find_recipes().values()]
PIECES = [
    "a: ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "? ", ": ", "\n", "  ", "|\n", ">-\n", "!!int ", "!!set ", "!x ",
    "%YAML 1.1\n", "---\n", "...", "'", '"', '"\\ud800"', '"\\0"', "#", ",", "\t", "0x1F", "1:2:3", "2020-13-45", "~", "=",
    "name: ", "base: ", "train: ", "iterations: ", "traces: ", "use: ", "1_0", ".nan", "é", "\ufeff", "\x85", "\u2028",
]  # fmt: skip
WORDS = st.lists(st.sampled_from(PIECES) | st.sampled_from(TEXTS), max_size=12).map(
    lambda some: "".join(some).encode("utf-8", "replace")
)
RECIPES = st.one_of(st.sampled_from(WHOLE).flatmap(file_of), st.sampled_from(WHOLE).flatmap(file_of), WORDS)
KEYS = st.lists(
    st.sampled_from(["train", "traces", "sft", "teacher", "iterations", "0", "-1", "99", "base", "seed", "bench", "k", "data",
                     "limit", "executor", "rewards", "", "trainer", "use", "model", *TEXTS[:20]]),
    min_size=1, max_size=5,
).map(".".join)  # fmt: skip
QUESTIONS = {
    "use": "qa",
    "source": {"use": "table", "path": "questions.jsonl", "id": "id", "question": "question", "answer": "answer"},
    "scorings": {"exact": "answer"},
}


@fuzzed(60, content=RECIPES)
def test_a_recipe(content: bytes, home: Path) -> None:
    Path("recipe.yaml").write_bytes(content)
    command("recipe", "train", "recipe.yaml", "--plan")


@fuzzed(
    40, key=KEYS, value=st.sampled_from(PIECES + TEXTS) | VALUES.map(repr), name=st.sampled_from(list(find_recipes()))
)
def test_a_setting(key: str, value: str, name: str, home: Path) -> None:
    command("setting", "train", name, "--plan", "--set", f"{key}={value}")


@fuzzed(30, spec=mutated(QUESTIONS).map(lambda value: yaml.safe_dump(value).encode()) | file_of(QUESTIONS) | WORDS)
def test_a_benchmark_file(spec: bytes, home: Path) -> None:
    Path("bench.yaml").write_bytes(spec)
    Path("questions.jsonl").write_text('{"id": "1", "question": "1 + 1?", "answer": "2"}\n')
    Path("responses.jsonl").write_text('{"id": "1", "response": "2"}\n')
    command("benchmark", "bench", "bench.yaml", "--responses", "responses.jsonl")


@fuzzed(
    30,
    spec=VALUES.map(repr) | st.sampled_from(PIECES + TEXTS),
    kind=st.sampled_from(["teacher", "captioner", "verifier"]),
)
def test_a_spec_of_the_command_line(spec: Any, kind: str, home: Path, fake: tuple[str, ...]) -> None:
    name = {"teacher": "tutor", "captioner": "qwen-vl", "verifier": "answer"}[kind]
    command(
        "spec", *fake, "try", kind, name, "--source", f"{{use: made, n: {spec}}}", "--limit", "1", "--set", f"k={spec}"
    )
