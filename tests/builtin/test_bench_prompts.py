"""The rendered prompt of every benchmark and answer type, character by character.

A change to a prompt changes scores. ``UPDATE_PROMPTS=1 pytest tests/builtin/test_bench_prompts.py`` writes the files
anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_benchmark_files import MADE

from openvlt import Format
from openvlt.bench.definition import define
from openvlt.records import Image
from openvlt.registry import Registry

FILES = Path(__file__).parent / "prompts"
VISTA = {"question": "How far?", "answer": "A1", "choices": None, "unit": None, "precision": None}
VISTA |= {"question_type": "free_form", "metadata": {"task": "t", "skills": ["s"]}}
VISION = {"question": "How many?\n<image1>", "answer": "B", "level": 2, "subject": "counting"}
VERSE = {
    "sample_index": "1", "problem_index": "1", "problem_version": "Text Lite", "image": None, "answer": "D",
    "question_type": "multi-choice", "metadata": {"subject": "s", "subfield": "f", "source": "o"},
}  # fmt: skip
PRO = {"id": "1", "options": "['one', 'two', 'three', 'four']", "answer": "B", "subject": "Art", "image_1": "1.png"}
EMMA = {"pid": "1", "answer": "B", "subject": "Math", "type": "t", "context": "Look.", "image_1": "1.png"}
HALLUSION = {"category": "VD", "subcategory": "chart", "visual_input": "1"}
HALLUSION |= {"set_id": "0", "figure_id": "1", "question_id": "0"}

ROWS: dict[str, list[dict[str, Any]]] = {
    "mathvista": [
        {**VISTA, "pid": "1", "answer_type": "text", "choices": ["near", "A1"], "question_type": "multi_choice"},
        {**VISTA, "pid": "2", "answer_type": "integer", "answer": "3", "unit": "years"},
        {**VISTA, "pid": "3", "answer_type": "float", "answer": "1.2", "precision": 1.0},
        {**VISTA, "pid": "4", "answer_type": "float", "answer": "1.23", "precision": 2.0},
        {**VISTA, "pid": "5", "answer_type": "list", "answer": "[1, 2]"},
    ],
    "mathvision": [
        {**VISION, "id": "1", "options": ["A", "B", "C", "D", "E"]},
        {**VISION, "id": "2", "options": [], "answer": "60"},
    ],
    "mathverse": [
        {**VERSE, "question": "q", "query_cot": "Please first reason.\nQuestion: q\nChoices:\nA:1"},
        {**VERSE, "sample_index": "2", "question": "How long is $AB$?", "question_type": "free-form"},
    ],
    "mmmu-pro-4": [{**PRO, "question": "See <image 1> and <image 2>: which?", "image_2": "2.png"}],
    "mmmu-pro-10": [{**PRO, "question": "Which is it in <image 1>?"}],
    "mmmu-pro-vision": [{"id": "1", "options": "['a', 'b']", "answer": "A", "subject": "Art", "image": "1.png"}],
    "emma": [
        {**EMMA, "question": "Which <image_1>?", "options": ["x", "y"]},
        {**EMMA, "pid": "2", "question": "How many?", "options": [], "answer": "4"},
        {**EMMA, "pid": "3", "question": "How many?", "options": None, "answer": "4", "context": None},
    ],
    "hallusionbench": [{**HALLUSION, "question": "Is it so?", "gt_answer": "1", "image": None}],
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


ASKED = ROWS | {name: made.rows for name, made in MADE.items()}


@pytest.mark.parametrize("name", ASKED)
def test_prompts(registry: Registry, tmp_path: Path, name: str) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, ASKED[name])))
    benchmark = define(registry, {"use": name, "data": str(data)}, Format()).benchmark.component
    rendered = "".join(
        f"=== {example.id}, {example.answer_type}, gold {example.answer}\n"
        f"{_shown(benchmark.messages(example, Format()))}\n"
        for example in benchmark.source.examples(benchmark.split)
    )
    file = FILES / f"{name}.txt"
    if os.environ.get("UPDATE_PROMPTS"):
        FILES.mkdir(exist_ok=True)
        file.write_text(rendered)
    assert rendered == file.read_text()


def _shown(messages: Any) -> str:
    return "".join(
        f"[{message.role}] " + "".join("[image]" if isinstance(part, Image) else part for part in message.content)
        for message in messages
    )
