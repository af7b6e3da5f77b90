"""How long the command line takes to start, in milliseconds and as a ratio to the bare interpreter.

Run it on an otherwise idle machine: ``python tests/benchmarks/startup.py [RUNS]``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "openvlt --help": ["-m", "openvlt", "--help"],
    "openvlt list-plugins": ["-m", "openvlt", "list-plugins"],
    "openvlt list-plugins --json": ["-m", "openvlt", "list-plugins", "--json"],
}


def milliseconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main(runs: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):  # the first round only warms the file cache
        for name, arguments in COMMANDS.items():
            times[name].append(milliseconds(arguments))
    bare = statistics.median(times["bare interpreter"][1:])
    print(f"{'':30}{'median ms':>12}{'fastest ms':>12}{'ratio':>8}")
    for name, measured in times.items():
        median = statistics.median(measured[1:])
        print(f"{name:30}{median:12.1f}{min(measured[1:]):12.1f}{median / bare:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
