"""Teachers beyond one prompt: programs, samples that differ, several models, a look at the image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import Bench, bench

from openvlt import Model
from openvlt.errors import DataError, OpenvltError
from openvlt.stages.distill import distill
from openvlt.stages.workspace import Output
from openvlt.store import open_home

PLUGIN = """
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from openvlt import Format, Message, Model, ProgramTeacher, Reject, Samples, Sampling, Teacher, Trace, hookimpl, parse

LOG: list[str] = []

@dataclass(frozen=True)
class Solver(ProgramTeacher):
    samples: Samples = 3
    does: str = "solves"

    @contextmanager
    def open(self, read: Any) -> Iterator[Any]:
        LOG.append("open")
        yield lambda example, caption, sample: self.solve(example, sample, read)
        LOG.append("close")

    def solve(self, example: Any, sample: int, read: Any) -> Any:
        LOG.append(f"{example.id}#{sample}")
        red = read(example.images[0]).getpixel((0, 0))[0]
        if self.does == "rejects" and sample != 1:
            raise Reject("it cannot be solved")
        if self.does == "fails":
            raise KeyError("step")
        if self.does == "wrong":
            return "a text"
        if self.does == "silent" and red % 2:
            return None
        return Trace(think=f"way {sample}, red {red}", answer=example.answer, raw="...")

@dataclass(frozen=True)
class Critical(Teacher):
    model: Model = Model(id="base")
    critic: Model = Model(id="base")
    asks: str = "critic"
    uses_caption = False

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=2, temperature=0.7)

    def messages(self, example: Any, caption: Any) -> list[Message]:
        return [Message.user(f"{example.question}")]

    def parse(self, completion: Any) -> Trace:
        return parse(completion, Format())

    def run(self, example: Any, caption: Any, chat: Any) -> Trace:
        red = chat.read(example.images[0]).getpixel((0, 0))[0]
        first = chat([Message.user(f"style {chat.sample}, red {red}: {example.question}")])
        again = chat([Message.user(f"Check {first.text!r}: {example.question}")], model=self.asks, temperature=0.0)
        return self.parse(again)

@hookimpl
def register_teachers(register):
    register("solver", Solver, summary="solves without a model")
    register("critical", Critical, summary="lets another model check")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "teachers.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture
def teaching(
    tmp_path: Path, plugin: Path, fake_plugin: Path, fake_model: Path, fake: Callable[..., None], monkeypatch: Any
) -> Bench:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    return bench(open_home(), [fake_plugin, plugin], fake_model, tmp_path / "asked.jsonl")


def log(made: Any) -> list[str]:
    import sys

    lines: list[str] = sys.modules[type(made.component).__module__].LOG
    found = list(lines)
    lines.clear()
    return found


def solve(teaching: Bench, rows: Output, **options: Any) -> tuple[Output, list[str]]:
    built = teaching.build("teacher", "solver", **options)
    log(built)
    return distill(teaching.workspace, "distill-1", 1, rows, built, {}), log(built)


def test_a_program_writes_each_sample_once(teaching: Bench) -> None:
    rows = teaching.load(n=2)
    made, done = solve(teaching, rows, samples=2)
    assert done == ["open", "train/0#0", "train/0#1", "train/1#0", "train/1#1", "close"]
    thoughts = [[(trace.sample, trace.think) for trace in row.traces] for row in made.rows()]
    assert thoughts == [[(0, "way 0, red 0"), (1, "way 1, red 0")], [(0, "way 0, red 1"), (1, "way 1, red 1")]]
    again, done = solve(teaching, rows, samples=2)
    assert again.record.cached and not done
    more, done = solve(teaching, rows, samples=3)
    assert done == ["open", "train/0#2", "train/1#2", "close"] and len(next(more.rows()).traces) == 3


@pytest.mark.parametrize(
    ("does", "out", "rejected"),
    [
        ("rejects", 6, {"it cannot be solved": 12}),
        ("silent", 3, {"the program writes no chain": 9, "no sample is a trace": 3}),
    ],
)
def test_what_a_program_does_not_solve_is_counted(
    teaching: Bench, does: str, out: int, rejected: dict[str, int]
) -> None:
    teaching.workspace.reject_above = 0.9
    made, _ = solve(teaching, teaching.load(n=6), does=does)
    assert (made.record.out, made.record.rejected) == (out, rejected)


