"""How long scoring by rules takes: 1,000 MathVista and 3,040 MathVision responses; the bar is 5 s on two cores.

Run it as ``python tests/benchmarks/scoring_speed.py``. The rows are made here, in the shapes of the real ones:
reasoning of some hundred words that ends in a box, a phrase or nothing that can be read.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMIT = 5.0
TEXT = "the angle of this triangle and that side give an area which we add to what stands above so that x = 3 cm"
EXPRESSIONS = [
    "12",
    "3.5",
    "\\frac{3}{4}",
    "2\\sqrt{3}",
    "8\\pi",
    "x^2+1",
    "(3,-4)",
    "1:2",
    "12\\text{ cm}",
    "7^{\\circ}",
]


def said(draw: random.Random, answer: str) -> str:
    text = " ".join(draw.choices(TEXT.split(), k=draw.randint(100, 400)))
    return text + draw.choice([f" \\boxed{{{answer}}}", f" The answer is {answer}.", f"\n({answer})", ""])


def mathvista(draw: random.Random, n: int) -> list[dict[str, Any]]:
    rows = []
    for pid in range(n):
        choices = [f"{draw.randint(1, 200)}°" for _ in range(4)] if pid % 2 else None
        answer = draw.choice(choices) if choices else str(draw.randint(1, 50))
        rows.append({
            "pid": str(pid), "question": "Find it.", "answer": answer, "choices": choices, "unit": None,
            "precision": None, "answer_type": "text" if choices else "integer",
            "question_type": "multi_choice" if choices else "free_form",
            "metadata": {"task": f"task {pid % 5}", "skills": ["algebraic", "geometry"]},
        })  # fmt: skip
    return rows


def mathvision(draw: random.Random, n: int) -> list[dict[str, Any]]:
    rows = []
    for id in range(n):
        options = draw.sample(EXPRESSIONS, 5) if id % 2 else []
        answer = draw.choice("ABCDE") if options else draw.choice(EXPRESSIONS)
        rows.append({
            "id": str(id), "question": "Find it.", "answer": answer, "options": options,
            "level": id % 5 + 1, "subject": f"subject {id % 16}",
        })  # fmt: skip
    return rows


def measure(name: str, rows: list[dict[str, Any]], draw: random.Random, folder: Path) -> float:
    data, responses = folder / f"{name}.jsonl", folder / f"{name}-said.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    answers = [draw.choice([row["answer"], *EXPRESSIONS]) for row in rows]
    told = [
        {"id": row.get("pid", row.get("id")), "response": said(draw, answer)}
        for row, answer in zip(rows, answers, strict=True)
    ]
    responses.write_text("\n".join(map(json.dumps, told)))
    command = [sys.executable, "-m", "openvlt", "bench", name, "--responses", str(responses), "--data", str(data)]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OPENVLT_HOME": str(folder / "home")})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{name}: {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f} s of processor time")
    return time.perf_counter() - started


def main() -> int:
    draw, slow = random.Random(0), 0
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("mathvista", mathvista(draw, 1000)), ("mathvision", mathvision(draw, 3040))):
            seconds = measure(name, rows, draw, Path(folder))
            slow += seconds > LIMIT
            print(f"{name}: {len(rows):,} responses scored in {seconds:.2f} s (bar {LIMIT} s)")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
