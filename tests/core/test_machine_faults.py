"""Faults of the machine are nobody's answer: workers killed, stopped, without memory or CPU time, and processes forked."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from test_verification import claim

import openvlt
from openvlt import Claim, Example, Format, Trace, forks, system
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner, limits
from openvlt.verification.pool import Pool

SLOW = '''
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from openvlt import AnswerVerifier, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Slow(AnswerVerifier):
    """Takes its time, and can be told to kill its worker, always or once."""
    cpu: float = 0.0
    mark: str = ""
    def check(self, answer, claim):
        if answer == "sleep": time.sleep(60)
        if answer == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if answer.startswith("once"):
            mark = Path(self.mark) / answer
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), getattr(signal, answer.split()[1]))
        end = time.process_time() + self.cpu
        while time.process_time() < end: pass
        return Verdict.correct()

@dataclass(frozen=True)
class Wrong(Verifier):
    """Returns what it must not."""
    what: str
    def verify(self, claim): return RETURNS[self.what]()
    def verify_group(self, claims): return RETURNS[self.what]()

@dataclass(frozen=True)
class WrongInline(Wrong):
    inline = True

@dataclass(frozen=True)
class WrongGroup(Wrong):
    grouped = True

@hookimpl
def register_verifiers(register):
    register("slow", Slow, summary="takes its time")
    register("wrong", Wrong, summary="wrong")
    register("wrong-inline", WrongInline, summary="wrong inline")
    register("wrong-group", WrongGroup, summary="wrong about groups")
'''

OUTSIDE = ["2.0", "-0.5", "float('nan')", "float('inf')", "'1'", "True + 1"]
INSIDE = ["1", "True", "__import__('numpy').float32(1)"]
NO_VERDICT = [
    ("wrong", "None"),
    ("wrong-inline", "1.0"),
    ("wrong", "Verdict(status='fine', score=1.0)"),
    ("wrong", "Verdict.scored(1.0, detail={'x': object()})"),
    ("wrong-inline", "Verdict.scored(1.0, detail={'x': object()})"),
    ("wrong-group", "[Verdict.correct()]"),
    ("wrong-group", "None"),
    ("wrong-group", "[None, None]"),
]
RETURNED = {
    *(f"Verdict.scored({score}, 'a \\ud800 b')" for score in [*OUTSIDE, *INSIDE]),
    *(what for _, what in NO_VERDICT),
}
"""What the plugin's verifiers can be told to return, as Python."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    file = tmp_path_factory.mktemp("plugin") / "slow.py"
    returns = ", ".join(f"{what!r}: lambda: {what}" for what in sorted(RETURNED))
    file.write_text(f"{SLOW}\nRETURNS = {{{returns}}}\n")
    return Registry.discover([file])


def slow(registry: Registry, **options: Any) -> VerifierRunner:
    spec = {"use": "slow", **options}
    return VerifierRunner({"slow": registry.build("verifier", spec)}, format=Format(), workers=1)


def children() -> list[int]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(OSError):  # the thread has ended
            found += map(int, (task / "children").read_text().split())
    return found


class During:
    """Does something to the workers some times while a block runs."""

    def __init__(self, act: Callable[[list[int]], None], every: float, most: int) -> None:
        self._before = set(children())
        self._act, self._every, self._most, self._stop = act, every, most, threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.times = 0

    def _work(self) -> None:
        while self.times < self._most and not self._stop.wait(self._every):
            if workers := [child for child in children() if child not in self._before]:
                self._act(workers)
                self.times += 1

    def __enter__(self) -> During:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSEGV"])
def test_a_worker_that_dies_once_is_nobody_s_fault(number: str, registry: Registry, tmp_path: Path) -> None:
    with slow(registry, mark=str(tmp_path)) as runner:
        rows = runner.verdicts([claim(f"once {number}"), claim("7")])
    assert [row["slow"].status for row in rows] == ["correct", "correct"]