@pytest.mark.parametrize(("does", "said"), [("fails", "KeyError"), ("wrong", "it returned str, not a Trace")])
def test_a_program_that_fails_is_named(teaching: Bench, does: str, said: str) -> None:
    with pytest.raises(DataError, match=f"6 x teacher solver .* failed in the function of open: .*{said}"):
        solve(teaching, teaching.load(n=2), does=does)


def criticise(teaching: Bench, rows: Output, critic: Path, **options: Any) -> Output:
    spec = {"model": {"id": str(teaching.model), "backend": "fake"}, "critic": {"id": str(critic), "backend": "fake"}}
    built = teaching.build("teacher", "critical", **spec, **options)
    models = {name: teaching.workspace.resolve(getattr(built.component, name)) for name in spec}
    return distill(teaching.workspace, "distill-1", 1, rows, built, models)


def test_a_conversation_asks_several_models_and_knows_its_sample(teaching: Bench, tmp_path: Path) -> None:
    critic = tmp_path / "critic"
    critic.mkdir()
    (critic / "skill.json").write_text('{"skill": 1.0}')
    rows = teaching.load(n=3)
    made = criticise(teaching, rows, critic)
    asked = teaching.asked()
    first, checks = (
        [each for each in asked if "style" in each["text"]],
        [each for each in asked if "Check" in each["text"]],
    )
    assert {each["text"][:15].partition(":")[0] for each in first} == {
        f"style {s}, red {n}" for s in (0, 1) for n in range(3)
    }
    assert len(checks) == 6 and {each["temperature"] for each in checks} == {0.0}
    assert all(trace.answer == row.example.answer for row in made.rows() for trace in row.traces), "the critic is right"
    (critic / "skill.json").write_text('{"skill": 0.0}')
    other = criticise(teaching, rows, critic)
    assert other.record.fingerprint != made.record.fingerprint, "another critic makes other chains"
    assert all(trace.answer != row.example.answer for row in other.rows() for trace in row.traces)


def test_a_model_that_is_no_option_is_named(teaching: Bench) -> None:
    with pytest.raises(OpenvltError, match="asks its model 'critik', and has model, critic"):
        criticise(teaching, teaching.load(n=2), teaching.model, asks="critik")


def test_a_program_teaches_a_recipe(teaching: Bench, plugin: Path, fake_plugin: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from openvlt.cli import cli

    (tmp_path / "loop.yaml").write_text(
        f"name: loop\nbase: {{id: {teaching.model}, backend: fake}}\nrewards: {{answer: 1.0}}\n"
        "traces: {data: {source: {use: made, n: 4}}, teacher: {use: solver, samples: 2}}\n"
    )
    options = ["--plugin", str(fake_plugin), "--plugin", str(plugin)]
    runner = CliRunner(env={"COLUMNS": "200"})

    def run(*words: str) -> str:
        result = runner.invoke(cli, [*options, *words])
        assert result.exit_code == 0, result.output + str(result.exception)
        return result.output

    plan = run("train", str(tmp_path / "loop.yaml"), "--plan")
    assert "solver, 2 each" in plan and "caption" not in plan
    run("distill", str(tmp_path / "loop.yaml"), "--out", str(tmp_path / "data"))
    assert "solver" in (tmp_path / "data" / "README.md").read_text()
    stages = json.loads(run("runs", "--json"))[0]["stages"]
    assert [(each["name"], each["out"]) for each in stages][-3:] == [("distill-1", 4), ("verify-1", 4), ("select-1", 4)]
    shown = run("try", "teacher", "solver", "--source", "made", "--limit", "1")
    assert "way 0, red 0" in shown


def test_a_model_option_that_is_no_option_is_still_asked(teaching: Bench) -> None:
    from openvlt import Teacher
    from openvlt.registry import Built, Entry
    from openvlt.stages.asker import models_of_run

    class Fixed(Teacher):
        model = Model(id="base")
        messages = parse = None  # type: ignore[assignment]

    Fixed.__abstractmethods__ = frozenset()
    entry = Entry(kind="teacher", name="fixed", id="test/fixed", summary="", target="")
    assert models_of_run(Built(Fixed(), entry, {}, "")) == {"model": Model(id="base")}
