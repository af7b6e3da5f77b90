"""Which engine makes the quickstart's traces sooner, from its start to the last trace: hf or vllm?

Distils the recipe quickstart with each engine in turn, every time in a process and a home of its own, and prints what its
distill stage took, start-up included.
Run: ``python tests/benchmarks/quickstart_distillation.py [--rounds 2]``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from smollm2 import gguf


def distilled(home: Path, model: str, limit: int) -> tuple[float, float, int]:
    """Seconds and tokens of one distill stage, and the CPU seconds of all of its process."""
    command = [sys.executable, "-m", "openvlt", "distill", "quickstart", "--until", "verify", "--name", "timed"]
    command += ["--set", f"traces.teacher.model={model}", "--set", f"traces.data.limit={limit}"]
    environment = os.environ | {"OPENVLT_HOME": str(home)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    run = json.loads((home / "runs" / "timed" / "run.json").read_text())
    (stage,) = [stage for stage in run["stages"] if stage["stage_kind"] == "distill"]
    return stage["counts"]["seconds"], used, int(stage["counts"]["tokens"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=int, default=144, help="questions; the recipe's own number by default")
    parser.add_argument("--dtype", default="float32", help="of the weights on both engines; auto is float32 on hf")
    parser.add_argument("--engine", action="append", help="only this one; repeatable")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        backends = {
            "hf": "hf",
            "hf, batch 128": "{use: hf, batch: 128}",
            "vllm": "{use: vllm, cache: 1.0}",
            "vllm, eager": "{use: vllm, cache: 1.0, eager: true}",
        }
        best: dict[str, float] = {}
        for turn in range(options.rounds):
            for engine, backend in backends.items():
                if options.engine and engine not in options.engine:
                    continue
                model = f"{{id: {gguf()}, dtype: {options.dtype}, context: 2048, backend: {backend}}}"
                seconds, used, tokens = distilled(folder / f"{engine}-{turn}", model, options.limit)
                best[engine] = min(seconds, best.get(engine, seconds))
                print(f"{engine:14} {seconds:6.1f} s for {tokens} tokens ({used:.0f} s of CPU in all)", flush=True)
        fastest = min(best, key=lambda engine: best[engine])
        print(
            f"fastest: {fastest}, " + ", ".join(f"{e} {s / best[fastest]:.2f}" for e, s in best.items()) + " times it"
        )


if __name__ == "__main__":
    main()
