"""``openvlt bench`` with a model, on a backend whose replies are written down beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from openvlt.__main__ import run

Bench = Callable[..., Any]

BACKEND = '''
"""A backend that replies what the file REPLIES says, by question; "DOWN" is an endpoint that does not answer."""
import json, os
from contextlib import contextmanager
from dataclasses import dataclass
from openvlt import Backend, Completion, Rejected, hookimpl


@hookimpl
def register_backends(register):
    register("scripted", Scripted, summary="replies from a file")


class Engine:
    def generate(self, requests, sampling):
        with open(os.environ["REPLIES"]) as file:
            replies = json.load(file)
        with open(os.environ["REPLIES"] + ".asked", "a") as asked:
            return [[self.reply(request, replies, asked)][0] for request in requests]

    def reply(self, request, replies, asked):
        text = next(part for part in request.messages[-1].content if isinstance(part, str))
        said = next(said for question, said in replies.items() if question in text)
        asked.write(text + "\\n")
        if said == "DOWN":
            return Rejected(id="", reason="no endpoint answers", transient=True)
        if said == "LONG":
            return Rejected(id="", reason="the prompt is over the context")
        cut = said.endswith("...")
        return [Completion(text=said, finish_reason="length" if cut else "stop", prompt_tokens=9, completion_tokens=4)]


@dataclass(frozen=True)
class Scripted(Backend):
    capabilities = frozenset({"images"})
    chunk = 2

    @contextmanager
    def open(self, model, read):
        yield Engine()
'''

REPLIES = {"How many?": "The answer is 3.", "Which one?": "\\boxed{B}", "How far?": "so we go on and...", "What?": ""}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run a benchmark of four questions with one image; ``bench(replies)`` is its result, or code and message."""
    from PIL import Image

    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REPLIES", str(tmp_path / "replies.json"))
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    (tmp_path / "scripted.py").write_text(BACKEND)
    row = {"image": "a.png", "options": [], "level": 1, "subject": "counting"}
    rows = [
        {**row, "id": "1", "question": "How many?", "answer": "3"},
        {**row, "id": "2", "question": "Which one?", "answer": "B", "options": ["1", "2", "3"]},
        {**row, "id": "3", "question": "How far?", "answer": "9"},
        {**row, "id": "4", "question": "What?", "answer": "7"},
    ]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def call(replies: dict[str, str], *more: str, name: str = "mathvision", plugins: Sequence[str] = ()) -> Any:
        (tmp_path / "replies.json").write_text(json.dumps(replies))
        (tmp_path / "replies.json.asked").write_text("")
        told = ["--plugin", str(tmp_path / "scripted.py"), *plugins, "bench", name, "--model", "org/model"]
        data = ["--data", str(tmp_path / "test.jsonl")] if name == "mathvision" else []
        code = run([*told, "--backend", "scripted", *data, "--json", *more])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


def asked(tmp_path: Path) -> int:
    return (tmp_path / "replies.json.asked").read_text().count("boxed")


def test_a_model_is_asked_and_scored(bench: Bench) -> None:
    told = bench(REPLIES)
    assert {name: counts["correct"] for name, counts in told["scores"].items()} == {"strict": 2, "official": 2}
    assert (told["n"], told["truncated"], told["unparsed"], told["mean_tokens"]) == (4, 1, 2, 4.0)
    assert any("1 of 4 responses were cut at the token limit" in note for note in told["notes"])
    protocol = told["protocol"]
    assert protocol["decoding"] == {
        "n": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 16384, "repetition_penalty": 1.0,
        "stop": [], "seed": 0, "presence_penalty": 0.0, "cuts": [], "extra_body": {},
    }  # fmt: skip
    assert protocol["model"]["id"] == "org/model" and protocol["model"]["backend"] == "file:scripted/scripted"


def test_a_model_that_writes_nothing(bench: Bench) -> None:
    told = bench(dict.fromkeys(REPLIES, ""))
    assert {name: counts["correct"] for name, counts in told["scores"].items()} == {"strict": 0, "official": 0}
    assert (told["unparsed"], told["unanswered"]) == (4, [])