def test_an_answer_that_always_kills_its_worker_scores_lowest(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow(registry) as runner:
        [row] = runner.verdicts([claim("kill")])
        assert (row["slow"].status, row["slow"].score, row["slow"].cause) == ("error", 0.0, "response")
        monkeypatch.delattr(Pool, "borrow")  # it costs only once
        assert runner.verdicts([claim("kill")])[0] == row


@pytest.mark.slow
def test_a_kill_while_memory_is_tight_blames_no_answer(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "available_memory", lambda: limits.TIGHT_BYTES - 1)
    with slow(registry) as runner:
        [row] = runner.verdicts([claim("kill")])
        assert (row["slow"].score, row["slow"].cause) == (None, "machine")
        monkeypatch.setattr(system, "available_memory", lambda: None)
        [row] = runner.verdicts([claim("kill")])
        assert (row["slow"].score, row["slow"].cause) == (0.0, "response"), "the verdict on the machine is not kept"


@pytest.mark.slow
def test_workers_killed_at_random_while_they_start_too_fail_nothing(registry: Registry) -> None:
    """Fewer kills than failed starts in a row that are put up with, so that it ends on any machine."""

    def kill(workers: list[int]) -> None:
        os.kill(workers[-1], signal.SIGKILL)

    with slow(registry, cpu=0.02) as runner, During(kill, 0.5, 6) as fault:
        rows = runner.verdicts([claim(str(index), gold="7") for index in range(200)])
    assert {row["slow"].status for row in rows} == {"correct"}
    assert fault.times


def test_where_no_worker_starts_nothing_is_decided(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STARTS", 2)
    with monkeypatch.context() as broken, slow(registry) as runner:
        broken.setattr(sys, "executable", "/bin/false")
        [row] = runner.verdicts([claim("7")])
        assert (row["slow"].score, row["slow"].cause) == (None, "machine")
        broken.undo()
        assert runner.verdicts([claim("7")])[0]["slow"].status == "correct"


def test_no_room_for_a_process_is_the_machine_s_fault(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STARTS", 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with slow(registry) as runner:
        taken = [os.dup(0)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 4, hard))
        try:
            [row] = runner.verdicts([claim("7")])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os.close(taken[0])
        assert (row["slow"].score, row["slow"].cause) == (None, "machine")
        assert runner.verdicts([claim("7")])[0]["slow"].status == "correct"


@pytest.mark.slow
def test_memory_that_somebody_else_limits_blames_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small limit from outside: what does not fit is tried again, and right once there is room."""
    limit, python = tmp_path / "limit", tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -S -v "$(cat {limit})"\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))  # limits the workers alone: no Python asks on in 24 MB
    monkeypatch.setattr(limits, "STARTS", 3)
    example = Example(id="1", question="", answer=r"\sin x")
    claims = [Claim(trace=Trace(think="", answer=r"\cos(\pi/2-x)", raw=""), example=example)]
    answer = Registry.discover().build("verifier", "answer")
    with VerifierRunner({"a": answer}, format=Format(), workers=1) as runner:
        verdicts = {}
        for kilobytes in (24 << 10, 48 << 10, 96 << 10, "unlimited"):
            limit.write_text(str(kilobytes), encoding="ascii")
            verdicts[kilobytes] = runner.verdicts(claims)[0]["a"]
    assert verdicts[24 << 10].cause == "machine"
    assert all(verdict.status == "correct" or verdict.cause == "machine" for verdict in verdicts.values())
    assert verdicts["unlimited"].status == "correct"


@pytest.mark.slow
def test_a_stopped_worker_goes_on(registry: Registry) -> None:
    def stop(workers: list[int]) -> None:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for worker in workers:
                os.kill(worker, number)
            time.sleep(4 if number == signal.SIGSTOP else 1)

    with slow(registry, cpu=0.05) as runner, During(stop, 0.5, 2) as fault:
        rows = runner.verdicts([claim(str(index), gold="7") for index in range(30)])
    assert {row["slow"].status for row in rows} == {"correct"}
    assert fault.times


@pytest.mark.slow
def test_waiting_again_and_again_is_a_timeout(registry: Registry) -> None:
    with slow(registry) as runner:
        waited, other = (row["slow"] for row in runner.verdicts([claim("sleep"), claim("7")]))
    assert (waited.status, waited.score, waited.cause) == ("timeout", 0.0, "response")
    assert waited.reason == "waited without computing for 2 s"
    assert other.status == "correct"


@pytest.mark.slow
def test_a_stage_has_no_time_limit_and_a_step_has(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that is over before its first claim is decided, which it waits for, on however busy a machine."""
    monkeypatch.setattr(limits, "LOOK_SECONDS", 600.0)
    claims = [claim(str(index), gold="7") for index in range(8)]
    with slow(registry, cpu=0.4) as runner:
        assert {row["slow"].status for row in runner.verdicts(claims)} == {"correct"}
    built = {"slow": registry.build("verifier", {"use": "slow", "cpu": 0.4})}
    with VerifierRunner(built, format=Format(), workers=1, budget=0.1) as runner:
        first, *others = (row["slow"] for row in runner.verdicts(claims))
        assert first.status == "correct"
        assert {(each.status, each.score, each.cause) for each in others} == {("skipped", None, "machine")}
        assert runner.tallies["slow"].concerns == ["7 of 8 claims are not scored because their step ran out of time"]
        assert runner.verdicts(claims[-1:])[0]["slow"].status == "correct", "a claim that was skipped is not remembered"


@pytest.mark.parametrize("what", OUTSIDE)
@pytest.mark.parametrize("use", ["wrong", "wrong-inline"])
def test_a_score_outside_the_range_is_never_paid(use: str, what: str, registry: Registry) -> None:
    spec = {"use": use, "what": f"Verdict.scored({what}, 'a \\ud800 b')"}
    with VerifierRunner({"wrong": registry.build("verifier", spec)}, format=Format(), workers=1) as runner:
        [row] = runner.verdicts([claim("7")])
    assert (row["wrong"].status, row["wrong"].score, row["wrong"].cause) == ("error", None, "system")
    told = rf"verifier {use} \(file:slow\) failed in verify: it returned the score .* \(slow\.py:\d+\)"
    assert re.fullmatch(told, row["wrong"].reason)


@pytest.mark.parametrize(("use", "what"), NO_VERDICT)
def test_what_is_no_verdict_is_the_verifier_s_error(use: str, what: str, registry: Registry) -> None:
    built = {"wrong": registry.build("verifier", {"use": use, "what": what})}
    with VerifierRunner(built, format=Format(), workers=1) as runner:
        rows = runner.verdicts([claim("7", group="a"), claim("8", group="a")])
    for row in rows:
        assert (row["wrong"].status, row["wrong"].score, row["wrong"].cause) == ("error", None, "system")
        assert row["wrong"].reason.startswith(f"verifier {use} (file:slow) failed in ")
    assert runner.tallies["wrong"].causes["system"] == 2


@pytest.mark.slow
def test_a_score_at_the_end_of_the_range_and_of_another_type_is_paid(registry: Registry) -> None:
    for what in INSIDE:
        spec = {"use": "wrong", "what": f"Verdict.scored({what}, 'a \\ud800 b')"}
        with VerifierRunner({"wrong": registry.build("verifier", spec)}, format=Format(), workers=1) as runner:
            [row] = runner.verdicts([claim("7")])
        assert (row["wrong"].score, type(row["wrong"].score), row["wrong"].reason) == (1.0, float, "a ? b")


def symbolic(index: int) -> dict[str, Any]:
    return {"completions": [rf"<answer>\cos(\pi/2-x)+{index}</answer>"], "answer": [rf"\sin x+{index}"]}


def test_all_functions_and_threads_share_one_pool() -> None:
    before, found, most = set(children()), list[Any](), 0
    kept = openvlt.reward("answer", workers=1)  # the pool ends with the last function that shares it
    assert kept(**symbolic(40)) == [1.0]

    def work(index: int) -> None:
        found.append(openvlt.reward("answer", workers=1)(**symbolic(index)))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(40)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(set(children()) - before))
        time.sleep(0.01)
    assert found == [[1.0]] * 40
    assert most <= 2, "one at work and one spare"


def test_a_pool_ends_with_the_last_who_shares_it(registry: Registry) -> None:
    before = set(children())
    with slow(registry) as one:
        with slow(registry) as other:
            assert [runner.verdicts([claim("7")])[0]["slow"].status for runner in (one, other)] == ["correct"] * 2
        assert set(children()) - before
    assert not set(children()) - before


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from openvlt import Format
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner
from openvlt.verification.pool import Pool
from test_verification import claim

drop = Pool.drop
built = Registry.discover([Path(sys.argv[1])]).build("verifier", {"use": "slow", "cpu": 1.5})
with VerifierRunner({"slow": built}, format=Format(), workers=1) as runner:
    for _ in range(4):
        Pool.drop = lambda *_: signal.raise_signal(signal.SIGINT)  # the second one, while workers are given back
        timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            runner.verdicts([claim(str(number), gold="7") for number in range(40)])
        except KeyboardInterrupt:
            print("interrupted")
        Pool.drop = drop
        try:
            timer.join()
            time.sleep(0.1)
        except KeyboardInterrupt:  # the first one, where the second came before it
            pass
    print(runner.verdicts([claim("7")])[0]["slow"].status)
"""


@pytest.mark.slow
def test_after_two_interrupts_the_next_call_works(registry: Registry) -> None:
    """In a process of its own: an interrupt that comes too early or too late would end the tests."""
    command = [sys.executable, "-c", INTERRUPTED, str(registry.files[0])]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.stdout.split() == ["interrupted"] * 4 + ["correct"], done.stderr


@pytest.mark.slow
def test_an_exception_loses_no_worker(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from openvlt.verification.batch import Batch

    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    with slow(registry) as runner:
        for _ in range(5):
            with monkeypatch.context() as broken, pytest.raises(RuntimeError):
                broken.setattr(Batch, "_on_reply", fail)
                runner.verdicts([claim("1")])
        assert runner.verdicts([claim("7")])[0]["slow"].status == "correct"


def test_a_forked_child_scores_whatever_locks_a_thread_holds() -> None:
    score = openvlt.reward("answer", workers=1)
    assert score(**symbolic(0)) == [1.0]
    assert len(forks._LOCKS) >= 4, "of the memo, the isolation, the pool, and all pools"
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in list(forks._LOCKS):
                stack.enter_context(lock)
            held.set()
            let_go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    if (child := os.fork()) == 0:
        signal.alarm(600)
        os._exit(0 if score(**symbolic(1)) == [1.0] else 1)
    let_go.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert score(**symbolic(2)) == [1.0]


@pytest.mark.slow
def test_children_forked_while_threads_import_answer() -> None:
    """The first call of all imports the plugins, and Python's locks of modules are not renewed in a child."""
    script = """
import os, threading, time
import openvlt
score = openvlt.reward("answer", workers=1)
row = {"completions": ["<answer>1/2</answer>"], "answer": ["0.5"]}
threads = [threading.Thread(target=score, kwargs=row) for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(10):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(0 if score(**row) == [1.0] else 1)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600)
    assert done.stdout.split("\n")[0] == str([0] * 10), done.stderr


def test_no_module_makes_a_lock_that_a_fork_can_leave_held() -> None:
    """A lock that outlives a call is made with `forks.renewed_at_fork`; others are local variables of one call."""
    core = Path(openvlt.__file__).parent
    made = re.compile(
        r"^\s+self\.\w+(: [^=]+)? = .*\b(Lock|RLock|Condition|Semaphore|Event)\(\)|^\w+ = .*\b(Lock|RLock)\(\)", re.M
    )
    for file in core.rglob("*.py"):
        for found in made.finditer(file.read_text(encoding="utf-8")) if file.name != "forks.py" else ():
            assert "renewed_at_fork" in found.group(), f"{file}: {found.group().strip()}"


@pytest.mark.slow
def test_a_pickled_function_scores_in_a_spawned_process() -> None:
    score = openvlt.reward("answer", workers=1)
    assert score(**symbolic(0)) == [1.0]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(score, kwds=symbolic(1)) == [1.0]


@pytest.mark.slow
def test_an_actor_scores() -> None:
    """As Ray's: the function arrives pickled, in a process that a thread of it works in."""
    script = """
import pickle, sys, threading
score, kwargs = pickle.load(sys.stdin.buffer)
thread = threading.Thread(target=lambda: print(score(**kwargs)))
thread.start()
thread.join()
"""
    content = pickle.dumps((openvlt.reward("answer", workers=1), symbolic(0)))
    done = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, check=False)
    assert done.stdout.strip() == b"[1.0]", done.stderr


@pytest.mark.slow
def test_coroutines_score() -> None:
    score = openvlt.reward("answer", workers=1)

    async def work() -> list[Any]:
        there = [asyncio.to_thread(lambda index=index: score(**symbolic(index))) for index in range(8)]
        return [score(**symbolic(8)), *await asyncio.gather(*there)]

    assert asyncio.run(work()) == [[1.0]] * 9
