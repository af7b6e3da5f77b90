"""A component that fails is named, and what it makes is stored only if it can be read again."""

from __future__ import annotations

from typing import Any

import pytest
from made import Bench

from openvlt import DataError, PluginError, Trace


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
