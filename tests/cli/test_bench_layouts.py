"""``openvlt bench --responses`` with made files in the layouts of other tools: recognised, matched and scored."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt.__main__ import run
from openvlt.bench.matching import same_question, words_of

Bench = Callable[..., Any]
Write = Callable[[Path], Path]

DATA: list[dict[str, Any]] = [
    {"id": "4", "question": "How many red balls are in the box?\n<image1>", "options": [], "answer": "12", "subject": "s"},
    {"id": "5", "question": "Which side is the longest one of all?", "options": ["1", "2", "3", "4", "5"], "answer": "C", "subject": "s"},
    {"id": "6", "question": "What is $\\frac{1}{2}$ of the area?", "options": [], "answer": "8", "subject": "s"},
]  # fmt: skip
SAID = ["I count them: \\boxed{12}", "so \\boxed{C}", "It is \\boxed{7}"]
"""Two right ones, one wrong one."""
PROMPTS = [f"user\nPlease solve it step by step.\n{row['question'].replace('<image1>', '')}\nassistant" for row in DATA]


def as_json(name: str, content: Any) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_text(json.dumps(content))
        return folder / name

    return write


def as_lines(name: str, rows: list[dict[str, Any]]) -> Write:
    def write(folder: Path) -> Path:
        text = "\n".join(map(json.dumps, rows))
        if name.endswith(".gz"):
            (folder / name).write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_text(text)
        return folder / name

    return write


def inspect_samples() -> list[dict[str, Any]]:
    thinking = {"type": "reasoning", "reasoning": "a guess: \\boxed{1}"}
    return [
        {
            "id": row["id"], "epoch": 1, "target": row["answer"], "scores": {}, "metadata": {},
            "input": [{"role": "user", "content": [{"type": "image", "image": "x"}, {"type": "text", "text": row["question"]}]}],
            "output": {
                "model": "m", "usage": {"input_tokens": 9, "output_tokens": 5},
                "choices": [{"message": {"role": "assistant", "content": [thinking, {"type": "text", "text": said}]}, "stop_reason": "max_tokens"}],
            },
        }
        for row, said in zip(DATA, SAID, strict=True)
    ]  # fmt: skip


def inspect_json() -> dict[str, Any]:
    return {"version": 2, "status": "success", "eval": {"task": "t"}, "plan": {}, "samples": inspect_samples(), "x": 1}


def inspect_archive(folder: Path) -> Path:
    path = folder / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "status": "success"}))
        for sample in inspect_samples():
            archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
        archive.writestr("summaries.json", "[]")
    return path


def inspect_zstandard(folder: Path) -> Path:
    """As written today: Python's zipfile can store the compressed bytes, and its method is set in the headers."""
    pyarrow = pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    sizes = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for sample in inspect_samples():
            content = json.dumps(sample).encode()
            packed = pyarrow.compress(content, codec="zstd", asbytes=True)
            sizes.append((len(packed), len(content)))
            archive.writestr(f"samples/{sample['id']}_epoch_1.json", packed)
        members = archive.infolist()
    raw = bytearray(buffer.getvalue())
    at = raw.index(b"PK\x01\x02")
    for _, (_, size) in zip(members, sizes, strict=True):
        raw[at + 10 : at + 12] = (93).to_bytes(2, "little")
        raw[at + 24 : at + 28] = size.to_bytes(4, "little")
        at = raw.find(b"PK\x01\x02", at + 4)
    (folder / "log.eval").write_bytes(raw)
    return folder / "log.eval"


def batch(body: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"id": f"batch_req_{number}", "custom_id": row["id"], "error": None,
         "response": {"status_code": 200, "request_id": "r", "body": body(said)}}
        for number, (row, said) in enumerate(zip(DATA, SAID, strict=True))
    ]  # fmt: skip


def chat(said: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": said, "refusal": None}, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}


def responses_api(said: str) -> dict[str, Any]:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said}]}
    return {"object": "response", "output": [{"type": "reasoning", "summary": []}, message]}


def generations(folder: Path) -> Path:
    blocks = [
        f"[prompt] {prompt}\n[output] First.\n{said}\n[ground_truth] {row['answer']}\n[score] 1.0\n\n"
        for prompt, row, said in zip(PROMPTS, DATA, SAID, strict=True)
    ]
    (folder / "generations.log").write_text("".join(blocks))
    return folder / "generations.log"


