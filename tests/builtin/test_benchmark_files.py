"""Every benchmark of the plugin ``benchmarks`` on made rows in the columns of its own data set, replies included.

The real data are not here; what they were checked against is written in each YAML file.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image as Pictures

import openvlt_tasks
from openvlt.__main__ import run
from openvlt.tables import read_rows
from openvlt_plugins.benchmarks import BENCHMARKS

FOLDER = Path(openvlt_tasks.__path__[0]) / "bench"
PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def picture() -> str:
    buffer = io.BytesIO()
    Pictures.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


PNG = picture()
HUB = {"bytes": PNG, "path": None}


@dataclass(frozen=True)
class Made:
    """Rows, a reply to each with whether it is right, and what the result must have.

    Attributes:
        said: replies by id.
        figures: some further figures.
    """

    rows: list[dict[str, Any]]
    said: dict[str, tuple[str, bool]]
    figures: dict[str, float] = field(default_factory=dict)


def step(problem: str, key: str) -> dict[str, Any]:
    options = "A. 300, 400;B. 400, 300;C. 3000, 4000; D. No correct answer"
    return {"ID": problem, "key": key, "question": "OA = ( ) m?", "option": options, "answer": "C", "image_path": PNG}


CHOICES = {"question": "Which bird?", "options": ["c", "D", "b", "a"]}
STAR = "Which is it?\nOptions: A: on the book, left., B: beneath it, C: in the bed., D: away"
SAYS = "Let me look at it. There are several things in the figure."

MADE = {
    "ai2d": Made(
        # the gold is an index from 0, and the options are letters themselves
        [{**CHOICES, "answer": "1", "image": HUB}, {**CHOICES, "answer": "2", "image": HUB}],
        {"row 1": (f"{SAYS}\nAnswer: B", True), "row 2": ("B", False)},
    ),
    "blink": Made(
        [
            {"idx": f"val_{task}_{n}", "sub_task": task, "question": "q", "prompt": "Which?\n(A) left\n(B) right\n", "choices": ["left", "right"], "answer": "(B)", "image_1": HUB, "image_2": HUB, "image_3": None, "image_4": None}
            for task, n in (("Jigsaw", 1), ("Jigsaw", 2), ("Counting", 1))
        ],
        {"val_Jigsaw_1": ("(B)", True), "val_Jigsaw_2": ("It is the left one.\n(A)", False), "val_Counting_1": ("right", True)},
        figures={"mean": 0.75},
    ),
    "chartqa": Made(
        [{"type": "human_test", "question": "How many?", "answer": "100", "image": HUB}, {"type": "augmented_test", "question": "Who?", "answer": "Japan", "image": HUB}, {"type": "human_test", "question": "How many?", "answer": "100", "image": HUB}],
        {"row 1": ("104", True), "row 2": ("japan", True), "row 3": ("106", False)},
    ),
    "charxiv": Made(
        [{"figure_path": f"images/{n}.jpg", "category": "cs", "reasoning_q": "What is the gap?", "reasoning_a": gold, "reasoning_a_type": kind, "reasoning_q_source": 3, "image": HUB} for n, kind, gold in ((1, 4, "0.25"), (2, 4, "7"), (3, 1, "ACC+"))],
        {"images/1.jpg": (f"{SAYS} The gap is 0.25.", True), "images/2.jpg": ("The answer is 8.", False), "images/3.jpg": ("The answer is ACC+.", True)},
    ),
    "dynamath": Made(
        [
            {"question_id": f"{n}-{variant}", "id": str(n), "question": question, "answer_type": kind, "ground_truth": gold, "subject": "algebra", "knowledge_level": "high school", "decoded_image": HUB}
            for n, question, kind, gold in ((1, "What is the period?", "float", "2.0944"), (2, "Is it even? Choices: (A) yes (B) no", "multiple choice", "B"), (3, "Which month?", "text", "May"))
            for variant in (1, 2)
        ],
        {"1/1-1": ("\\boxed{2.095}", True), "1/1-2": ("\\boxed{2.1}", False), "2/2-1": ("\\boxed{B}", True), "2/2-2": ("\\boxed{no}", True), "3/3-1": ("\\boxed{may}", True), "3/3-2": ("\\boxed{June}", False)},
        figures={"worst": 1 / 3},
    ),
    "logicvista": Made(
        [{"id": f"v1_{n}", "question": question, "answer": gold, "skill": ["inductive"], "broad_capability": ["diagram", "ocr"], "image": HUB} for n, question, gold in ((0, "Which two complete it?", "B, D"), (1, "Is it so? Select from A, B. (A) True (B)False", "B"), (2, "Which? (A) (B) (C)", "C"))],
        {"v1_0": ("\\boxed{D, B}", True), "v1_1": ("\\boxed{False}", True), "v1_2": ("\\boxed{A}", False)},
    ),
    "mmmu-val": Made(
        [
            {"id": "validation_Art_1", "question": "What is <image 1>?", "options": "['a line', 'None', 'a plane']", "answer": "B", "image_1": HUB, "question_type": "multiple-choice", "topic_difficulty": "Easy"},
            {"id": "validation_Art_Theory_2", "question": "Which one?", "options": "['<image 1>', '<image 2>']", "answer": "A", "image_1": HUB, "image_2": HUB, "question_type": "multiple-choice", "topic_difficulty": "Hard"},
            {"id": "validation_Math_3", "question": "How many?", "options": "[]", "answer": "['12', 'twelve']", "image_1": HUB, "question_type": "open", "topic_difficulty": "Hard"},
        ],
        {"validation_Art_1": ("None", True), "validation_Art_Theory_2": ("(B)", False), "validation_Math_3": ("12", True)},
    ),
    "mmstar": Made(
        [{"index": n, "question": STAR, "image": HUB, "answer": "A", "category": "math", "l2_category": "geometry", "meta_info": {}} for n in (0, 1)],
        {"0": ("on the book, left.", True), "1": ("B", False)},
    ),
    "olympiadbench": Made(
        [{"id": n, "question": "Find $C$ in <image_1>.", "final_answer": [gold], "context": None, "image_1": HUB, "image_2": None, "is_multiple_answer": several, "unit": unit, "answer_type": "Numerical", "subfield": "Geometry", "subject": "Math", "error": error} for n, gold, several, unit, error in ((1, "$\\frac{1}{2}$", False, None, None), (2, "$1$,$2$", True, None, None), (3, "21.5", False, "m", "1e-1"), (4, "21.5", False, None, None))],
        {"1": ("So the final answer is \\boxed{0.5}.", True), "2": ("\\boxed{2, 1}", True), "3": ("\\boxed{21.45}", True), "4": ("\\boxed{21.45}", False)},
    ),
    "realworldqa": Made(
        [{"image_path": "0.webp", "question": "Where does it point?\n\nA. Left\nB. Right\nPlease answer directly with only the letter.", "answer": "B", "image": HUB}, {"image_path": "1.webp", "question": "How many cars?", "answer": "2", "image": HUB}],
        {"0.webp": ("Right", True), "1.webp": ("3", False)},
    ),
    "visulogic": Made(
        [{"id": "00000", "image_path": "images/0.png", "question": "Fill in the question mark:\nA: A  \nB: B", "label": "A", "tag": "Other"}, {"id": "00001", "image_path": "images/0.png", "question": "Fill in.", "label": "C", "tag": "Other"}],
        {"00000": ("Answer: \\boxed{A}", True), "00001": ("Answer: \\boxed{D}", False)},
    ),
    "wemath": Made(
        [step(problem, f"{steps}steps_{key}") for problem, steps in (("2steps_1", 2), ("3steps_1", 3), ("2steps_2", 2), ("2steps_3", 2)) for key in [*range(1, steps + 1), "multi"]],
        {
            # mastered; not generalised; learnt by rote, though one step is right; knowledge is lacking
            "2steps_1/2steps_1": ("C", True), "2steps_1/2steps_2": ("3000, 4000", True), "2steps_1/2steps_multi": ("C", True),
            "3steps_1/3steps_1": ("C", True), "3steps_1/3steps_2": ("C", True), "3steps_1/3steps_3": ("C", True), "3steps_1/3steps_multi": ("A", False),
            "2steps_2/2steps_1": ("C", True), "2steps_2/2steps_2": ("B", False), "2steps_2/2steps_multi": ("C", True),
            "2steps_3/2steps_1": ("A", False), "2steps_3/2steps_2": ("C", True), "2steps_3/2steps_multi": ("B", False),
        },
        figures={"IK": 0.25, "IG": 0.25, "CM": 0.25, "RM": 0.25, "CM-loose": 0.5, "RM-loose": 0.0, "score-strict": 0.375, "score-loose": 0.625},
    ),
    "zerobench": Made(
        [{"question_id": str(n), "question_text": "How much do I save?", "question_images": ["images/1_0.png"], "question_answer": "11.90", "question_images_decoded": [HUB, HUB], "image_attribution": "Own"} for n in (1, 2)],
        {"1": ("\\boxed{11.9}", True), "2": ("\\boxed{11.95}", False)},
    ),
}  # fmt: skip


def test_every_benchmark_has_made_rows() -> None:
    assert set(MADE) == set(BENCHMARKS)


@pytest.mark.parametrize("name", MADE)
def test_made_rows_are_scored(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    made = MADE[name]
    data, said = tmp_path / "data" / "rows.jsonl", tmp_path / "said.jsonl"
    (data.parent / "images").mkdir(parents=True)
    (data.parent / "images" / "0.png").write_bytes(base64.b64decode(PNG))
    data.write_text("\n".join(map(json.dumps, made.rows)))
    said.write_text("\n".join(json.dumps({"id": id, "response": reply}) for id, (reply, _) in made.said.items()))

    assert run(["bench", name, "--responses", str(said), "--data", str(data), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)

    (rows,) = (tmp_path / "home" / "runs").glob("*/rows.jsonl")
    found = {row["example"]["id"]: row for row in read_rows(rows)}
    scoring = next(iter(result["scores"]))
    right = {id: row["judged"][0]["verdicts"][scoring]["status"] == "correct" for id, row in found.items()}
    assert right == {id: is_right for id, (_, is_right) in made.said.items()}
    assert result["accuracy"] == pytest.approx(sum(right.values()) / len(right))
    figures = result["scores"][scoring]["figures"]
    assert {key: figures[key] for key in made.figures} == pytest.approx(made.figures)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_file_says_what_was_checked_and_the_page_lists_it(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    spec = yaml.safe_load(text)
    said = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    assert "Checked: " in said and "Not checked: " in said
    size = spec["source"]["sizes"][spec["split"]]
    scorings = ", ".join(f"`{scoring}`" for scoring in spec["scorings"])
    assert f"| `{name}` | {BENCHMARKS[name]} | {spec['split']} {size:,} | {scorings} |" in PAGE
