"""What reading responses that others made costs: time to score 3,040 of them, memory for 200,000.

Run it as ``python tests/benchmarks/response_files.py``. The bars are 5 s and 1 GB (resident, of the largest process).
The rows are made here: lines of a batch API, with reasoning of some hundred words (1.3 and 2.5 KB on average) that ends in a box,
a phrase or nothing that can be read, and for 200,000 responses 100,000 questions with two samples each.
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

from scoring_speed import EXPRESSIONS, mathvision, said

BARS = {3_040: ("s", 5.0), 200_000: ("GB", 1.0)}


def line(draw: random.Random, row: dict[str, Any], length: int) -> str:
    answer = draw.choice([row["answer"], *EXPRESSIONS])
    text = "\n".join(said(draw, answer) for _ in range(length))
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    response = {"status_code": 200, "request_id": "", "body": {"object": "chat.completion", "choices": [choice]}}
    return json.dumps({"id": "", "custom_id": row["id"], "response": response, "error": None})


def measure(questions: int, samples: int, length: int, folder: Path) -> bool:
    """True if it stays under the bar."""
    draw = random.Random(0)
    rows = mathvision(draw, questions)
    data, file = folder / f"{questions}.jsonl", folder / f"{questions}-batch.jsonl"
    with data.open("w") as written:
        written.writelines(json.dumps(row) + "\n" for row in rows)
    order = list(range(questions)) * samples
    draw.shuffle(order)
    with file.open("w") as written:
        written.writelines(line(draw, rows[at], length) + "\n" for at in order)
    command = [sys.executable, "-m", "openvlt", "bench", "mathvision", "--responses", str(file), "--data", str(data)]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OPENVLT_HOME": str(folder / "home")})
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{len(order):,} responses of {file.stat().st_size / len(order) / 1000:.1f} KB: {seconds:.1f} s "
        f"({processor:.1f} s of processor time), {after.ru_maxrss / 2**20:.2f} GB"
    )
    unit, bar = BARS[len(order)]
    return (seconds if unit == "s" else after.ru_maxrss / 2**20) <= bar


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        passed = [measure(3_040, 1, 1, Path(folder)), measure(100_000, 2, 2, Path(folder))]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
