"""What components of others answer a plan is checked, as wrong figures would be shown as right ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt.__main__ import run

Planned = Callable[..., tuple[int, str]]
"""Plans with a component whose methods give other answers; returns the exit code and what is printed."""
PLUGIN = """
from dataclasses import dataclass
from math import inf, nan
from openvlt import Example, Source, TraceFilter, Trainer, hookimpl

@dataclass(frozen=True)
class Trained(Trainer):
    def memory(self, shape, work):
        return {{"weights": 1e9}}

    def train(self, job):
        raise NotImplementedError

    {overridden}

@dataclass(frozen=True)
class Read(Source):
    def examples(self, split):
        yield Example(id="1", question="Why?", answer="yes")

    def size_at_most(self, split):
        return 100

    {overridden}

@dataclass(frozen=True)
class Chosen(TraceFilter):
    def choose(self, example, judged):
        return judged

    {overridden}

@hookimpl
def register_trainers(register):
    register("trained", Trained, summary="trains")

@hookimpl
def register_sources(register):
    register("read", Read, summary="reads")

@hookimpl
def register_filters(register):
    register("chosen", Chosen, summary="chooses")
"""


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Planned:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "recipe.yaml").write_text(
        "name: asked\nbase: tiny-vl\nbench: []\nrewards: {answer: 1.0}\n"
        "traces:\n  data: {source: read, filters: [{use: source-quota, by: kind, count: 10}]}\n"
        "  teacher: {use: policy, k: 4}\n  select: [chosen]\n"
        "train: {sft: {trainer: trained}}\niterations: [{}]\n"
    )

    def plan(**answers: str) -> tuple[int, str]:
        overridden = "\n    ".join(f"{name} = lambda self, *_: {answer}" for name, answer in answers.items()) or "pass"
        plugin = tmp_path / f"odd_{len([*tmp_path.iterdir()])}.py"  # a module is loaded once
        plugin.write_text(PLUGIN.format(overridden=overridden))
        code = run([
            "--plugin", str(plugin), "train", str(tmp_path / "recipe.yaml"), "--plan", "--gpus", "2x80",
        ])  # fmt: skip
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return plan


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        ("memory", ["5", "[1]", "{1: 2}", "{'w': '1'}", "{'w': nan}", "{'w': inf}", "{'w': -1e9}"]),
        ("server_memory", ["5", "{'w': nan}", "{'w': -1}"]),
        ("hours", ["'1'", "nan", "inf", "-4"]),
        ("planned_gpus", ["None", "3", "(1,)", "(0, 1)", "(1, -1)", "(1, 2.5)", "('1', '2')"]),
        ("server_devices", ["None", "-1", "1.5"]),
        ("memory_note", ["None", "5"]),
        ("metadata_values", ["5", "'abc'", "[1, 2]", "[['a']]"]),
        ("size_at_most", ["-1", "2.5", "'3'"]),
        ("keeps_at_most", ["-1", "2.5", "'3'"]),
    ],
)
def test_wrong_figures_are_the_fault_of_the_component_that_gave_them(
    planned: Planned, method: str, answers: list[str]
) -> None:
    for answer in answers:
        code, shown = planned(**{method: answer})
        assert code == 3 and re.search(rf"\w+ (trained|read|chosen) .* failed in {method}: it returned ", shown), shown


def test_a_filter_of_traces_without_a_limit_keeps_all(planned: Planned) -> None:
    code, shown = planned(keeps_at_most="None")
    assert code == 0 and re.search(r"select-1 +chosen +100\b", shown) and re.search(r"sft-1 +trained +400\b", shown)


def test_a_server_counts_where_a_plan_says_whether_all_fits(planned: Planned) -> None:
    code, shown = planned(server_devices="1", server_memory="{'weights': 60e9}")
    assert code == 0 and "It fits: at most 60.0 of 85.9 GB, in sft-1." in shown
    code, shown = planned(server_devices="1", server_memory="{'weights': 200e9}")
    assert code == 2 and "The server of the training needs 200.0 GB of each of its GPUs" in shown
