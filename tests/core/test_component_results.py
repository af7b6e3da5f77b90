"""A component that fails is named, and what it makes is stored only if it can be read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from made import Bench

from openvlt import Completion, DataError, Example, Image, Judged, Keep, PluginError, Trace, Verdict, results as checks
from openvlt.errors import WrongResult


@pytest.fixture
def parses(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say what the teacher makes of a reply, or raises."""
    teacher = type(stages.build("teacher", "tutor", model={"id": str(stages.model), "backend": "fake"}).component)

    def say(result: Any) -> None:
        def parse(*_: object) -> Any:
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(teacher, "parse", parse)

    return say


ODD: list[Any] = [
    None,
    7,
    "text",
    range(3),
    iter(()),
    Trace(think="\ud800", answer="1", raw=""),
    Trace(think=3, answer="4", raw="5"),
]  # type: ignore[arg-type]


@pytest.mark.parametrize("result", ODD)
def test_what_is_no_trace_is_a_rejected_row_whenever_it_is_read(stages: Bench, parses: Any, result: Any) -> None:
    rows = stages.load(n=4)
    parses(result)
    for _ in range(2):
        with pytest.raises(DataError, match="lost 4 of 4 rows"):
            stages.distill(rows)
    assert len(stages.asked()) == 8, "two samples of each, asked once"


def test_rows_that_a_component_fails_on_are_rejected_for_it(stages: Bench, parses: Any) -> None:
    rows = stages.load(n=4)
    parses(KeyError("x"))
    reason = (
        r"8 x teacher tutor \(file:openvlt_fake\) failed in parse: KeyError: 'x' \(test_component_results\.py:\d+\)"
    )
    with pytest.raises(DataError, match=reason):
        stages.distill(rows)


@pytest.mark.parametrize(
    ("replies", "told"),
    [([], "returned 0 replies to 4 requests"), ([[]] * 4, "did not return 2 completions"), (None, "returned NoneType")],
)
def test_an_engine_that_does_not_reply_to_each_request_is_named(
    stages: Bench, monkeypatch: pytest.MonkeyPatch, replies: Any, told: str
) -> None:
    backend = stages.workspace.registry.build("backend", "fake").component
    rows = stages.load(n=4)
    with backend.open(stages._resolved().model, stages.workspace.images.read) as engine:
        monkeypatch.setattr(type(engine), "generate", lambda *_: replies)
    with pytest.raises(PluginError, match=rf"The backend fake \(file:openvlt_fake\) failed in generate: .*{told}"):
        stages.distill(rows)


ONE = Example(id="1", question="How many?", answer="7", images=(Image("0" * 64, 1, 1),))
A = Judged(trace=Trace(think="a", answer="7", raw="a"), verdicts={"exact": Verdict.correct()})
B = Judged(trace=Trace(think="b", answer="7", raw="b", sample=1), verdicts={"exact": Verdict.correct()})
SHORTER = replace(A, trace=replace(A.trace, think=""))
COPY = replace(A)


def kept(*found: Judged) -> Any:
    return checks.check_kept(found, [A, B])


def replied(**changes: Any) -> Any:
    return checks.check_replies([[replace(Completion(text="a"), **changes)]], [1])


WRONG: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: checks.check_decision(Keep(replace(ONE, images=(Image.data(b"a"),)))),
        "an image that is not in the store",
    ),
    (lambda: checks.check_decision(Keep(replace(ONE, images=(Image.file("a"),)))), "an image that is not in the store"),
    (lambda: checks.check_decision(Keep(replace(ONE, answer=" "))), "an empty gold answer"),
    (lambda: checks.check_example(replace(ONE, answer_type="number")), "which is none of .*integer"),
    (lambda: kept(A, A), "kept a trace twice"),
    (lambda: kept(A, COPY), "kept a trace twice"),
    (lambda: kept(SHORTER, SHORTER), "kept a trace twice"),
    (lambda: kept(replace(A, trace=replace(A.trace, answer="8"))), "changed an answer"),
    (lambda: checks.check_fact("a\0"), "value contains a NUL"),
    (lambda: checks.check_fact("\ud800"), "value contains a lone surrogate"),
    (lambda: checks.check_fact("a" * (checks.LONGEST + 1)), "value is longer than"),
    (lambda: replied(text=None), "cannot be stored"),
    (lambda: replied(text="\ud800"), "cannot be stored"),
    (lambda: replied(finish_reason="eos"), "cannot be stored"),
    (lambda: replied(prompt_tokens=None), "cannot be stored"),
    (lambda: replied(completion_tokens="four"), "cannot be stored"),
    (lambda: replied(cuts={8: 9}), "cannot be stored"),
]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(("check", "said"), WRONG)
def test_what_could_not_be_used_later_is_refused_at_once(check: Callable[[], Any], said: str) -> None:
    with pytest.raises(WrongResult, match=said):
        check()


def test_what_can_be_used_is_accepted() -> None:
    unlabelled = replace(ONE, answer="", metadata={"unlabelled": True})
    for example in (ONE, unlabelled, replace(ONE, images=())):
        assert checks.check_decision(Keep(example)) == Keep(example)
    assert kept(B, A) == (B, A) and kept(SHORTER, B) == (SHORTER, B)
    assert checks.check_kept([A, COPY], [A, COPY]) == (A, A), "two samples may be equal"
    assert checks.check_fact("red") == "red" and replied(finish_reason="length", cuts={8: "a"})
