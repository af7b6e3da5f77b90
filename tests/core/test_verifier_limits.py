"""Limits of time and memory that a verifier states, and what happens beyond them."""

from __future__ import annotations

from typing import Any

import pytest
from test_verification import claim

from openvlt import Format
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner, limits

PLUGIN = '''
import time
from dataclasses import dataclass
from openvlt import AnswerVerifier, Verdict, hookimpl

@dataclass(frozen=True)
class Limited(AnswerVerifier):
    """Does what the answer says."""
    seconds: float = 2.0
    memory: int = 1 << 30
    def check(self, answer, claim):
        what, _, rest = answer.partition(" ")
        if what == "sleep": time.sleep(60)
        if what == "fill": bytearray(int(rest) << 20)
        end = time.process_time() + (float(rest.split()[0]) if what == "burn" else 60)
        while what in ("burn", "loop") and time.process_time() < end: pass
        return Verdict.correct()

@hookimpl
def register_verifiers(register):
    register("limited", Limited, summary="does what it is told")
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    file = tmp_path_factory.mktemp("plugin") / "limited.py"
    file.write_text(PLUGIN)
    return Registry.discover([file])


def limited(registry: Registry, *, budget: float | None = None, **options: Any) -> VerifierRunner:
    built = registry.build("verifier", {"use": "limited", **options})
    return VerifierRunner({"limited": built}, format=Format(), workers=1, budget=budget)


@pytest.mark.slow
def test_a_verifier_that_only_waits_ends_its_batch(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(limits, "WAITS", 1)
    monkeypatch.setattr(limits, "LOSSES", 3)
    with limited(registry, seconds=0.2) as runner:
        rows = runner.verdicts([claim(f"sleep {index}", gold="sleep") for index in range(9)])
        assert {(row["limited"].status, row["limited"].score, row["limited"].cause) for row in rows} == {
            ("error", None, "system")
        }
        assert "waited without computing on 3 claims" in rows[-1]["limited"].reason
        assert runner.tallies["limited"].concerns


@pytest.mark.slow
def test_a_verifier_states_its_limits(registry: Registry) -> None:
    with limited(registry, seconds=0.3) as runner:
        assert runner.verdicts([claim("loop")])[0]["limited"].reason == "computed for 0.3 s"
    with limited(registry, seconds=6.0) as runner:
        assert runner.verdicts([claim("burn 3")])[0]["limited"].status == "correct"
    for megabytes, status in ((100, "error"), (1000, "correct")):
        with limited(registry, memory=megabytes << 20) as runner:
            assert runner.verdicts([claim("fill 300")])[0]["limited"].status == status


@pytest.mark.slow
def test_what_is_cheap_comes_before_what_timed_out(registry: Registry) -> None:
    """One gold whose answers all take too long must not use up the time of the others."""
    dear = [claim(f"loop {index}", gold="dear") for index in range(40)]
    cheap = [claim(f"burn 0.0{index} and more text", gold="cheap") for index in range(1, 6)]
    with limited(registry, seconds=0.2, budget=6.0) as runner:
        for _ in range(2):
            rows = [row["limited"] for row in runner.verdicts([*dear, *cheap])]
            assert {verdict.status for verdict in rows[40:]} == {"correct"}
            assert {verdict.status for verdict in rows[:40]} == {"timeout", "skipped"}
