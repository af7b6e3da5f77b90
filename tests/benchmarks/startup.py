"""How long the command line takes to start, in milliseconds and as a ratio to the bare interpreter.

The last line is with 100 plugins installed, which is to stay under 250 ms. Run it on an otherwise idle machine:
``python tests/benchmarks/startup.py [RUNS]``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from compileall import compile_dir
from pathlib import Path
from tempfile import TemporaryDirectory

from openvlt.cli.new_plugin import PARTS, write_skeleton

COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "openvlt --help": ["-m", "openvlt", "--help"],
    "openvlt list-plugins": ["-m", "openvlt", "list-plugins"],
    "openvlt list-plugins --json": ["-m", "openvlt", "list-plugins", "--json"],
}
CROWD = "list-plugins, 100 plugins"
PLUGINS = 100


def install(site: Path) -> None:
    """Put plugins of all kinds, as `openvlt new-plugin` writes them, where Python finds them."""
    for number in range(PLUGINS):
        module = write_skeleton(f"crowd-{number}", site / "sources", list(PARTS)) / "src" / f"openvlt_crowd_{number}"
        module.rename(site / module.name)
        metadata = site / f"{module.name}-0.1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: openvlt-crowd-{number}\nVersion: 0.1.0\n")
        (metadata / "entry_points.txt").write_text(f"[openvlt]\ncrowd_{number} = {module.name}\n")
    compile_dir(site, quiet=2)  # as pip does


def milliseconds(arguments: list[str], site: str = "") -> tuple[float, float]:
    """Wall time and CPU time of a command; on a busy machine only the second says something."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": site}
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} failed")
    return (time.perf_counter() - start) * 1000, (used.ru_utime + used.ru_stime) * 1000


def main(runs: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in [*COMMANDS, CROWD]}
    with TemporaryDirectory() as site:
        install(Path(site))
        for _ in range(runs + 1):  # the first round only warms the file cache
            for name, arguments in COMMANDS.items():
                times[name].append(milliseconds(arguments))
            times[CROWD].append(milliseconds(COMMANDS["openvlt list-plugins"], site))
    bare = statistics.median(wall for wall, _ in times["bare interpreter"][1:])
    print(f"{'':30}{'median ms':>12}{'fastest ms':>12}{'CPU ms':>10}{'ratio':>8}")
    for name, measured in times.items():
        walls, used = zip(*measured[1:], strict=True)
        median = statistics.median(walls)
        print(f"{name:30}{median:12.1f}{min(walls):12.1f}{statistics.median(used):10.1f}{median / bare:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