@pytest.mark.parametrize(
    ("why", "served", "again"), [("DOWN", False, 1), ("DOWN", True, 1), ("LONG", True, 1), ("LONG", False, 0)]
)
def test_questions_without_a_reply_widen_the_score_and_are_asked_again(
    bench: Bench, tmp_path: Path, why: str, served: bool, again: int
) -> None:
    more = ("--url", "http://127.0.0.1:9/v1") if served else ()
    told = bench({**REPLIES, "How many?": why}, *more)
    reason = {"DOWN": "no endpoint answers", "LONG": "refused: " * served + "the prompt is over the context"}
    strict = told["scores"]["strict"]
    assert (strict["accuracy"], strict["bounds"], strict["n"], strict["undecided"]) == (None, [0.25, 0.5], 4, 1)
    assert told["failed"] == {"1": reason[why]} and told["unanswered"] == []
    assert told["notes"][0] == f"1 of 4 questions failed and leave the score open (1 x {reason[why]})"
    assert any("the same command asks again" in note for note in told["notes"]) == bool(again)
    told = bench(REPLIES, *more)
    assert asked(tmp_path) == again
    # What a model that runs here cannot be asked, it never can.
    assert (told["failed"], told["scores"]["strict"]["accuracy"]) == (
        ({}, 0.5) if again else ({"1": reason[why]}, None)
    )
    bench(REPLIES, *more)
    assert asked(tmp_path) == 0


@pytest.mark.parametrize("why", ["DOWN", "LONG"])
def test_a_model_that_gives_no_reply_at_all_is_an_error(bench: Bench, why: str) -> None:
    code, error = bench(dict.fromkeys(REPLIES, why))
    assert code == {"DOWN": 5, "LONG": 4}[why] and "4 requests of 4 rows failed (4 x " in error
    assert bench(dict.fromkeys(REPLIES, why))[0] == code


def test_a_question_whose_image_cannot_be_read_counts_as_failed(bench: Bench, tmp_path: Path) -> None:
    row = {"image": "a.png", "options": [], "level": 1, "subject": "counting", "question": "How many?", "answer": "3"}
    rows = [{**row, "id": str(number)} for number in range(20)]
    rows[7]["image"] = "gone.png"
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = bench(REPLIES)
    assert (told["n"], list(told["failed"]), told["scores"]["strict"]["bounds"]) == (20, ["7"], [0.95, 1.0])
    assert told["scores"]["strict"]["breakdown"]["subject"]["counting"]["n"] == 20


def test_more_tokens_are_another_protocol(bench: Bench) -> None:
    first, second = bench(REPLIES), bench(REPLIES, "--max-tokens", "16")
    assert first["protocol_hash"] != second["protocol_hash"]


PUZZLES = '''
"""A benchmark whose words the core knows nothing of."""
from dataclasses import dataclass
from openvlt import Benchmark, Example, Message, Source, hookimpl


@hookimpl
def register_benchmarks(register):
    register("puzzles", Puzzles, summary="one question, in words of its own")


class One(Source):
    splits = ("test",)

    def examples(self, split):
        yield Example(id="1", question="How many?", answer="3")


@dataclass(frozen=True)
class Puzzles(Benchmark):
    plea: str

    source = One()
    split = "test"
    scorings = {"strict": "answer"}

    def messages(self, example, format):
        return [Message.user(f"{example.question} {self.plea}")]
'''


def test_a_third_partys_prompt_is_part_of_the_protocol(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "puzzles.py").write_text(PUZZLES)
    mine = tmp_path / "mine.yaml"
    found = []
    for plea in ("boxed", "boxed, please"):
        mine.write_text(f"use: puzzles\nplea: {plea}\n")
        plugins = ["--plugin", str(tmp_path / "puzzles.py")]
        found.append(bench({**REPLIES, "please": "\\boxed{3}"}, name=str(mine), plugins=plugins))
    assert len({each["protocol"]["prompt"]["digest"] for each in found}) == 2
    assert len({each["protocol_hash"] for each in found}) == 2
    names = sorted(path.parent.name for path in (tmp_path / "home" / "runs").glob("*/result.json"))
    assert len(names) == 2
    assert run(["compare", *names]) == 2  # other words are another protocol


@pytest.mark.parametrize("name", ["nowhere", "run:nothing/grpo-1", "./nowhere/at/all"])
def test_a_model_that_is_not_there(bench: Bench, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["bench", "mathvision", "--model", name]) == 2
    assert name.removeprefix("run:").split("/")[0] in capsys.readouterr().err
