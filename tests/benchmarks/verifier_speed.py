"""Pairs a second of the `answer` verifier and of math-verify: ``python tests/benchmarks/verifier_speed.py``.

The mix is that of a GRPO run on visual mathematics: 70 % short numbers and letters, 20 % LaTeX values, 10 % algebra,
half of the answers wrong, every pair different. Same pairs, one process each (math-verify gets both sides boxed, gold
first, as its README recommends; ours runs what its quick tiers leave open in one worker, whose time counts too).
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from math_verify import parse as mv_parse, verify as mv_verify

from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner

PAIRS = int(os.environ.get("PAIRS", "2000"))
Pair = tuple[str, str, bool]


def short(rng: random.Random) -> Pair:
    right = rng.random() < 0.5
    if rng.random() < 0.35:
        letter = rng.choice("ABCDE")
        other = letter if right else rng.choice([c for c in "ABCDE" if c != letter])
        return letter, rng.choice(["{}", "({})", "{}.", "\\text{{{}}}"]).format(other), right
    number = rng.choice([rng.randint(-200, 5000), round(rng.uniform(-50, 500), rng.randint(1, 3))])
    said = number if right else number + rng.choice([1, -1, 10, 0.5])
    style = rng.choice(["{}", "{:,}", "${}$", "{} cm"])
    return str(number), style.format(said), right


def latex(rng: random.Random) -> Pair:
    right = rng.random() < 0.5
    a, b, c = rng.randint(1, 60), rng.randint(2, 30), rng.choice([2, 3, 5, 7, 11])
    d = a if right else a + 1
    kinds = [
        (rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{2 * d}}}{{{2 * b}}}"),
        (rf"{a}\sqrt{{{c}}}", rf"\sqrt{{{d * d * c}}}"),
        (rf"\frac{{{a}\pi}}{{{b}}}", rf"\frac{{{d}}}{{{b}}}\pi"),
        (rf"({a}, -{b})", rf"\left({d}, -{b}\right)"),
        (rf"[-{b}, {a})", rf"\left[-{b}, {d}\right)"),
        (rf"\{{{a}, {b + 70}, {c + 200}\}}", rf"\{{{c + 200}, {d}, {b + 70}\}}"),
        (rf"{a}^\circ", f"{d}°"),
        (rf"{a}.5 \times 10^{{{c}}}", str(int((d + 0.5) * 10**c))),
    ]
    return *rng.choice(kinds), right


def algebra(rng: random.Random) -> Pair:
    right = rng.random() < 0.5
    a, b = rng.randint(1, 40), rng.randint(2, 40)
    d = b if right else b + 1
    kinds = [
        (f"(x+{a})(x-{b})", f"x^2+{a}x-{d}x-{a * d}"),
        (f"y={a}x+{b}", f"{a}x-y+{d}=0"),
        (rf"\frac{{x^2}}{{{a * a}}}+\frac{{y^2}}{{{b * b}}}=1", f"{b * b}x^2+{a * a}y^2={a * a * d * d}"),
        (rf"\frac{{1}}{{{a}+\sqrt{{{b}}}}}", rf"\frac{{{a}-\sqrt{{{d}}}}}{{{a * a - b}}}" if a * a != b else "0"),
        (rf"\sin({a}x)\cos({a}x)+{b}", rf"\frac{{\sin({2 * a}x)}}{{2}}+{d}"),
    ]
    gold, said = rng.choice(kinds)
    return gold, said, right and said != "0"


def mix(seed: int = 7) -> list[Pair]:
    """Different pairs in the realistic mix."""
    rng = random.Random(seed)
    pairs: dict[tuple[str, str], bool] = {}
    for make, share in ((short, 0.7), (latex, 0.2), (algebra, 0.1)):
        wanted = len(pairs) + int(PAIRS * share)
        while len(pairs) < wanted:
            gold, said, right = make(rng)
            pairs[gold, said] = right
    found = [(gold, said, right) for (gold, said), right in pairs.items()]
    rng.shuffle(found)
    return found


def ours(pairs: list[Pair]) -> tuple[float, float, int]:
    claims = [
        Claim(trace=Trace(think="", answer=said, raw=said), example=Example(id=str(i), question="", answer=gold))
        for i, (gold, said, _) in enumerate(pairs)
    ]
    with VerifierRunner(
        {"answer": Registry.discover().build("verifier", "answer")}, format=Format(), workers=1
    ) as judge:
        deep = Example(id="", question="", answer=r"\sin^2 x+\cos^2 x")
        judge.verdicts([Claim(trace=Trace(think="", answer="1", raw="1"), example=deep)])
        time.sleep(8)  # the spare worker starts beside the first, once in a training
        start, cpu = time.perf_counter(), time.process_time() + children_cpu()
        verdicts = judge.verdicts(claims)
        seconds, own = time.perf_counter() - start, time.process_time() + children_cpu() - cpu
    wrong = sum((v["answer"].status == "correct") != right for v, (_, _, right) in zip(verdicts, pairs, strict=True))
    return seconds, own, wrong


def children_cpu() -> float:
    """CPU seconds the running workers have used."""
    total = 0.0
    for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def math_verify(pairs: list[Pair]) -> tuple[float, float, int]:
    mv_verify(mv_parse("\\boxed{1}"), mv_parse("\\boxed{\\frac{1}{1}}"))
    start, cpu, wrong = time.perf_counter(), time.process_time(), 0
    for gold, said, right in pairs:
        wrong += mv_verify(mv_parse(f"\\boxed{{{gold}}}"), mv_parse(f"\\boxed{{{said}}}")) != right
    return time.perf_counter() - start, time.process_time() - cpu, wrong


def main() -> None:
    pairs = mix()
    found = {}
    for name, run in (("openvlt", ours), ("math-verify", math_verify)):
        seconds, cpu, wrong = run(pairs)
        found[name] = {
            "pairs": len(pairs),
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu, 3),
            "pairs_per_second": round(len(pairs) / seconds),
            "pairs_per_cpu_second": round(len(pairs) / cpu),
            "wrong_verdicts": wrong,
        }
    times = {
        f"times_faster_by_{key}": round(
            found["openvlt"][f"pairs_per_{key}"] / found["math-verify"][f"pairs_per_{key}"], 1
        )
        for key in ("second", "cpu_second")
    }
    print(json.dumps({**found, **times}, indent=2))


if __name__ == "__main__":
    main()
