"""Verifiers and filters that ask a model: asked once and together, kept, retried, and never a zero without a reply."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from made import Bench

from judge_endpoint import Endpoint
from openvlt.errors import RemoteError, UsageError
from openvlt.records import Format, Verdict
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.stages.workspace import Output
from openvlt.verification import VerifierRunner

ANSWER = {"use": "answer"}


def judge(endpoint: Endpoint, **options: Any) -> dict[str, Any]:
    return {"use": "judge", "model": {"id": "judge", "url": [endpoint.url]}, **options}


def verdicts(made: Output, name: str = "judge") -> list[Verdict]:
    return [judged.verdicts[name] for row in made.rows() for judged in row.judged]


def statuses(made: Output, name: str = "judge") -> Counter[str]:
    return Counter(verdict.status for verdict in verdicts(made, name))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once."""
    from openvlt_plugins.openai import engine

    monkeypatch.setattr(engine, "_FIRST_DELAY", 0.01)
    monkeypatch.setattr(engine, "_LONGEST_DELAY", 0.01)


def test_a_stage_asks_once_about_each_trace(stages: Bench, endpoint: Endpoint) -> None:
    traces = stages.distill(stages.load(n=8), k=3)
    endpoint.reply = lambda prompt: "The answers agree.\nVerdict: yes"
    made = stages.verify(traces, answer=ANSWER, judge=judge(endpoint))
    assert statuses(made) == {"correct": 24} and endpoint.temperatures == {0}
    # Of three chains with two possible answers, some differ in their thinking alone, which the judge does not see.
    assert made.record.counts["asked"] == len(endpoint.prompts) == len(set(endpoint.prompts)) <= 16
    endpoint.prompts.clear()
    assert stages.verify(traces, answer=ANSWER, judge=judge(endpoint)).record.cached
    # another verifier makes other verdicts, of the same replies
    again = stages.verify(traces, answer={**ANSWER, "units": "require"}, judge=judge(endpoint))
    assert (again.record.cached, endpoint.prompts, statuses(again)) == (False, [], statuses(made))


def test_another_rubric_asks_again(stages: Bench, endpoint: Endpoint) -> None:
    traces = stages.distill(stages.load(n=2), k=1)
    endpoint.reply = lambda prompt: "Verdict: yes" if "brief" in prompt else "Verdict: no"
    assert statuses(stages.verify(traces, judge=judge(endpoint))) == {"incorrect": 2}
    made = stages.verify(traces, judge=judge(endpoint, rubric="Is it brief?", gold="hidden", scale="yes-no"))
    assert [verdict.score for verdict in verdicts(made)] == [1.0, 1.0] and statuses(made) == {"scored": 2}


def test_requests_that_fail_for_now_leave_the_stage_incomplete(
    stages: Bench, endpoint: Endpoint, patient: None
) -> None:
    traces = stages.distill(stages.load(n=4), k=1)
    last = list(traces.rows())[-1].example.question
    endpoint.reply = lambda prompt: "DOWN" if last in prompt else "Verdict: yes"
    with pytest.raises(RemoteError, match=r"1 requests of 4 rows failed transiently .*judge: no reply"):
        stages.verify(traces, answer=ANSWER, judge=judge(endpoint))
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: "Verdict: yes"
    assert statuses(stages.verify(traces, answer=ANSWER, judge=judge(endpoint))) == {"correct": 4}
    assert len(endpoint.prompts) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("perhaps", "the reply is no verdict: its last line is none"),
        ("CUT", "the reply is no verdict: it is cut at 2048 tokens"),
        (None, "no reply: the endpoint refuses the request (400)"),
    ],
)
def test_a_reply_that_cannot_be_used_is_no_score(
    stages: Bench, endpoint: Endpoint, patient: None, said: str | None, reason: str
) -> None:
    traces = stages.distill(stages.load(n=4), k=1)
    first = next(traces.rows()).example.question
    endpoint.reply = lambda prompt: said if first in prompt else "Verdict: yes"
    made = stages.verify(traces, judge=judge(endpoint))
    assert [(each.status, each.score) for each in verdicts(made)] == [("error", None)] + [("correct", 1.0)] * 3
    assert verdicts(made)[0].reason == reason