def paired(**columns: Callable[[dict[str, Any], str], Any]) -> list[dict[str, Any]]:
    return [{name: of(row, said) for name, of in columns.items()} for row, said in zip(DATA, SAID, strict=True)]


def own(key: str) -> Callable[[dict[str, Any], str], Any]:
    return lambda row, _: row[key]


def text(_: dict[str, Any], said: str) -> str:
    return said


LMMS = [
    {"doc_id": number, "input": prompt, "target": "?", "filtered_resps": [said], "doc_hash": "h", "acc": 0.0}
    for number, (prompt, said) in enumerate(zip(PROMPTS, SAID, strict=True))
]
SWIFT = [
    {"response": said, "labels": None, "logprobs": None, "images": [],
     "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": said}]}
    for prompt, said in zip(PROMPTS, SAID, strict=True)
]  # fmt: skip
VERL = [
    {"input": prompt, "output": said, "gts": row["answer"], "score": 1.0, "step": 3, "acc": True}
    for prompt, row, said in zip(PROMPTS, DATA, SAID, strict=True)
]
LAYOUTS: dict[str, tuple[Write, str]] = {
    "lmms-eval": (as_lines("s_samples_mathvision.jsonl", LMMS), "samples of lmms-eval"),
    "lmms-eval, older": (
        as_json("log.json", {"args": {}, "logs": [
            {"doc_id": 7, "doc": {key: row[key] for key in ("id", "question")}, "resps": [[said]], "filtered_resps": [said]}
            for row, said in zip(DATA, SAID, strict=True)
        ]}),
        "samples of lmms-eval",
    ),
    "inspect_ai": (inspect_archive, "samples of inspect_ai"),
    "inspect_ai, zstd": (inspect_zstandard, "samples of inspect_ai"),
    "inspect_ai, json": (as_json("log.json", inspect_json()), "samples of inspect_ai"),
    "OpenAI batch": (as_lines("batch.jsonl", batch(chat)), "output of the OpenAI or vLLM batch API"),
    "OpenAI batch, responses": (as_lines("b.jsonl", batch(responses_api)), "output of the OpenAI batch API (responses)"),
    "vLLM batch": (
        as_lines("b.jsonl", batch(lambda said: {"choices": [{"text": said, "finish_reason": "stop"}]})),
        "output of the OpenAI or vLLM batch API",
    ),
    "VLMEvalKit": (
        as_json("m_MathVision.json", paired(index=own("id"), question=own("question"), prediction=text)),
        "a table of VLMEvalKit",
    ),
    "VLMEvalKit, res": (
        as_lines("m.jsonl", paired(index=own("id"), prediction=lambda *_: "...", res=lambda _, said: said[-3:-1].strip("{"))),
        "a table of VLMEvalKit",
    ),
    "LLaVA": (
        as_lines("a.jsonl", paired(question_id=own("id"), prompt=own("question"), text=text, answer_id=lambda *_: "k")),
        "answers of LLaVA",
    ),
    "InternVL": (
        as_json("vqa.json", paired(question_id=lambda row, _: int(row["id"]), question=own("question"), answer=text)),
        "answers of InternVL",
    ),
    "MathVision": (
        as_lines("m.jsonl.gz", paired(id=own("id"), response=text, model_answer=lambda *_: "?")), "results of MathVision",
    ),
    "verl": (as_lines("120.jsonl", VERL[::-1]), "rollouts of verl"),
    "EasyR1": (generations, "generations of EasyR1"),
    "ms-swift": (as_lines("result.jsonl", SWIFT[::-1]), "results of ms-swift"),
    "by id": (as_json("a.json", {row["id"]: said for row, said in zip(DATA, SAID, strict=True)}), "answers by id"),
    "plain": (as_lines("a.jsonl.gz", paired(id=own("id"), response=text)), "plain rows"),
}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run ``openvlt bench ... --json``; the result, or the exit code and what was said."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))

    def call(*arguments: str | Path) -> Any:
        code = run(["bench", *map(str, arguments), "--json"])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


