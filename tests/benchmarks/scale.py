"""A distillation of very many examples: does its cost stay flat, its memory small, its restart short?

Run it on an otherwise idle machine: ``python tests/benchmarks/scale.py [EXAMPLES]`` (a million by default; one core,
some ten minutes and 10 GB of disk). It carries out caption, distill (k = 2), verify (exact) and select with an engine
that answers at once, kills the process when nine tenths of the traces are made, and lets another one finish.
Bars: seconds per 10,000 examples in the last tenth of each stage at most 1.2 times those of the first; peak memory
under 1 GB; under 60 s from the restart to new work. A fixed loop is timed again and again beside the work; since a
shared machine is now faster, now slower, ratios are of the work's time over the loop's.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

HERE = Path(__file__).parent
RECIPE = """
name: scale
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


class Clock:
    """Notes when which share of a stage is done; ends the process where it is told to."""

    def __init__(self, started: float, kill_in: str) -> None:
        self.started, self.kill_in = started, kill_in
        self.stage, self.total, self.done = "", 0, 0
        self.work = 0.0
        self.marks: dict[str, list[tuple[int, float, float]]] = {}

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.stage, self.total, self.done = stage, total or 0, 0
        self.marks[stage] = [(0, time.process_time(), loop())]

    def advance(self, done: int, **counts: float) -> None:
        self.done += done
        if self.done - self.marks[self.stage][-1][0] >= self.total / 1000:
            self.marks[self.stage].append((self.done, time.process_time(), loop()))
        if counts.get("tokens") and not self.work and self.stage.startswith("distill"):
            self.work = time.monotonic() - self.started
            print(f"new work after {self.work:.1f} s", flush=True)
        if self.stage.startswith(self.kill_in or "-") and self.done >= 0.9 * self.total:
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self, record: object) -> None: ...
    def note(self, text: str) -> None: ...

    def tenth(self, stage: str, last: bool) -> tuple[float, float]:
        """CPU seconds per 10,000 examples in the first or last tenth of a stage's work, and of the loop meanwhile."""
        marks, total = self.marks[stage], self.marks[stage][-1][0]
        low, high = (0.9 * total, total) if last else (0, 0.1 * total)
        inside = [mark for mark in marks if low <= mark[0] <= high]
        loops = [mark[2] for mark in inside]
        spent = inside[-1][1] - inside[0][1] - sum(loops[1:])
        return 10_000 * spent / (inside[-1][0] - inside[0][0]), fmean(loops)


def loop() -> float:
    """CPU seconds of a fixed piece of work."""
    started = time.process_time()
    json.dumps([[str(number)] * 4 for number in range(4000)])
    return time.process_time() - started


def work(folder: Path, kill_in: str) -> None:
    from openvlt.pipeline import Pipeline, compile_recipe
    from openvlt.recipe import read_recipe
    from openvlt.records import Run
    from openvlt.registry import Registry
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home

    clock = Clock(time.monotonic(), kill_in)
    recipe, registry = read_recipe(str(folder / "scale.yaml")), Registry.discover([HERE / "instant.py"])
    workspace = Workspace(open_home(), registry, recipe.format, progress=clock, reject_above=recipe.reject_above)
    stages, run = compile_recipe(recipe, registry), Run(name="scale", recipe="scale", status="running")
    run = Pipeline(workspace, recipe, stages, run).carry_out()
    figures = {
        "stages": [{"name": s.name, "in": s.taken, "out": s.out, "seconds": round(s.seconds, 1)} for s in run.stages],
        "tenths": {stage: [clock.tenth(stage, False), clock.tenth(stage, True)] for stage in clock.marks},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu": time.process_time(),
    }
    print(json.dumps(figures))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        (folder / "scale.yaml").write_text(RECIPE.format(model=folder / "model", count=count))

        def child(home: str, kill_in: str = "-") -> list[str]:
            command = [sys.executable, __file__, "--work", str(folder), kill_in]
            environment = os.environ | {"OPENVLT_HOME": str(folder / home)}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            expected = -signal.SIGKILL if kill_in != "-" else 0
            assert done.returncode == expected, done.returncode
            return done.stdout.splitlines()

        started = time.monotonic()
        figures = json.loads(child("whole")[-1])
        print(f"{count:,} examples, undisturbed: {time.monotonic() - started:.0f} s, CPU {figures['cpu']:.0f} s")
        for stage in figures["stages"]:
            (first, early), (last, late) = figures["tenths"][stage["name"]]
            spent = f"{stage['seconds']:8.1f} s in all; per 10,000: first tenth {first:.2f} s, last {last:.2f} s"
            print(
                f"{stage['name']:12} {spent} (the loop {late / early:.2f} times), ratio {last / first * early / late:.2f}"
            )
        firsts, lasts = (sum(t[i][0] / t[i][1] for t in figures["tenths"].values()) for i in (0, 1))
        print(f"all stages: ratio {lasts / firsts:.2f}")
        print(f"peak memory {figures['peak_mb']:.0f} MB")
        child("killed", "distill")
        print("killed at 90 % of distill; another process goes on: " + child("killed")[0])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), sys.argv[3].strip("-"))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