def test_a_judge_may_see_the_images(stages: Bench, endpoint: Endpoint) -> None:
    traces = stages.distill(stages.load(n=2), k=1)
    endpoint.reply = lambda prompt: f"Verdict: {'yes' if prompt.startswith('<image>') else 'no'}"
    assert statuses(stages.verify(traces, judge=judge(endpoint, images="shown"))) == {"correct": 2}
    assert statuses(stages.verify(traces, judge=judge(endpoint))) == {"incorrect": 2}


def test_any_backend_may_judge_traces(stages: Bench) -> None:
    traces = stages.distill(stages.load(n=8))
    stages.asked()
    made = stages.verify(traces, judge={"use": "judge", "model": {"id": str(stages.model), "backend": "fake"}})
    assert set(statuses(made)) == {"correct", "incorrect"}
    assert len(stages.asked()) == made.record.counts["asked"]


def test_two_judges_of_one_model_share_it_and_its_replies(stages: Bench, endpoint: Endpoint) -> None:
    traces = stages.distill(stages.load(n=2), k=1)
    endpoint.reply = lambda prompt: "Verdict: yes"
    brief = judge(endpoint, rubric="Is it brief?")
    made = stages.verify(traces, one=judge(endpoint), two=judge(endpoint), brief=brief)
    assert len(endpoint.prompts) == made.record.counts["asked"] == 4
    assert statuses(made, "one") == statuses(made, "two") == statuses(made, "brief") == {"correct": 2}


def test_a_condition_decides_what_is_asked(stages: Bench, endpoint: Endpoint) -> None:
    traces = stages.distill(stages.load(n=8), k=1)
    endpoint.reply = lambda prompt: "Verdict: no"
    weights = {"answer": 1.0, "judge": {"weight": 0.3, "when": "answer.incorrect"}}
    made = stages.verify(traces, weights, answer=ANSWER, judge=judge(endpoint))
    wrong = statuses(made, "answer")["incorrect"]
    assert 0 < wrong < 8 and len(endpoint.prompts) == wrong
    assert statuses(made) == {"incorrect": wrong, "not_applicable": 8 - wrong}
    everywhere = stages.verify(traces, {"answer": 1.0, "judge": 0.3}, answer=ANSWER, judge=judge(endpoint))
    assert statuses(everywhere) == {"incorrect": 8} and len(endpoint.prompts) == 8


def test_a_judge_filters_traces(stages: Bench, endpoint: Endpoint, patient: None) -> None:
    judged = stages.verify(stages.distill(stages.load(n=4), k=2), answer=ANSWER)
    rows = list(judged.rows())
    kept, half = rows[0].example.question, rows[1].judged[0].trace.think
    endpoint.reply = lambda prompt: "DOWN" if rows[3].example.question in prompt else "Verdict: no"
    with pytest.raises(RemoteError, match=r"filter judge got no reply to 2 of 8 requests"):
        stages.select(judged, judge(endpoint))
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: f"Verdict: {'yes' if kept in prompt or half in prompt else 'no'}"
    made = stages.select(judged, {**judge(endpoint), "rubric": "Is it good?"})
    assert [len(row.judged) for row in made.rows()] == [2, 1] and len(endpoint.prompts) == 8
    assert made.record.rejected == {"judge: the judge refuses every trace": 2}
    assert stages.select(judged, {**judge(endpoint), "rubric": "Is it good?"}).record.cached
    assert len(endpoint.prompts) == 8


def test_an_example_filter_asks(stages: Bench, endpoint: Endpoint) -> None:
    rows = stages.load(n=6)
    third = list(rows.rows())[2].example.question
    endpoint.reply = lambda prompt: "yes" if third in prompt else "no"

    def filtered(limit: int | None) -> Output:
        built = stages.workspace.registry.build("filter", {**judge(endpoint), "use": "picky"})
        choosing = Choosing(stages.workspace, Choice((built,), limit), {})
        return filter_examples(stages.workspace, "filter-1", 1, rows, choosing)

    made = filtered(None)
    assert [row.example.id for row in made.rows()] == ["train/0", "train/2"] and len(endpoint.prompts) == 4
    assert made.record.rejected == {"picky: not good": 3, "picky: too silly to ask about": 1}
    assert [row.example.id for row in filtered(1).rows()] == ["train/0"] and len(endpoint.prompts) == 4