@pytest.fixture
def on_data(bench: Bench, tmp_path: Path) -> Bench:
    """Score a file on the three questions of `DATA`."""
    data = as_lines("data.jsonl", DATA)(tmp_path)

    def call(file: Path, *options: str) -> Any:
        return bench("mathvision", "--data", data, "--responses", file, *options)

    return call


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_and_scored(on_data: Bench, tmp_path: Path, name: str) -> None:
    write, called = LAYOUTS[name]
    told = on_data(write(tmp_path))
    assert any(f"is read as {called} (" in note for note in told["notes"])
    assert (told["scores"]["strict"]["correct"], told["n"], told["unanswered"], told["failed"]) == (2, 3, [], {})
    assert told["truncated"] == (3 if name.startswith("inspect") else 0)


def test_a_template_of_mathverse_has_whole_replies(bench: Bench, tmp_path: Path) -> None:
    row = {
        "sample_index": "7", "problem_index": "2", "problem_version": "Text Lite", "question": "Find CED",
        "answer": "D", "question_type": "multi-choice", "query_cot": "q",
        "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry", "subfield": "Angle"},
    }  # fmt: skip
    whole = "The angles of the triangle add up to 180. So the answer is D."
    (tmp_path / "m.json").write_text(json.dumps([{**row, "model_answer": whole}]))
    told = bench("mathverse", "--responses", tmp_path / "m.json")
    assert told["scores"]["strict"]["accuracy"] == 1.0 and told["protocol"]["extraction"] != "stored"
    extracted = [{**row, "model_answer": "I do not say.", "extraction": "D", "judgement": "1"}]
    (tmp_path / "e.json").write_text(json.dumps(extracted))
    told = bench("mathverse", "--responses", tmp_path / "e.json")
    assert told["scores"]["strict"]["accuracy"] == 1.0 and told["protocol"]["extraction"] == "stored"


def test_results_of_hallusionbench_are_matched_by_the_columns_of_the_data(bench: Bench, tmp_path: Path) -> None:
    row = {
        "category": "VD", "subcategory": "figure", "visual_input": "1", "set_id": "0", "figure_id": "1",
        "question": "Is it so?", "gt_answer": "1", "gt_answer_details": "It is.", "filename": "a.png",
    }  # fmt: skip
    said = ["1", "Yes, it is.", "0", "No."]
    rows = [{**row, "question_id": str(number), "model_prediction": each} for number, each in enumerate(said)]
    (tmp_path / "HallusionBench_result.json").write_text(json.dumps(rows))
    told = bench("hallusionbench", "--responses", tmp_path / "HallusionBench_result.json")
    assert (told["n"], told["scores"]["strict"]["correct"], told["unparsed"]) == (4, 2, 0)


def test_named_columns_replace_those_of_the_layout(on_data: Bench, tmp_path: Path) -> None:
    rows = paired(key=own("id"), out=lambda _, said: {"text": said}, question=lambda *_: "none of them")
    path = as_lines("mine.jsonl", rows)(tmp_path)
    told = on_data(path, "--columns", "id=key,response=out.text,question=")
    assert told["scores"]["strict"]["correct"] == 2
    code, said = on_data(path)
    assert code == 4 and "row 1 has no id" not in said  # matched by its questions, which the data does not have
    code, said = on_data(path, "--columns", "ident=key")
    assert code == 2 and "ident" in said
    code, said = on_data(path, "--columns", "id=kye")
    assert code == 2 and "Did you mean 'key'?" in said


def test_shifted_ids_are_refused_with_the_first_questions(on_data: Bench, tmp_path: Path) -> None:
    rows = paired(id=own("id"), question=own("question"), response=text)
    shifted = [{**row, "id": str(int(row["id"]) + 1)} for row in rows]
    code, said = on_data(as_lines("a.jsonl", shifted[:2])(tmp_path))
    assert code == 4
    assert "'5' asks 'How many red balls are in the box? <image1>', and the data 'Which side" in " ".join(said.split())
    assert on_data(as_lines("b.jsonl", shifted[:2])(tmp_path), "--columns", "question=")["n"] == 3


