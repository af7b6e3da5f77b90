"""Which engine makes the quickstart's traces sooner, from its start to the last trace: hf or vllm?

Distils the recipe quickstart with each engine in turn, every time in a process and a home of its own, and prints what
its distill stage took, start-up included. vLLM does not read the teacher's GGUF file, so it is given the same weights
as safetensors, which are written beforehand and not timed.
Run: ``python tests/benchmarks/quickstart_distillation.py [--rounds 2]``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from smollm2 import gguf, save_plain


def distilled(home: Path, model: str) -> tuple[float, int]:
    """Seconds and tokens of one distill stage."""
    command = [sys.executable, "-m", "openvlt", "distill", "quickstart", "--until", "verify", "--name", "timed"]
    environment = os.environ | {"OPENVLT_HOME": str(home)}
    done = subprocess.run(
        [*command, "--set", f"teacher.model={model}"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = json.loads((home / "runs" / "timed" / "run.json").read_text())
    (stage,) = [stage for stage in run["stages"] if stage["kind"] == "distill"]
    return stage["counts"]["seconds"], int(stage["counts"]["tokens"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dtype", default="float32", help="of the weights on both engines; auto is float32 on hf")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_plain(folder / "plain", options.dtype)
        models = {
            "hf": f"{{id: {gguf()}, dtype: {options.dtype}, backend: hf}}",
            "vllm": f"{{id: {folder / 'plain'}, context: 2048, backend: {{use: vllm, cache: 1.0}}}}",
            "vllm, eager": f"{{id: {folder / 'plain'}, context: 2048, "
            "backend: {use: vllm, cache: 1.0, eager: true}}",
        }
        best: dict[str, float] = {}
        for turn in range(options.rounds):
            for engine, model in models.items():
                seconds, tokens = distilled(folder / f"{engine}-{turn}", model)
                best[engine] = min(seconds, best.get(engine, seconds))
                print(f"{engine:12} {seconds:6.1f} s for {tokens} tokens", flush=True)
        fastest = min(best, key=lambda engine: best[engine])
        print(
            f"fastest: {fastest}, " + ", ".join(f"{e} {s / best[fastest]:.2f}" for e, s in best.items()) + " times it"
        )


if __name__ == "__main__":
    main()
