"""Kills where an engine promises no bytes: every key is there exactly once, and a finished row never changes.

``python tests/benchmarks/kills_engines.py openai|vllm [KILLS] [EXAMPLES]``: 10 and 400 by default. A distillation is
killed with SIGKILL at random moments, started again each time and at last left to finish. ``openai`` asks an endpoint
that honours seeds in nine of ten replies; ``vllm`` runs a tiny random model, whose texts depend on what is batched with
them. Prints the share of texts that are those of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS / "contract")]
RECIPE = """
name: kills
base: {model}
traces:
  data: {{source: {{use: sums, count: {count}}}}}
  teacher: {{use: scribe, model: {model}}}
verifiers: {{exact: text}}
rewards: {{exact: 1.0}}
reject_above: 1.0
"""


@contextmanager
def model(engine: str, folder: Path) -> Iterator[str]:
    """What the teacher runs on, as a recipe has it."""
    if engine == "vllm":
        from tiny_models import save_vision_model

        save_vision_model(folder / "model")
        yield f"{{id: {folder / 'model'}, context: 256, backend: {{use: vllm, cache: 0.25, eager: true}}}}"
        return
    from fault_server import start

    server = start("--latency", "0.05", "--fickle", "0.1")
    try:
        yield f"{{id: tiny, url: ['{server.url}'], backend: {{use: openai, concurrency: 8}}}}"
    finally:
        server.stop()


def start(folder: Path, home: Path) -> subprocess.Popen[bytes]:
    plugin = Path(__file__).with_name("instant.py")
    command = [sys.executable, "-m", "openvlt", "--plugin", str(plugin), "distill", str(folder / "kills.yaml")]
    return subprocess.Popen(
        [*command, "--until", "verify"], env=os.environ | {"OPENVLT_HOME": str(home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def finished(home: Path, identity: str = "*") -> dict[bytes, bytes]:
    """The committed rows of all shards, or of one component's, by key; a key that is there twice is an error."""
    rows: dict[bytes, bytes] = {}
    for shard in sorted(home.glob(f"values/{identity}/*.jsonl")):
        chunk: list[tuple[bytes, bytes]] = []
        for line in shard.read_bytes().splitlines():
            key, _, rest = line.partition(b"\t")
            if key != b"commit":
                chunk.append((key, rest))
                continue
            for each, value in chunk:
                assert each not in rows, f"{each.decode()} is there twice"
                rows[each] = value
            chunk = []
    return rows


def killed(folder: Path, home: Path, kills: int, chance: random.Random) -> int:
    """Kill the distillation so often, or until it has ended; returns how often it was killed."""
    before = finished(home)
    for done in range(kills):
        process = start(folder, home)
        while process.poll() is None and len(finished(home)) == len(before):
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        if process.wait() == 0:
            return done
        after = finished(home)
        assert before.items() <= after.items(), "a finished row was changed"
        before = after
    return kills


def main(engine: str, kills: int, examples: int) -> None:
    with TemporaryDirectory() as name, model(engine, Path(name)) as used:
        folder = Path(name)
        (folder / "kills.yaml").write_text(RECIPE.format(model=used, count=examples))
        chance, done, homes = random.Random(0), 0, 0
        shares = []
        whole = ended(folder, folder / "whole")
        while done < kills:
            homes += 1
            home = folder / f"killed-{homes}"
            done += killed(folder, home, kills - done, chance)
            rows = ended(folder, home)
            assert rows.keys() == whole.keys(), "keys are missing"
            shares.append(sum(rows[key] == whole[key] for key in whole) / len(whole))
        print(
            f"{done} kills in {homes} runs of {len(whole)} traces on {engine}: every key exactly once, no finished row "
            f"changed; {min(shares):.1%} of the traces are those of an undisturbed run"
        )


def ended(folder: Path, home: Path) -> dict[bytes, bytes]:
    """Let the distillation go on to its end; returns its traces."""
    process = start(folder, home)
    _, said = process.communicate()
    assert process.returncode == 0, said.decode()
    stages = json.loads((home / "runs" / "kills-verify" / "run.json").read_bytes())["stages"]
    (distilled,) = [stage["folder"] for stage in stages if stage["stage_kind"] == "distill"]
    return finished(home, json.loads((home / distilled / "stage.json").read_bytes())["values"])


if __name__ == "__main__":
    main(sys.argv[1], *(int(value) for value in [*sys.argv[2:], *["10", "400"][len(sys.argv) - 2 :]]))
