"""Hostile answers through the workers: ``python tests/benchmarks/verifier_hostile.py [COUNT]``.

Fuzzes what has broken verifiers in the field (towers of powers, endless digits, deep nesting, huge sums, code). Every
input must get a verdict, none of them correct; no call may take more than 2.5 s; memory must stay flat; no process may
be left; and nothing may be executed: the canary file must not appear.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner
from openvlt.verification.batch import Batch, Failed
from openvlt.verification.messages import Setup, Task
from openvlt.verification.pool import Pool

CANARY = Path(tempfile.gettempdir()) / f"openvlt-canary-{os.getpid()}"
CODE = f"open('{CANARY}','w').write('x')"
SEEDS = [
    "9**9**9", "9^{9^{9^{9}}}", "2^{2^{2^{49}}}", "1" * 3000, "1" * 200_000, "\\frac{1}{" * 300 + "1" + "}" * 300,
    "(" * 3000, "{" * 500 + "}" * 500, "\\sum_{k=1}^{10^9} 1/k", "\\int_0^{10^9} \\sin x^x dx", "100000!", "((9!)!)!",
    "x^{100000}+1", "(x+1)^{10000}", "\\sqrt{" * 60 + "2" + "}" * 60, "\\sin(" * 39 + "x" + ")" * 39,
    f"__import__('os').system('touch {CANARY}')", CODE, f"exec(\"{CODE}\")", f"eval('{CODE}')", f"\\text{{{CODE}}}",
    "().__class__.__base__.__subclasses__()", "lambda: 1", "nan", "inf", "-inf", "1e999999999", "1e-999999999", "0/0",
    "\\begin{pmatrix}" + "1&" * 500 + "1\\end{pmatrix}", ",".join(map(str, range(900))), "A, B, C, D, E", "\x00\ud800",
    "\\{" + ",".join(f"x_{i}+{i}" for i in range(60)) + "\\}", "e^{e^{e^{e^{e}}}}", "\\tan(10^{300})", "10^{-9999}",
    "\\ln(\\ln(\\ln(\\ln(x))))", "|" * 400, "x=" * 300 + "2", "5 " + "cm " * 300, "1 " * 900, "\\pm" * 90 + "1",
    "+".join(f"\\sqrt{{{n}}}" for n in range(2, 90)), "*".join(f"(x+y_{n})" for n in range(40)), "\\left(" * 200,
    "(\\sqrt{2}+\\sqrt{3}+\\sqrt{5}+\\sqrt{7})^{12}", "\\sin(x)^{2}+\\cos(x)^{2}+\\tan(x)^{9}-y^{z^{w}}", "yes or no",
]  # fmt: skip
GOLDS = ["1", "42", "\\frac{1}{2}", "x^2+1", "\\{1,2,3\\}", "(0,1)", "B", "yes", "5 cm", "\\sin x+\\ln y", "\\pi^{e}"]
WARM = Claim(
    trace=Trace(think="", answer="\\cos x", raw=""),
    example=Example(id="", question="", answer="\\sin(x+\\frac{\\pi}{2})"),
)
PIECES = ["^", "**", "{", "}", "(", ")", "9", "!", "\\frac", "\\sqrt", "x", "=", ",", "%", "e", ":", " ", "\n", "\\"]


def fuzzed(rng: random.Random) -> str:
    text = rng.choice(SEEDS)
    for _ in range(rng.randrange(5)):
        place = rng.randrange(len(text) + 1)
        cut = rng.choice([0, 0, 1, 3, 40])
        text = (
            text[:place]
            + rng.choice([rng.choice(PIECES) * rng.choice([1, 2, 9]), rng.choice(SEEDS)[:60]])
            + text[place + cut :]
        )
    return text


def claims(count: int) -> list[Claim]:
    rng = random.Random(11)
    found = []
    for index in range(count):
        said = fuzzed(rng)
        example = Example(id=str(index), question="", answer=rng.choice(GOLDS))
        found.append(Claim(trace=Trace(think="", answer=said, raw=said), example=example))
    return found


def one_by_one(hostile: list[Claim]) -> dict[str, object]:
    """Through a runner, each in a call of its own."""
    statuses: Counter[str] = Counter()
    slowest, grown = 0.0, 0
    with VerifierRunner(
        {"answer": Registry.discover().build("verifier", "answer")}, format=Format(), workers=1
    ) as runner:
        runner.verdicts([WARM])
        for index, claim in enumerate(hostile):
            if index == len(hostile) // 4:
                grown = -resident(os.getpid())
            start = time.perf_counter()
            statuses[runner.verdicts([claim])[0]["answer"].status] += 1
            slowest = max(slowest, time.perf_counter() - start)
        grown += resident(os.getpid())
    return {"statuses": dict(statuses), "slowest_call_seconds": round(slowest, 3), "memory_growth_mib": grown >> 20}


def in_workers(hostile: list[Claim]) -> dict[str, object]:
    """All of them in a worker from beginning to end, nothing decided here."""
    built = Registry.discover().build("verifier", "answer")
    pool = Pool(Setup(verifiers={built.identity: {"use": built.entry.id}}, memory=built.component.memory), workers=1)
    statuses: Counter[str] = Counter()
    sizes = []
    for start in range(0, len(hostile), 500):
        some = hostile[start : start + 500]
        tasks = [Task(verifier=built.identity, claims=(mended(claim),), seconds=2.0) for claim in some]
        for result in Batch(pool, tasks).run():
            statuses[result.category if isinstance(result, Failed) else result.verdicts[0].status] += 1
        sizes.append(max(resident(pid) for pid in children()))
    pool.close()
    return {"statuses": dict(statuses), "worker_memory_mib": [sizes[0] >> 20, sizes[-1] >> 20], "left": len(children())}


def mended(claim: Claim) -> Claim:
    said = claim.response.encode("utf-8", "replace").decode()
    return Claim(trace=Trace(think="", answer=said, raw=said), example=claim.example)


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    hostile = claims(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    start = time.perf_counter()
    found = {"inputs": len(hostile), "judge": one_by_one(hostile), "workers": in_workers(hostile)}
    print(
        json.dumps({**found, "executed": CANARY.exists(), "seconds": round(time.perf_counter() - start, 1)}, indent=2)
    )


if __name__ == "__main__":
    main()
