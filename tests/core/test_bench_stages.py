"""The stages of a benchmark: its questions, the raw replies to them, and their scores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from made import Bench

from openvlt import Completion, Format, Model, Sampling, Trace
from openvlt.bench.asking import ask, guess
from openvlt.bench.definition import Definition, define
from openvlt.bench.questions import Responses, questions
from openvlt.bench.score import read, score
from openvlt.errors import DataError, RemoteError
from openvlt.records import BenchResult
from openvlt.stages.workspace import NotDone, Output
from openvlt.verification import limits


def made(stages: Bench, n: int) -> Definition:
    return define(stages.workspace.registry, {"use": "made", "n": n}, stages.workspace.format)


def asked(stages: Bench, *, trained: bool = False, n: int = 12, served: bool = False) -> Responses:
    definition = made(stages, n)
    model = Model(id=str(stages.model), backend="fake", url=("http://127.0.0.1:9/v1",) if served else ())
    found = questions(stages.workspace, definition)
    return ask(stages.workspace, "bench-made", 0, found, definition, model, Sampling(max_tokens=32), trained=trained)


def scored(stages: Bench, answered: Responses, n: int = 12, **earlier: Output) -> tuple[Output, BenchResult]:
    return score(stages.workspace, "score-made", 0, "base", made(stages, n), answered, earlier)


@pytest.mark.parametrize("trained", [True, False])
def test_replies_are_kept_as_they_came_and_read_when_they_are_scored(stages: Bench, trained: bool) -> None:
    answered = asked(stages, trained=trained)
    rows = list(answered.output.rows())
    assert [row.example.id for row in rows] == [f"test/{index}" for index in range(12)]
    assert all(trace.answer is None and trace.raw for row in rows for trace in row.traces)
    ends = Format().suffix if trained else "\nAnswer with one number."
    assert all(asked["text"].endswith(ends) for asked in stages.asked())
    output, result = scored(stages, answered)
    traces = [row.judged[0].trace for row in output.rows()]
    assert all(trace.answer is not None and trace.answer.isdigit() for trace in traces)
    assert all(bool(trace.think) == trained for trace in traces if trained)
    assert (result.n, result.unparsed, result.protocol.extraction) == (12, 0, "tag" if trained else "whole")
    assert set(result.score.breakdown["category"]) == {"small", "large"}


def test_nothing_is_asked_or_scored_twice(stages: Bench) -> None:
    first = scored(stages, asked(stages))
    stages.asked()
    stages.workspace.dry_run = True
    again = asked(stages)
    assert again.output.record.cached and stages.asked() == []
    output, result = scored(stages, again)
    assert output.record.cached and output.digest == first[0].digest
    assert result == first[1]


def test_what_the_machine_fails_is_no_score(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    compat = {"r1v": stages.workspace.registry.build("verifier", "r1v-compat")}
    definition, answered = replace(made(stages, 12), verifiers=compat), asked(stages, trained=True)
    with monkeypatch.context() as machine, pytest.raises(RemoteError, match="12 verdicts on made are missing"):
        machine.setattr(limits, "STARTS", 1)
        machine.setattr(sys, "executable", "/bin/false")
        score(stages.workspace, "score-made", 0, "base", definition, answered)
    output, _ = score(stages.workspace, "score-made", 0, "base", definition, answered)
    assert not output.record.cached
    assert all(row.judged[0].verdicts["r1v"].score is not None for row in output.rows())


@pytest.mark.parametrize("served", [False, True])
def test_a_prompt_over_the_context_widens_the_score(stages: Bench, fake: Callable[..., None], served: bool) -> None:
    fake(over_long=0.3)
    answered = asked(stages, n=40, served=served)
    silent = [row.example.id for row in answered.output.rows() if not row.traces]
    assert 3 < len(silent) < 25
    reason = "refused: " * served + "prompt over-long"
    assert answered.failed == dict.fromkeys(silent, reason)
    assert answered.output.record.rejected == {reason: len(silent)}
    _, result = scored(stages, answered, n=40)
    low, high = result.score.bounds
    assert (result.n, result.unparsed, result.score.undecided) == (40, 0, len(silent))
    assert result.accuracy is None and high - low == pytest.approx(len(silent) / 40)
    stages.asked()
    fake()
    assert len(asked(stages, n=40, served=served).failed) == (0 if served else len(silent))
    assert len(stages.asked()) == (len(silent) if served else 0)


def test_an_endpoint_that_is_down_is_asked_again_for_the_rest(stages: Bench, fake: Callable[..., None]) -> None:
    fake(down=0.3)
    answered = asked(stages, n=40)
    assert 3 < len(answered.failed) < 25 and "asks again" in answered.notes[0]
    stages.workspace.dry_run = True
    with pytest.raises(NotDone, match="bench-made"):
        asked(stages, n=40)
    stages.workspace.dry_run = False
    stages.asked()
    fake()
    again = asked(stages, n=40)
    assert (again.failed, again.notes, len(stages.asked())) == ({}, (), len(answered.failed))


@pytest.mark.parametrize(("fault", "error"), [("down", RemoteError), ("over_long", DataError)])
def test_not_one_reply_is_an_error(
    stages: Bench, fake: Callable[..., None], fault: str, error: type[Exception]
) -> None:
    fake(**{fault: 1.0})
    with pytest.raises(error, match="12 requests of 12 rows failed"):
        asked(stages)


def test_a_guesser_is_scored_like_a_model(stages: Bench) -> None:
    definition = made(stages, 12)
    found = questions(stages.workspace, definition)
    (name, guesser), *_ = definition.benchmark.component.baselines().items()
    guessed = guess(stages.workspace, "bench-made-blind", found, definition, name, guesser)
    assert stages.asked() == []
    blind, result = scored(stages, guessed)
    assert [row.judged[0].trace.answer for row in blind.rows()] == ["7"] * 12
    assert result.protocol.extraction == "stored"
    _, base = scored(stages, asked(stages), blind=blind)
    assert base.versus["blind"].difference == pytest.approx((base.correct - result.correct) / 12)


def test_other_words_are_another_protocol(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = scored(stages, asked(stages))
    component = type(made(stages, 12).benchmark.component)
    words = component.base_messages
    monkeypatch.setattr(
        component, "base_messages", lambda *a: [replace(turn, content=(*turn.content, "!")) for turn in words(*a)]
    )
    _, second = scored(stages, asked(stages))
    assert first.protocol_hash != second.protocol_hash
    assert replace(second.protocol.prompt, digest=first.protocol.prompt.digest) == first.protocol.prompt


@pytest.mark.parametrize(
    ("text", "finish", "answer"),
    [
        ("red", "stop", "red"),
        ("  red.\n", "stop", "red."),
        ("<think>so</think><answer>blue</answer>", "stop", "blue"),
        (r"thus \boxed{7}", "stop", "7"),
        ("<think>so</think><answer>blue", "stop", None),
        ("<answer></answer>", "stop", None),
        ("", "stop", None),
        ("it goes on and", "length", None),
    ],
)
def test_a_bare_answer_is_the_whole_reply(text: str, finish: str, answer: str | None) -> None:
    reply = Completion(text=text, finish_reason=finish)  # type: ignore[arg-type]
    trace = Trace(think="", answer=None, raw=reply.text, finish_reason=reply.finish_reason)
    assert read(trace, Format(), "whole").answer == answer
