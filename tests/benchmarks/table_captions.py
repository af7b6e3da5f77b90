"""Measures captions by `rapid-ocr`: what it reads of the tables of TabMWP, and what SmolLM2-135M answers from that.

    uv run --extra ocr python tests/benchmarks/table_captions.py FOLDER [--every N]

FOLDER has the development problems of TabMWP (repository lupantech/PromptPG): ``problems_dev400.json`` and ``tables/``.
The first lines compare the captions with the tables' text in the data. The others are about four chains of each
question: the share of correct ones (pass@1), and of questions with a correct one (pass@4), by answer type.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image as Picture

from openvlt import Image, ProgramCaptioner
from openvlt.registry import Registry

SAMPLES = 4
COLUMNS = ("question", "choices", "answer", "unit")
RECIPE = """
name: tables
base: tiny-vl
captioner: rapid-ocr
traces:
  data: {{source: {{use: rows, path: {rows}, image_folder: {images}}}}}
  teacher: {{use: tables, k: {samples}}}
rewards: {{answer: 1.0}}
reject_above: 1.0
"""


def captions(problems: Mapping[str, Any], images: Path) -> dict[str, str | None]:
    """The caption of each problem's table."""
    captioner = Registry.discover().build("captioner", "rapid-ocr").component
    assert isinstance(captioner, ProgramCaptioner)
    with captioner.open(lambda image: Picture.open(images / image.sha256).convert("RGB")) as caption:
        return {id: caption((Image(f"{id}.png", 0, 0),)) for id in problems}


def cells(line: str) -> list[str]:
    """The cells of a line, without spaces and case."""
    return [plain for cell in line.split("|") if (plain := "".join(cell.casefold().split()))]


def show_reading(problems: Mapping[str, Any], captions: Mapping[str, str | None]) -> None:
    """How many cells of the tables, and how many whole rows, are in the captions as they are in the data."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for id, problem in problems.items():
        wanted = [cells(line) for line in problem["table"].split("\n")]
        read = [cells(line) for line in (captions[id] or "").split("\n")]
        hits = Counter(cell for line in wanted for cell in line) & Counter(cell for line in read for cell in line)
        lines = Counter(map(tuple, wanted)) & Counter(map(tuple, read))
        found["stem-and-leaf plots" if problem["table"].startswith("Stem") else "tables"].update(
            n=1, cells=sum(map(len, wanted)), read=hits.total(), rows=len(wanted), whole=lines.total(),
            same=lines.total() == len(wanted),
        )  # fmt: skip
    for kind, count in sorted(found.items()):
        print(
            f"{count['n']} {kind}: {count['read']} of {count['cells']} cells ({count['read'] / count['cells']:.1%}), "
            f"{count['whole']} of {count['rows']} rows ({count['whole'] / count['rows']:.1%}), {count['same']} as a whole"
        )


def judged(problems: Mapping[str, Any], images: Path, home: Path) -> dict[str, int]:
    """The number of correct chains by question; a sample that is no trace counts as wrong."""
    home.mkdir(parents=True, exist_ok=True)
    rows, recipe = home / "rows.jsonl", home / "tables.yaml"
    with rows.open("w", encoding="utf-8") as file:
        for id, problem in problems.items():
            file.write(json.dumps({"id": id, "image": f"{id}.png", **{name: problem[name] for name in COLUMNS}}) + "\n")
    text = RECIPE.format(rows=json.dumps(str(rows)), images=json.dumps(str(images)), samples=SAMPLES)
    recipe.write_text(text, encoding="utf-8")
    plugin = Path(__file__).with_name("table_teacher.py")
    command = [sys.executable, "-m", "openvlt", "--plugin", str(plugin), "distill", str(recipe), "--until", "verify"]
    subprocess.run(command, env=os.environ | {"OPENVLT_HOME": str(home)}, check=True)
    stages = json.loads((home / "runs" / "tables-verify" / "run.json").read_text())["stages"]
    (folder,) = [home / stage["folder"] for stage in stages if stage["stage_kind"] == "verify"]
    made = [json.loads(line) for line in (folder / "rows.jsonl").open(encoding="utf-8")]
    return {
        row["example"]["id"]: sum(each["verdicts"]["answer"]["status"] == "correct" for each in row["judged"])
        for row in made
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="each N-th problem only")
    parser.add_argument("--home", type=Path, help="keeps the work, so that it can be resumed")
    options = parser.parse_args()
    folder = options.folder.resolve()
    problems = dict(list(json.loads((folder / "problems_dev400.json").read_text()).items())[:: options.every])
    started = time.monotonic()
    show_reading(problems, captions(problems, folder / "tables"))
    print(f"{time.monotonic() - started:.0f} s for {len(problems)} captions", flush=True)
    with TemporaryDirectory() as name:
        right = judged(problems, folder / "tables", options.home or Path(name))
    types: dict[str, list[int]] = defaultdict(list)
    for id, problem in problems.items():
        for kind in (problem["ans_type"], "all"):
            types[kind].append(right.get(id, 0))
    for kind, each in sorted(types.items()):
        n = len(each)
        print(
            f"{kind:16} n={n:<4} pass@1 {sum(each) / n / SAMPLES:6.1%}  pass@{SAMPLES} {sum(map(bool, each)) / n:6.1%}"
        )
    print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