def test_where_nothing_can_ask_it_is_refused(stages: Bench, endpoint: Endpoint) -> None:
    built = {"judge": stages.build("verifier", **judge(endpoint))}
    with pytest.raises(UsageError, match="The verifier 'judge' asks a model"):
        VerifierRunner(built, format=Format())


def train(
    stages: Bench, endpoint: Endpoint, weights: Mapping[str, Any], steps: int = 2, **options: Any
) -> tuple[Output, list[dict[str, Any]]]:
    import json

    specs = {"judge": judge(endpoint, **options)}
    made, _ = stages.train(stages.load(n=8), "copy-grpo", stages.model, weights, specs, steps=steps)
    lines = (made.folder.path / "completions-0.jsonl").read_text().splitlines()
    return made, [json.loads(line) for line in lines]


CONDITION = {"answer": 1.0, "judge": {"weight": 0.3, "when": "answer.incorrect"}}


@pytest.mark.slow
def test_a_training_asks_with_the_key_of_the_endpoint_and_no_other_secret(
    stages: Bench, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-of-the-judge-1")
    monkeypatch.setenv("OPENVLT_KEYS", f"JUDGE_KEY@127.0.0.1:{endpoint.server.server_address[1]}")
    monkeypatch.setenv("TEACHER_KEY", "sk-of-the-teacher-2")
    endpoint.reply = lambda prompt: "Verdict: yes"
    made, lines = train(stages, endpoint, CONDITION)
    assert [line["reward"] for line in lines] == [1.0, 0.3] * 4
    assert [line["verdicts"]["judge"]["status"] for line in lines] == ["not_applicable", "correct"] * 4
    assert made.record.counts["judge/correct"] == 4 and len(endpoint.prompts) == 2  # the steps repeat their claims
    assert endpoint.keys == {"Bearer sk-of-the-judge-1"}
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not any(b"sk-of-the" in content for content in written)


@pytest.mark.slow
def test_a_training_goes_on_without_the_scores_that_it_does_not_get(stages: Bench, endpoint: Endpoint) -> None:
    endpoint.reply = lambda prompt: "perhaps"
    with pytest.raises(Exception, match="AssertionError"):  # the made trainer wants every reward
        train(stages, endpoint, CONDITION)
    (lines,) = stages.workspace.home.stages.glob("*/completions-0.jsonl")
    assert '"reward": null' in lines.read_text() and "the reply is no verdict" in lines.read_text()


@pytest.mark.slow
def test_a_training_does_not_begin_without_its_judge(stages: Bench, endpoint: Endpoint) -> None:
    endpoint.server.shutdown()
    endpoint.server.server_close()
    with pytest.raises(RemoteError, match="No endpoint of 'judge' responds"):
        train(stages, endpoint, CONDITION)
    with pytest.raises(UsageError, match="asks 'other', which no endpoint serves"):
        train(stages, endpoint, CONDITION, model={"id": "other"})


@pytest.mark.slow
def test_grpo_is_rewarded_by_a_judge(stages: Bench, endpoint: Endpoint, vision_model: Path) -> None:
    from test_training import GRPO

    calls = Counter[str]()

    def reply(prompt: str) -> str:
        calls["all"] += 1
        return f"Verdict: {len(prompt) % 7 / 10}"

    endpoint.reply = reply
    specs = {"judge": judge(endpoint, scale="unit", gold="hidden")}
    made, folder = stages.train(stages.load(n=8), "grpo", vision_model, {"judge": 1.0}, specs, **{**GRPO, "steps": 2})
    assert (folder / "model.safetensors").exists()
    assert made.record.counts["judge/scored"] == 16 and calls["all"] > 2


def test_the_fingerprint_of_a_training_has_the_model_of_its_judge(stages: Bench, endpoint: Endpoint) -> None:
    from openvlt.stages.train import Rewards

    one, other = (
        Rewards({"judge": stages.build("verifier", **judge(endpoint, model={"id": id, "url": [endpoint.url]}))})
        for id in ("judge", "other")
    )
    assert one.identity != other.identity and [model.id for model in one.models.values()] == ["judge"]
    assert (
        one.identity
        == Rewards(
            {
                "judge": stages.build(
                    "verifier", **judge(endpoint, model={"id": "judge", "url": ["http://127.0.0.1:1/v1"]})
                )
            }
        ).identity
    )


Reward = Callable[..., list[float | None]]


@pytest.fixture
def rewarded(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reward]:
    """``openvlt.reward`` with a judge, in a home of its own."""
    import openvlt

    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))

    def made(weights: Mapping[str, Any] | None = None, **options: Any) -> Reward:
        weights = weights or {"answer": 1.0, "judge": {"weight": 0.3, "when": "answer.unparsed"}}
        return openvlt.reward(weights, specs={"judge": judge(endpoint, **options)})

    return made


