"""Peak memory of a training of 10,000 and of 100,000 rows, with 1,000 pictures of 5 megapixels.

    uv run python tests/benchmarks/training_memory.py [sft | grpo] [one] [ROWS ...]

For SFT and GRPO it prints the peak of each of two processes, or of one (VmHWM of ``/proc``, which counts files that are
mapped), and how many pictures each has read: its own, the first one, and a batch that is fetched ahead. The tiny model,
six updates of eight rows. A training's memory may not grow with rows: at most 1.1 times.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvlt_tasks
from openvlt import Checkpoint, TrainJob, hookimpl
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

BAR, UPDATES, PICTURES, SIDE = 1.1, 6, 1000, 2240
MODEL = Path(openvlt_tasks.__path__[0], "models", "tiny_vl")
SFT = {"use": "short-sft", "batch": 8, "device_batch": 4, "devices": 2, "learning_rate": 1e-6, "save_steps": 1000}
GRPO = {
    "use": "short-grpo", "prompts": 8, "generations": 2, "batch": 16, "device_batch": 8, "devices": 2,
    "max_tokens": 8, "steps": UPDATES, "beta": 0.0, "save_every": 1000,
}  # fmt: skip
TRAINERS: dict[str, dict[str, Any]] = {"sft": SFT, "grpo": GRPO}


class _Watched:
    """A trainer that writes what it took."""

    def train(self, job: TrainJob) -> Checkpoint:
        read: Any = job.read
        seen: set[str] = set()

        def counted(image: Any) -> Any:
            seen.add(image.sha256)
            return read(image)

        job.read = counted  # type: ignore[method-assign]
        done: Checkpoint = super().train(job)  # type: ignore[misc]
        peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])
        path = job.folder / f"peak-{os.environ.get('RANK', '0')}.json"
        path.write_text(json.dumps({"megabytes": peak // 1000, "images": sorted(seen)}))
        return done


@dataclass(frozen=True)
class ShortSft(_Watched, Sft):
    """A few updates."""

    def fields(self, job: TrainJob, processor: Any, longest: int) -> dict[str, Any]:
        return {**super().fields(job, processor, longest), "max_steps": UPDATES}


@dataclass(frozen=True)
class ShortGrpo(_Watched, Grpo):
    """A few updates."""


@hookimpl
def register_trainers(register: Any) -> None:
    register("short-sft", ShortSft, summary="sft of a few updates")
    register("short-grpo", ShortGrpo, summary="grpo of a few updates")


def pictures(home: Any) -> list[Any]:
    """Stored pictures, each different."""
    from io import BytesIO

    from PIL import Image

    from openvlt.records import NewImage
    from openvlt.store import ImageStore

    store, made = ImageStore(home.images), []
    for number in range(PICTURES):
        file = BytesIO()
        Image.new("RGB", (SIDE, SIDE), (number % 256, number // 256, 99)).save(file, "jpeg")
        made.append(store.add(NewImage(origin=file.getvalue(), sha256="", width=SIDE, height=SIDE)))
    return made


def trained(folder: Path, home: Any, images: list[Any], trainer: dict[str, Any], rows: int) -> list[dict[str, Any]]:
    """Carry out one training in its own processes; what each took."""
    from openvlt.interfaces import Trainer
    from openvlt.records import Example, Format, Model, Row
    from openvlt.registry import Registry
    from openvlt.stages import launch
    from openvlt.store import encode

    work = folder / f"{trainer['use']}-{rows}"
    (work / "load").mkdir(parents=True)
    with (work / "load" / "rows.jsonl").open("wb") as file:
        for number in range(rows):
            said = f"<think>{number} and {number % 7} is the sum of both.</think>\n<answer>{number}</answer>"
            example = Example(
                id=str(number), question=f"What is {number} + {number % 7}?", answer=str(number),
                images=(images[number % len(images)],), metadata={"response": said},
            )  # fmt: skip
            file.write(encode(Row(example=example)) + b"\n")
    model = Model(id=str(MODEL), pixels=(3136, 4096))
    content = {
        "trainer": trainer, "reads": "traces" if "sft" in trainer["use"] else "prompts", "ready": True,
        "model": json.loads(encode(model)), "format": json.loads(encode(Format())), "seed": 0, "folder": str(work),
        "checkpoint": None, "rows": str(work / "load" / "rows.jsonl"), "home": str(home.root), "files": [__file__],
        "verifiers": {"answer": {"use": "answer"}}, "weights": {"answer": 1.0}, "routes": {}, "secrets": [],
    }  # fmt: skip
    (work / "job.json").write_text(json.dumps(content))
    built = Registry.discover([Path(__file__)]).build(Trainer, trainer).component
    if printed := _run(launch.command(built, work / "job.json")):
        raise RuntimeError(printed[-3000:])
    return [json.loads((work / f"peak-{rank}.json").read_text()) for rank in range(trainer["devices"])]


def _run(command: list[str]) -> str:
    """Run a command whose input stays open, for a training ends with it; what it printed if it failed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    printed = child.stdout.read()
    return printed if child.wait() else ""


def main(trainers: list[dict[str, Any]], counts: list[int]) -> int:
    from openvlt.store import open_home

    failed = False
    with tempfile.TemporaryDirectory() as name:
        os.environ["OPENVLT_HOME"] = str(Path(name, "home"))
        home = open_home()
        images = pictures(home)
        for trainer in trainers:
            peaks = []
            for rows in counts:
                found = trained(Path(name), home, images, trainer, rows)
                peaks.append(max(each["megabytes"] for each in found))
                shown = ", ".join(f"{each['megabytes']} MB with {len(each['images'])} pictures read" for each in found)
                both = len(set.intersection(*(set(each["images"]) for each in found))) if len(found) > 1 else 0
                print(f"{trainer['use'][6:]}, {rows:,} rows: {shown}; {both} by both processes", flush=True)
            print(f"{trainer['use'][6:]}: {peaks[-1] / peaks[0]:.2f} times", flush=True)
            failed = failed or peaks[-1] > BAR * peaks[0]
    return int(failed)


if __name__ == "__main__":
    chosen = [trainer for name, trainer in TRAINERS.items() if name in sys.argv] or list(TRAINERS.values())
    if "one" in sys.argv:
        chosen = [{**trainer, "devices": 1} for trainer in chosen]
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    sys.exit(main(chosen, numbers or [10_000, 100_000]))
