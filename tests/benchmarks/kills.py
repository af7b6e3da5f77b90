"""A distillation that is killed again and again ends with the bytes of one that never was.

``python tests/benchmarks/kills.py [KILLS] [EXAMPLES]``: 30 and 2,000 by default. The process is killed with SIGKILL at
random moments of caption, distill, verify and select, started again each time, and at last left to finish; every
output is compared with that of an undisturbed run.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from openvlt.pipeline import Pipeline, compile_recipe
from openvlt.recipe import read_recipe
from openvlt.records import Run
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import Home, decode, open_home

RECIPE = """
name: kills
base: {{id: {model}, backend: instant}}
captioner: {{use: qwen-vl, model: {{id: base, backend: instant}}, prompt: Describe.}}
traces:
  data: {{source: {{use: sums, count: {count}, named: true}}}}
  teacher: {{use: chat, model: {{id: base, backend: instant}}, k: 2, prompt: "{{caption}} Then: {{question}}"}}
  select: [correct, {{use: per-question, count: 1}}]
verifiers: {{exact: text}}
rewards: {{exact: 1.0}}
reject_above: 0.5
"""


def distill(folder: Path, home: Path) -> Run:
    """Carry out the recipe of a folder in a home, up to select."""
    os.environ["OPENVLT_HOME"] = str(home)
    recipe = read_recipe(str(folder / "kills.yaml"))
    registry = Registry.discover([Path(__file__).with_name("instant.py")])
    workspace = Workspace(open_home(), registry, recipe.format, reject_above=recipe.reject_above)
    run = Run(name="kills", recipe="kills", status="running")
    return Pipeline(workspace, recipe, compile_recipe(recipe, registry), run).carry_out()


def start(folder: Path, home: Path) -> int:
    """The same in a child, whose modules are imported already; returns its id."""
    child = os.fork()
    if child == 0:
        distill(folder, home)
        os._exit(0)
    return child


def outputs(home: Path) -> dict[str, bytes]:
    """What all stages wrote, by path."""
    files = [*home.glob("stages/*/rows.jsonl"), *home.glob("stages/*/rejected.jsonl")]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}


def stage_of(home: Path) -> str:
    """The stage a run was at, told from its record."""
    record = Home(home).runs / "kills" / "run.json"
    kinds = ["load", "caption", "distill", "verify", "select", "end"]
    return kinds[len(decode(Run, record.read_bytes()).stages)] if record.exists() else "start"


def main(kills: int, examples: int, seed: int) -> None:
    chance, stages = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        (folder / "kills.yaml").write_text(RECIPE.format(model=folder / "model", count=examples))
        moments = [time.monotonic()]
        for _ in range(2):  # the second finds all done: what it takes is spent again after each kill
            os.waitpid(start(folder, folder / "whole"), 0)
            moments.append(time.monotonic())
        needed, idle = moments[1] - moments[0], moments[2] - moments[1]
        homes = [folder / "killed-1"]
        while stages.total() < kills:
            child = start(folder, homes[-1])
            time.sleep(chance.uniform(0, 2 * (idle + needed / kills)))
            ended, _ = os.waitpid(child, os.WNOHANG)
            if ended:
                homes.append(folder / f"killed-{len(homes) + 1}")
                continue
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            stages[stage_of(homes[-1])] += 1
        os.waitpid(start(folder, homes[-1]), 0)
        whole = outputs(folder / "whole")
        for home in homes:
            assert len(whole) == 10 and outputs(home) == whole, f"{home} differs"
        print(f"{stages.total()} kills in {len(homes)} runs ({dict(stages)}): all outputs are byte-identical")


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    main(*(numbers + [30, 2000, 0][len(numbers) :]))