def test_a_response_with_a_lone_surrogate_is_judged(rewarded: Callable[..., Reward], endpoint: Endpoint) -> None:
    endpoint.reply = lambda prompt: "Verdict: yes"
    assert rewarded()(completions=["It is \ud800 seven."], answer=["7"]) == [0.3]


SAID = {"completions": ["<answer>7</answer>", "It is seven.", "It is six."], "answer": ["7", "7", "7"]}


def test_a_reward_function_asks_where_the_rules_find_nothing(
    rewarded: Callable[..., Reward], endpoint: Endpoint
) -> None:
    endpoint.reply = lambda prompt: f"Verdict: {'yes' if 'seven' in prompt else 'no'}"
    reward = rewarded()
    assert reward(**SAID) == [1.0, 0.3, 0.0] and len(endpoint.prompts) == 2
    assert rewarded()(**SAID) == [1.0, 0.3, 0.0] and len(endpoint.prompts) == 2


def test_a_reward_function_without_a_reply_has_no_reward(
    rewarded: Callable[..., Reward], endpoint: Endpoint, patient: None
) -> None:
    reward = rewarded()
    endpoint.reply = lambda prompt: "DOWN"
    assert reward(**SAID) == [1.0, None, None]
    endpoint.reply = lambda prompt: "Verdict: yes"
    assert reward(**SAID) == [1.0, 0.3, 0.3]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_asks_for_itself_and_ends(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.reply = lambda prompt: "Verdict: yes"
    script = f"""
import os, sys, openvlt
reward = openvlt.reward({{"judge": 1.0}}, specs={{"judge": {judge(endpoint)!r}}})
assert reward(completions=["one"], answer=["7"]) == [1.0]
if os.fork() == 0:
    sys.exit(reward(completions=["two"], answer=["7"]) != [1.0])
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert reward(completions=["three"], answer=["7"]) == [1.0]
"""
    environment = {**os.environ, "OPENVLT_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=600)
    assert len(endpoint.prompts) == 3


@pytest.mark.slow
def test_a_step_does_not_wait_for_a_slow_judge(rewarded: Callable[..., Reward], endpoint: Endpoint) -> None:
    from threading import Event

    late = Event()

    def reply(prompt: str) -> str:
        if "six" in prompt:
            late.wait(600)
        return "Verdict: yes"

    endpoint.reply = reply
    reward = rewarded(step_seconds=10.0)
    for _ in range(60):  # on a busy machine the connection alone takes longer
        if reward(completions=["It is seven."], answer=["7"]) != [None]:
            break
    assert reward(**SAID) == [1.0, 0.3, None]
    late.set()
    assert reward(**SAID) == [1.0, 0.3, 0.3]


def test_a_reward_function_asks_only_endpoints(
    rewarded: Callable[..., Reward], endpoint: Endpoint, fake_model: Path
) -> None:
    with pytest.raises(UsageError, match="which no endpoint serves"):
        rewarded(model={"id": str(fake_model)})(**SAID)
    with pytest.raises(UsageError, match=r"condition 'answer.unpassed', and 'unpassed' is no status"):
        rewarded({"answer": 1.0, "judge": {"weight": 1, "when": "answer.unpassed"}})(**SAID)
    with pytest.raises(UsageError, match="'answer' cannot run before it"):
        rewarded({"judge": {"weight": 1, "when": "answer.error"}, "answer": {"weight": 1, "when": "judge.error"}})(
            **SAID
        )
    with pytest.raises(UsageError, match="The weight of 'judge' is 'much'"):
        rewarded({"answer": 1.0, "judge": "much"})(**SAID)
