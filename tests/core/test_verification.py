"""Verification: order, memo, failures, groups, counts, rewards."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openvlt import Claim, Example, Format, Trace, UsageError, Verifier
from openvlt.registry import Built, Registry
from openvlt.verification import Reward, VerifierRunner
from openvlt.verification.memo import memo_key
from openvlt.verification.messages import Task
from openvlt.verification.pool import default_workers
from openvlt.verification.process import Worker

THIRD_PARTY = '''
import os, time
from dataclasses import dataclass
from openvlt import AnswerVerifier, Claim, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Odd(AnswerVerifier):
    """Does what the answer says."""
    def check(self, answer, claim):
        if answer == "loop":
            while True: pass
        if answer == "sleep": time.sleep(60)
        if answer == "die": os._exit(3)
        if answer == "raise": raise ValueError("on purpose")
        if answer == "memory": return Verdict.scored(len("x" * (1 << 33)))
        print("noise on standard output")
        return Verdict.correct() if answer == claim.example.answer else Verdict.incorrect()

@dataclass(frozen=True)
class Brevity(Verifier):
    """Rewards correct answers that are reached in few words."""
    limit: int = 3
    def verify(self, claim):
        return Verdict.scored(1.0 if claim.is_correct and len(claim.response.split()) <= self.limit else 0.0)

@dataclass(frozen=True)
class Where(AnswerVerifier):
    """Correct if `quick` ran in the process that asked; `check` would say incorrect."""
    inline = True
    context_free = True
    home: int = 0
    def quick(self, answer, claim):
        if answer == "hard": return None
        if answer == "raise": raise ValueError("on purpose")
        return Verdict.scored(float(os.getpid() == self.home), claim.example.id)
    def check(self, answer, claim): return Verdict.scored(float(os.getpid() != self.home), "checked")

@dataclass(frozen=True)
class Careful(Where):
    """The same without a promise."""
    inline = False
    context_free = False

@hookimpl
def register_verifiers(register):
    register("where", Where, summary="runs inline")
    register("careful", Careful, summary="runs in a worker")
    register("odd", Odd, summary="does what the answer says")
    register("brevity", Brevity, summary="few words")
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    file = tmp_path_factory.mktemp("plugin") / "odd.py"
    file.write_text(THIRD_PARTY)
    return Registry.discover([file])


@pytest.fixture(scope="module")
def runner(registry: Registry) -> Iterator[VerifierRunner]:
    names = {"answer": "text", "odd": "odd", "brevity": "brevity", "format": "format"}
    built = {name: registry.build("verifier", spec) for name, spec in names.items()}
    with VerifierRunner(built, format=Format(), workers=1) as runner:
        yield runner


def claim(answer: str | None, gold: str = "7", *, group: str = "", source: str = "") -> Claim:
    raw = "no answer" if answer is None else f"<think>well</think> <answer>{answer}</answer>"
    example = Example(id=gold, question="?", answer=gold, source=source)
    return Claim(trace=Trace(think="well", answer=answer, raw=raw), example=example, group=group)


def test_later_verifiers_see_earlier_verdicts_even_in_workers(runner: VerifierRunner) -> None:
    right, wrong = runner.verdicts([claim("7"), claim("8")])
    assert list(right) == ["answer", "odd", "brevity", "format"]
    assert (right["brevity"].score, wrong["brevity"].score) == (1.0, 0.0)
    assert (right["odd"].status, wrong["odd"].status) == ("correct", "incorrect")


def test_no_answer_is_the_response_fault(runner: VerifierRunner) -> None:
    [verdicts] = runner.verdicts([claim(None)])
    for name in ("answer", "odd"):
        assert (verdicts[name].status, verdicts[name].score, verdicts[name].cause) == ("unparsed", 0.0, "response")


def test_a_hang_scores_lowest_and_costs_once(
    runner: VerifierRunner, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, send, odd = list[Any](), Worker.send, registry.build("verifier", "odd").identity
    monkeypatch.setattr(Worker, "send", lambda worker, message: (sent.append(message), send(worker, message)))
    for verdicts in runner.verdicts([claim("loop")] * 50) + runner.verdicts([claim("loop")]):
        assert (verdicts["odd"].status, verdicts["odd"].score, verdicts["odd"].cause) == ("timeout", 0.0, "response")
    asked = [each.claims[0].answer for each in sent if isinstance(each, Task) and each.verifier == odd]
    assert asked.count("loop") <= 1


def test_a_verifier_that_hangs_on_the_gold_itself_is_not_scored(runner: VerifierRunner) -> None:
    [verdicts] = runner.verdicts([claim("loop", gold="loop")])
    assert (verdicts["odd"].score, verdicts["odd"].cause) == (None, "system")


def test_a_crash_the_response_caused_scores_lowest(runner: VerifierRunner) -> None:
    for answer in ("die", "memory"):
        [verdicts] = runner.verdicts([claim(answer)])
        assert (verdicts["odd"].status, verdicts["odd"].score, verdicts["odd"].cause) == ("error", 0.0, "response")


def test_an_internal_error_is_never_a_zero(runner: VerifierRunner) -> None:
    [verdicts] = runner.verdicts([claim("raise")])
    assert (verdicts["odd"].status, verdicts["odd"].score, verdicts["odd"].cause) == ("error", None, "system")
    assert "on purpose" in verdicts["odd"].reason


def test_a_third_party_verifier_runs_inline_where_it_promises_to_be_bounded(registry: Registry) -> None:
    built = {name: registry.build("verifier", {"use": name, "home": os.getpid()}) for name in ("where", "careful")}
    with VerifierRunner(built, format=Format(), workers=1) as runner:
        [quick, hard, failed] = runner.verdicts([claim("7"), claim("hard"), claim("raise")])
    assert (quick["where"].score, quick["careful"].score) == (1.0, 0.0)
    assert (hard["where"].score, hard["where"].reason) == (1.0, "checked"), "what `quick` leaves open goes to a worker"
    for verdict in failed.values():
        assert (verdict.status, verdict.score, verdict.cause) == ("error", None, "system")


def test_only_a_context_free_verdict_is_shared_among_examples(registry: Registry) -> None:
    built = {name: registry.build("verifier", name) for name in ("where", "careful")}
    one = claim("7")
    other = replace(one, example=replace(one.example, id="another"))
    unnamed = [replace(one, example=replace(one.example, id="", question=asked)) for asked in ("a", "b")]
    with VerifierRunner(built, format=Format(), workers=1) as runner:
        verdicts = runner.verdicts([one, other])
    assert [row["where"].reason for row in verdicts] == ["7", "7"]
    assert [row["careful"].reason for row in verdicts] == ["7", "another"]
    keys = [{memo_key("", each, context_free=free) for each in unnamed} for free in (True, False)]
    assert list(map(len, keys)) == [1, 2], "questions without an id are told apart by their text"


def test_any_string_can_be_sent_to_a_worker(runner: VerifierRunner) -> None:
    [verdicts] = runner.verdicts([claim("\ud800 \x00 \U0001f600")])
    assert verdicts["odd"].status == "incorrect"


def test_threads_share_the_workers(runner: VerifierRunner) -> None:
    found: list[str] = []

    def work(index: int) -> None:
        found.append(runner.verdicts([claim(str(index), gold=str(index))])[0]["odd"].status)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["correct"] * 8


def test_asynchronous_code_may_call_it(runner: VerifierRunner) -> None:
    def status(answer: str, gold: str) -> str:
        return runner.verdicts([claim(answer, gold=gold)])[0]["odd"].status

    async def work() -> list[str]:
        there = [asyncio.to_thread(status, str(index), str(index)) for index in (91, 92, 93)]
        return [status("94", "94"), *await asyncio.gather(*there)]

    assert asyncio.run(work()) == ["correct"] * 4


def test_ranks_of_one_machine_share_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert default_workers() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert default_workers() == 1
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    assert default_workers() == 16


def test_a_forked_child_starts_its_own_workers(runner: VerifierRunner) -> None:
    runner.verdicts([claim("7", gold="70")])
    child = os.fork()
    if child == 0:
        right = runner.verdicts([claim("71", gold="71")])[0]["odd"].status == "correct"
        runner.close()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert runner.verdicts([claim("72", gold="72")])[0]["odd"].status == "correct"


def test_symbols_are_compared_in_a_worker(registry: Registry) -> None:
    with VerifierRunner({"answer": registry.build("verifier", "answer")}, format=Format(), workers=1) as runner:
        verdicts = runner.verdicts([claim("1", gold="\\sin^2 x+\\cos^2 x"), claim("50 cm", gold="0.5 m")])
    assert [row["answer"].status for row in verdicts] == ["correct", "correct"]
    assert verdicts[0]["answer"].tier == "symbolic"


def test_workers_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, signal
        from openvlt import Claim, Example, Format, Trace
        from openvlt.registry import Registry
        from openvlt.verification import VerifierRunner
        runner = VerifierRunner({"a": Registry.discover().build("verifier", "answer")}, format=Format(), workers=1)
        example = Example(id="1", question="", answer="\\\\sin x")
        runner.verdicts([Claim(trace=Trace(think="", answer="\\\\cos(\\\\pi/2-x)", raw=""), example=example)])
        children = open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read()
        print(children, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stdout
    workers = [int(pid) for pid in said.split()]
    assert workers
    deadline = time.monotonic() + 600  # the spare may still be importing, and sees the closed pipe only then
    while any(_runs(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_groups_are_verified_whole(registry: Registry) -> None:
    built = {name: registry.build("verifier", name) for name in ("answer", "length")}
    with VerifierRunner(built, format=Format()) as runner:
        claims = [claim("7", group="a"), claim("0 0 0 7", group="b"), claim("7", group="b"), claim("1 1 1", group="a")]
        scores = [row["length"].score for row in runner.verdicts(claims)]
    assert scores == [0.5, -0.5, 0.5, -0.5]


def test_a_claim_without_a_group_is_a_group_of_its_own(registry: Registry) -> None:
    built = {name: registry.build("verifier", name) for name in ("answer", "length")}
    claims = [claim("7"), claim("0 0 0 7"), claim("1 1 1")]
    with VerifierRunner(built, format=Format()) as runner:
        assert runner.verdicts(claims) == [runner.verdicts([each])[0] for each in claims]


def test_counts_and_concerns(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    with VerifierRunner({"answer": registry.build("verifier", "number")}, format=Format()) as runner:
        runner.verdicts([claim("7")] * 18 + [claim("7", gold="many")] * 2)
    tally = runner.tallies["answer"]
    assert (tally.claims, tally.statuses["correct"], tally.statuses["bad_gold"]) == (20, 18, 2)
    assert tally.concerns == ["2 of 20 gold answers cannot be read; their claims are not scored"]
    assert "cannot be read" in caplog.text


def built_for(registry: Registry) -> dict[str, Built[Verifier]]:
    return {"answer": registry.build("verifier", "number"), "format": registry.build("verifier", "format")}


def test_reward_is_the_weighted_sum_or_nothing(registry: Registry) -> None:
    with VerifierRunner(built_for(registry), format=Format()) as runner:
        reward = Reward(runner, {"answer": 1.0, "format": 0.1})
        rows = reward.score([claim("7"), claim("8"), claim("7", gold="many"), claim(None)])
    assert [row.reward for row in rows] == [pytest.approx(1.1), pytest.approx(0.1), None, 0.0]
    assert rows[2].verdicts["format"].score == 1.0


def test_sources_can_have_their_own_weights(registry: Registry) -> None:
    with VerifierRunner(built_for(registry), format=Format()) as runner:
        reward = Reward(runner, {"answer": 1.0}, {"chat": {"format": 2.0}})
        rows = reward.score([claim("7", source="maths"), claim("8", gold="many", source="chat")])
    assert [row.reward for row in rows] == [1.0, 2.0]


def test_weights_name_verifiers_that_run(registry: Registry) -> None:
    with VerifierRunner(built_for(registry), format=Format()) as runner, pytest.raises(UsageError, match="'anwser'"):
        Reward(runner, {"anwser": 1.0})


def test_a_worker_that_cannot_start_is_an_internal_error(tmp_path: Path) -> None:
    file = tmp_path / "here_only.py"
    file.write_text(THIRD_PARTY)
    built = Registry.discover([file]).build("verifier", "odd")
    file.write_text("raise RuntimeError('broken since')")
    with VerifierRunner({"odd": built}, format=Format(), workers=1) as runner:
        [verdicts] = runner.verdicts([claim("7")])
    assert (verdicts["odd"].status, verdicts["odd"].score, verdicts["odd"].cause) == ("error", None, "system")