def test_empty_cells_and_values_that_are_no_text(on_data: Bench, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(
        '[{"index": 4, "prediction": NaN}, {"index": 5, "prediction": "so \\\\boxed{C}"}, {"index": 6, "prediction": {"x": 1}}]'
    )
    told = on_data(path)
    assert (told["unanswered"], told["scores"]["strict"]["correct"]) == (["4"], 1)
    assert told["failed"] == {"6": "the response is an object with the keys x, not a text"}


@pytest.mark.parametrize("golds", ["of the data", "of the file"])
def test_repeated_ids_are_samples(bench: Bench, on_data: Bench, tmp_path: Path, golds: str) -> None:
    rows = [
        {**row, "options": str(row["options"]), "response": each}
        for row, said in zip(DATA, SAID, strict=True)
        for each in (said, "?")
    ]
    path = as_lines("a.jsonl", rows)(tmp_path)
    told = on_data(path) if golds == "of the data" else bench("mathvision", "--responses", path)
    assert told["n"] == 3 and told["scores"]["strict"]["sampled"]["k"] == 2
    assert told["scores"]["strict"]["accuracy"] == pytest.approx(2 / 6)
    assert "there are 2 responses to a question, which are its samples" in told["notes"]


def test_epochs_are_samples_in_order(on_data: Bench, tmp_path: Path) -> None:
    second = [
        {**sample, "epoch": 2, "error": {"message": "it broke", "traceback": "..."}} for sample in inspect_samples()
    ]
    told = on_data(as_json("log.json", {"version": 2, "samples": second[:1] + inspect_samples()})(tmp_path))
    assert told["failed"] == {"4": "the file has an error for a response: it broke"}
    assert told["scores"]["strict"]["undecided"] == 1


def test_refusals_and_errors_of_a_batch_are_not_wrong_answers(on_data: Bench, tmp_path: Path) -> None:
    first, second, third = batch(chat)
    first["response"]["body"]["choices"][0]["message"] = {"content": None, "refusal": "I cannot."}
    second["response"] = {"status_code": 400, "body": {"error": {"message": "too long", "code": 400}}}
    third.update(response=None, error={"code": "batch_expired", "message": "late"})
    told = on_data(as_lines("b.jsonl", [first, second, third])(tmp_path))
    assert told["failed"] == {
        "4": "refused: the model declined to answer",
        "5": "the file has an error for a response: too long",
        "6": "the file has an error for a response: late",
    }
    third.update(error={"code": "content_policy_violation", "message": "unsafe"})
    told = on_data(as_lines("b.jsonl", [first, second, third])(tmp_path))
    assert told["failed"]["6"] == "refused: unsafe"


def test_prompts_of_several_questions_leave_them_undecided(bench: Bench, tmp_path: Path) -> None:
    twins = [{**DATA[0], "id": str(number), "answer": answer} for number, answer in enumerate(["1", "1", "2"])]
    data = as_lines("data.jsonl", [*twins, DATA[1]])(tmp_path)
    rows = [{**row, "input": PROMPTS[0]} for row in VERL[:1]] + [VERL[1], {**VERL[2], "input": "another one"}]
    rows[0]["gts"] = "1"
    told = bench("mathvision", "--data", data, "--responses", as_lines("1.jsonl", rows)(tmp_path))
    assert sorted(told["failed"]) == ["0", "1"] and told["unanswered"] == ["2"]
    assert "1 response without an id, whose question was not found in the data" in told["notes"]


WORDS = st.text(min_size=1, max_size=40).filter(words_of)


@given(question=WORDS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_prompt_around_a_question_asks_it(question: str, before: str, after: str) -> None:
    assert same_question(question, f"{before} {question} {after}")
    assert same_question(question, "<image 1>\n" + "\t".join(question.split()))


@pytest.mark.parametrize(
    ("own", "said", "same"),
    [
        ("How many red balls are there?", "Hint: ...\nQuestion: How many red balls are there?\nChoices: (A) 1", True),
        ("Find $x$ in <image 1>.", "<|vision_start|><|image_pad|><|vision_end|>find x in [image_1]", True),
        ("How many balls are there in this box of wood?", "How many balls are there in the box of wood?", True),
        ("What is it?\nChoices:\nA:1\nB:2", "What is it?", True),
        ("", "Answer with a letter.", True),
        ("How many red balls are there?", "Which side is longest?", False),
        ("Which side is longest?", "Please answer with the letter.", False),
    ],
)
def test_wordings_of_a_question(own: str, said: str, same: bool) -> None:
    assert same_question(own, said) == same
