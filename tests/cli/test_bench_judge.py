"""A judge behind an OpenAI-compatible endpoint: asked where needed, cached, and resumed when it was down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judge_endpoint import Endpoint
from openvlt.__main__ import run

Bench = Callable[..., Any]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))

    def call(*arguments: str | Path) -> Any:
        code = run(["bench", *map(str, arguments), "--json"])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


VISTA = {"question": "Which?", "choices": ["cat", "dog"], "answer": "dog", "answer_type": "text", "precision": None}
VERSE = {"question": "q", "answer": "B", "question_type": "multi-choice", "problem_version": "Text Lite"}
META = {"subject": "s", "subfield": "f", "source": "o"}


@pytest.fixture
def vista(tmp_path: Path) -> tuple[str | Path, ...]:
    data = write(tmp_path / "data.jsonl", [{**VISTA, "pid": str(i)} for i in range(4)])
    texts = ["I see fur and a long tail, it barks", "dog", "", "a long text about cats"]
    said = write(tmp_path / "said.jsonl", [{"id": str(i), "response": text} for i, text in enumerate(texts)])
    return "mathvista", "--responses", said, "--data", data


def test_the_judge_is_asked_only_what_rules_cannot_tell(
    bench: Bench, endpoint: Endpoint, vista: tuple[str, ...]
) -> None:
    endpoint.reply = lambda prompt: "B" if "barks" in prompt else "A"
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert len(endpoint.prompts) == 2 and endpoint.temperatures == {0}
    assert "Hint: Please answer the question and provide the correct option letter" in endpoint.prompts[0]
    # 0: the judge's B; 1: the response is a choice; 2: empty, nearest choice is cat; 3: the judge's A
    assert told["scores"]["official"]["correct"] == 2
    assert told["protocol"]["extraction"] == "judge" and told["protocol"]["judge"]["id"] == "judge"
    assert told["judge_tokens"] == 18


def test_a_second_run_asks_nothing(bench: Bench, endpoint: Endpoint, vista: tuple[str, ...]) -> None:
    first = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    endpoint.prompts.clear()
    second = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert endpoint.prompts == []
    assert second["scores"] == first["scores"] and second["judge_tokens"] == first["judge_tokens"]


def test_a_judge_that_fails_widens_the_score_and_is_asked_again(
    bench: Bench, endpoint: Endpoint, vista: tuple[str, ...]
) -> None:
    endpoint.reply = lambda prompt: "B" if "barks" in prompt else None
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    official = told["scores"]["official"]
    assert (official["accuracy"], official["bounds"], official["undecided"]) == (None, [0.5, 0.75], 1)
    assert told["failed"] == {"3": "judge: the endpoint refuses the request (400)"}
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: "B"
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert len(endpoint.prompts) == 1 and "cats" in endpoint.prompts[0]
    assert (told["scores"]["official"]["accuracy"], told["failed"]) == (0.75, {})


@pytest.mark.parametrize(
    ("said", "reason"),
    [("", "its reply is empty"), ("CUT", "its reply was cut at 2048 tokens"), ("<think>hm</think>", "is empty")],
)
def test_a_reply_that_cannot_be_used_is_none(
    bench: Bench, endpoint: Endpoint, vista: tuple[str, ...], said: str, reason: str
) -> None:
    endpoint.reply = lambda prompt: "B" if "barks" in prompt else said
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert told["scores"]["official"]["undecided"] == 1 and reason in told["failed"]["3"]
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: "<think>furry, so (A)?</think>\n\nB"
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert len(endpoint.prompts) == 1 and told["scores"]["official"]["correct"] == 3


def test_an_endpoint_that_goes_down_half_way_is_asked_for_the_rest(
    bench: Bench, endpoint: Endpoint, vista: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openvlt_plugins.openai import engine

    monkeypatch.setattr(engine, "_FIRST_DELAY", 0.01)
    monkeypatch.setattr(engine, "_LONGEST_DELAY", 0.01)
    endpoint.reply = lambda prompt: "B" if "barks" in prompt else "DOWN"
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert told["scores"]["official"]["undecided"] == 1
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: "B"
    told = bench(*vista, "--judge", "judge", "--judge-url", endpoint.url)
    assert len(endpoint.prompts) == 1 and "cats" in endpoint.prompts[0]
    assert (told["scores"]["official"]["correct"], told["scores"]["official"]["undecided"]) == (3, 0)


def test_a_finished_run_may_be_judged_anew(bench: Bench, endpoint: Endpoint, vista: tuple[str, ...]) -> None:
    by_rules = bench(*vista)
    endpoint.reply = lambda prompt: "B" if "barks" in prompt else None
    run_name = f"mathvista-said-{by_rules['protocol_hash'][:8]}"
    told = bench("--rescore", run_name, "--judge", "judge", "--judge-url", endpoint.url)
    assert (told["scores"]["official"]["undecided"], told["protocol"]["extraction"]) == (1, "judge")
    assert told["protocol"]["data"] == by_rules["protocol"]["data"]
    endpoint.reply = lambda prompt: "B"
    run_name = f"mathvista-said-{told['protocol_hash'][:8]}"
    told = bench("--rescore", run_name, "--judge", "judge", "--judge-url", endpoint.url)
    assert (told["scores"]["official"]["undecided"], told["scores"]["official"]["correct"]) == (0, 3)


def test_a_judge_that_is_not_there(bench: Bench, vista: tuple[str, ...]) -> None:
    code, error = bench(*vista, "--judge", "judge", "--judge-url", "http://127.0.0.1:9/v1")
    assert code == 5 and "No endpoint of 'judge' responds" in error


def test_mathverse_asks_the_judge_for_answer_and_verdict(bench: Bench, endpoint: Endpoint, tmp_path: Path) -> None:
    data = write(
        tmp_path / "data.jsonl",
        [{**VERSE, "sample_index": str(i), "problem_index": str(i), "metadata": META} for i in range(3)],
    )
    texts = ["Therefore B it is, the second one", "I cannot tell", "It must be the first of the two"]
    said = write(tmp_path / "said.jsonl", [{"id": str(i), "response": text} for i, text in enumerate(texts)])

    def reply(prompt: str) -> str:
        if not prompt.rstrip().endswith("Agreement:"):
            return "B" if "Therefore B" in prompt else "null" if "cannot tell" in prompt else "A"
        return "1" if "Model's answer: B\n" in prompt else "0" if "Model's answer: A\n" in prompt else "perhaps"

    endpoint.reply = reply
    told = bench("mathverse", "--responses", said, "--data", data, "--judge", "judge", "--judge-url", endpoint.url)
    assert set(told["scores"]) == {"strict", "official"}
    official = told["scores"]["official"]
    assert (official["correct"], official["undecided"], official["n"]) == (1, 1, 3)
    assert len(endpoint.prompts) == 6


def test_a_benchmark_without_a_judge(bench: Bench, endpoint: Endpoint, tmp_path: Path) -> None:
    row = {"id": "1", "question": "?", "answer": "3", "options": [], "level": 1, "subject": "counting"}
    data, said = write(tmp_path / "d.jsonl", [row]), write(tmp_path / "s.jsonl", [{"id": "1", "response": "3"}])
    code, error = bench(
        "mathvision", "--responses", said, "--data", data, "--judge", "judge", "--judge-url", endpoint.url
    )
    assert code == 2 and "ask no judge" in error
