"""Odd inputs at every entrance: ``python tests/benchmarks/fuzz.py 20000``.

Runs all tests with the marker ``fuzz``, each with its share of the inputs, and prints for each entrance the inputs, the
faults (an unexpected error, a traceback, a control character, over 2.5 s of the caller's time), the slowest input and
the growth of memory between a tenth of the inputs and the end. Exits with 1 if there was a fault.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-n", "0", "--no-cov", "-m", "fuzz"]


def collected() -> list[str]:
    """The fuzz tests, by their ids."""
    files = [str(path) for path in sorted(TESTS.rglob("test_*.py")) if "fuzz" in path.read_text(encoding="utf-8")]
    listed = subprocess.run([*PYTEST, "--collect-only", *files], capture_output=True, text=True, check=False).stdout
    return [line for line in listed.splitlines() if re.match(r"\S+\.py::", line)]


def main(inputs: int, some: str = "") -> int:
    tests = [test for test in collected() if some in test]
    share = max(10, inputs // len(tests))
    print(f"{len(tests)} tests, {share} inputs each\n")
    print(f"{'entrance':<24}{'inputs':>8}{'faults':>8}{'slowest s':>11}{'memory MB':>11}")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        environment = {**os.environ, "OPENVLT_FUZZ": str(share), "OPENVLT_FUZZ_REPORT": str(report)}
        faults: list[str] = []
        for test in tests:  # a process each, so that its memory is its own
            report.write_text("")
            done = subprocess.run(
                [*PYTEST, test], env=environment, cwd=TESTS.parent, capture_output=True, text=True, check=False
            )
            lines = [json.loads(line) for line in report.read_text().splitlines()]
            for seen in lines:
                growth = (seen["late"] - seen["early"]) / 1e6
                row = f"{seen['inputs']:>8}{len(seen['faults']):>8}{seen['slowest']:>11.2f}{growth:>11.1f}"
                print(f"{seen['entrance']:<24}{row}", flush=True)
                faults += seen["faults"]
            if not lines:
                print(f"{test.rpartition('::')[2][:22]:<24}{share:>8}{int(done.returncode != 0):>8}", flush=True)
            if done.returncode:
                faults.append(f"{test}\n{done.stdout[-3000:]}")
    for fault in dict.fromkeys(faults):
        print(f"\n{fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:3]))
