"""``openvlt bench`` with several samples, at several budgets, and with fractional scores."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt.__main__ import run

Bench = Callable[..., Any]

PLUGIN = '''
"""A backend whose samples are written down by question, and a verifier of fractions."""
import json, os
from contextlib import contextmanager
from dataclasses import dataclass, asdict
from typing import Annotated
from openvlt import AnswerVerifier, Backend, Completion, Option, Rejected, Verdict, hookimpl


@hookimpl
def register_backends(register):
    register("drawn", Drawn, summary="samples from a file")


@hookimpl
def register_verifiers(register):
    register("overlap", Overlap, summary="share of the gold's letters")


class Engine:
    def __init__(self, model):
        self.model = model

    def generate(self, requests, sampling):
        with open(os.environ["REPLIES"]) as file:
            replies = json.load(file)
        with open(os.environ["REPLIES"] + ".asked", "a") as asked:
            return [self.reply(request, replies, sampling, asked) for request in requests]

    def reply(self, request, replies, sampling, asked):
        texts = [part for part in request.messages[-1].content if isinstance(part, str)]
        question = next(question for question in replies if question in texts[0])
        samples = replies[question][sampling.seed % 2 :: 2] if sampling.seed else replies[question]
        asked.write(json.dumps({"texts": texts, "system": [m.content for m in request.messages if m.role == "system"],
                                "sampling": asdict(sampling), "samples": request.samples,
                                "model": asdict(self.model)}) + "\\n")
        said = [samples[index] for index in request.samples]
        if "DOWN" in said:
            return Rejected(id="", reason="no endpoint answers", transient=True)
        return [Completion(text=text, completion_tokens=len(text.split()) + 1,
                           cuts={cut: " ".join(text.split()[:cut]) for cut in sampling.cuts
                                 if cut < len(text.split()) + 1}) for text in said]


@dataclass(frozen=True)
class Drawn(Backend):
    chunk = 1
    speed: Annotated[int, Option("of the engine")] = 1

    @contextmanager
    def open(self, model, read):
        yield Engine(model)


@dataclass(frozen=True)
class Overlap(AnswerVerifier):
    def check(self, answer, claim):
        gold = claim.example.answer
        return Verdict.partial(len(set(answer) & set(gold)) / len(set(gold)))
'''

REPLIES = {
    "one": ["\\boxed{1}", "\\boxed{1}", "\\boxed{0.5}", "\\boxed{1/2}"],
    "two": ["\\boxed{2}", "\\boxed{0.5}", "\\boxed{1/2}", "\\boxed{50\\%}"],
    "three": ["\\boxed{7}", "\\boxed{7}", "no", "\\boxed{8}"],
    "four": ["\\boxed{4}"] * 4,
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """``bench(*options)`` of four questions; its result, or code and message."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REPLIES", str(tmp_path / "replies.json"))
    (tmp_path / "plugin.py").write_text(PLUGIN)
    rows = [{"id": each, "question": each, "answer": str(n)} for n, each in enumerate(REPLIES, 1)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name, verifier in (("sums", "answer"), ("shares", "overlap")):
        source = (
            "{use: table, path: rows.jsonl, sizes: {test: 4}, columns: {id: id, question: question, answer: answer}}"
        )
        (tmp_path / f"{name}.yaml").write_text(
            f"use: qa\nsplit: test\nscorings: {{strict: {verifier}}}\nsource: {source}\nprompts: {{default: '{{question}}'}}\n"
        )

    def call(*more: str, replies: Any = None, name: str = "sums", model: bool = True, command: str = "bench") -> Any:
        (tmp_path / "replies.json").write_text(json.dumps(REPLIES if replies is None else replies))
        (tmp_path / "replies.json.asked").write_text("")
        what = [str(tmp_path / f"{name}.yaml")] if command == "bench" else []
        asked = ["--model", "org/model", "--backend", "drawn"] if model else []
        code = run(["--plugin", str(tmp_path / "plugin.py"), command, *what, *asked, "--json", *more])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


def asked(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "replies.json.asked").read_text().splitlines()]


SAMPLED = ("--temperature", "0.7", "--samples", "4")


def test_samples_are_averaged_and_vote_by_value(bench: Bench) -> None:
    """0.5, 1/2 and 50 % are one wrong answer: it ties with the right one of the first question, and wins the second."""
    told = bench(*SAMPLED)
    score = told["scores"]["strict"]
    assert (score["accuracy"], score["correct"], score["n"]) == ((0.5 + 0.25 + 0 + 1) / 4, 7, 4)
    found = score["sampled"]
    assert found["k"] == 4 and {count: value[0] for count, value in found["pass_at"].items()} == {
        "1": pytest.approx(0.4375), "2": pytest.approx((5 / 6 + 0.5 + 0 + 1) / 4), "4": 0.75,
    }  # fmt: skip
    assert found["majority"][0] == (0.5 + 0 + 0 + 1) / 4
    assert told["protocol"]["decoding"]["n"] == 4


def test_more_samples_and_those_of_other_seeds_add_to_what_is_there(bench: Bench, tmp_path: Path) -> None:
    bench("--temperature", "0.7", "--samples", "2")
    bench(*SAMPLED)
    assert {tuple(each["samples"]) for each in asked(tmp_path)} == {(2,), (3,)}
    told = bench("--temperature", "0.7", "--samples", "2", "--seed", "3")
    assert {each["sampling"]["seed"] for each in asked(tmp_path)} == {3}
    assert told["protocol"]["draws"] == {"0": 4, "3": 2} and told["scores"]["strict"]["sampled"]["k"] == 6
    assert any(
        "6 samples, those of earlier runs included: 4 with seed 0, 2 with seed 3" in note for note in told["notes"]
    )
    assert len(list((tmp_path / "home" / "runs").glob("*/result.json"))) == 1
    assert bench(*SAMPLED)["scores"]["strict"]["sampled"]["k"] == 6 and asked(tmp_path) == []


def test_a_sample_without_a_reply_leaves_only_itself_open(bench: Bench) -> None:
    replies = {**REPLIES, "four": ["\\boxed{4}", "DOWN", "\\boxed{4}", "\\boxed{4}"]}
    told = bench(*SAMPLED, replies=replies)
    score = told["scores"]["strict"]
    assert (score["accuracy"], score["undecided"]) == (None, 1)
    assert score["bounds"] == [pytest.approx(1.5 / 4), pytest.approx(1.75 / 4)] and list(told["failed"]) == ["four"]
    assert bench(*SAMPLED)["scores"]["strict"]["accuracy"] == pytest.approx(1.75 / 4)


@pytest.mark.parametrize("shape", ["repeated", "lists"])
def test_a_file_of_samples_scores_as_the_model_did(bench: Bench, tmp_path: Path, shape: str) -> None:
    flat = [{"id": id, "response": text} for id, texts in REPLIES.items() for text in texts]
    lists = [{"id": id, "response": texts} for id, texts in REPLIES.items()]
    rows = flat if shape == "repeated" else lists
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told, model = bench("--responses", str(tmp_path / "said.jsonl"), model=False), bench(*SAMPLED)
    assert told["scores"]["strict"] == model["scores"]["strict"]
    assert "there are 4 responses to a question, which are its samples" in told["notes"]
    again = bench(
        "--rescore", next(each.name for each in (tmp_path / "home" / "runs").glob("sums-model-*")), model=False
    )
    assert again["scores"]["strict"] == model["scores"]["strict"]


def test_an_error_among_the_samples_of_a_file_leaves_only_itself_open(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": "one", "response": text} for text in ("\\boxed{1}", "\\boxed{1}", {"error": "429"}, "\\boxed{2}")]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    score = bench("--responses", str(tmp_path / "said.jsonl"), model=False)["scores"]["strict"]
    assert score["bounds"] == [pytest.approx(0.5 / 4), pytest.approx(0.75 / 4)] and score["undecided"] == 1


@pytest.mark.parametrize(("refused", "bounds"), [("open", [0.125, 0.25]), ("wrong", [0.125, 0.125])])
def test_a_refused_sample_is_open_or_wrong_and_never_left_out(
    bench: Bench, tmp_path: Path, refused: str, bounds: list[float]
) -> None:
    said = [("one", {"content": "\\boxed{1}"}), ("one", {"content": None, "refusal": "I cannot."})]
    said += [(id, {"content": "no"}) for id in ("two", "three", "four") for _ in range(2)]
    rows = [{"custom_id": id, "response": {"body": {"choices": [{"message": message}]}}} for id, message in said]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = bench("--responses", str(tmp_path / "said.jsonl"), "--refused", refused, model=False)
    assert told["scores"]["strict"]["bounds"] == bounds
    assert any("refused" in note for note in told["notes"])
    run_name = next(each.parent.name for each in (tmp_path / "home" / "runs").glob("*/result.json"))
    again = bench("--rescore", run_name, "--refused", refused, model=False)
    assert again["scores"] == told["scores"]


def test_the_share_of_unparsed_responses_is_of_all_that_are_there(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of five, where another question has three samples."""
    rows = [{"id": "one", "response": ["\\boxed{1}", "I cannot tell what it is.", "I cannot tell."]}]
    rows += [{"id": id, "response": "\\boxed{2}"} for id in ("two", "three")]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = bench("--responses", str(tmp_path / "said.jsonl"), model=False)
    assert (told["responses"], told["unparsed"]) == (5, 2)
    assert run(["runs", next((tmp_path / "home" / "runs").glob("*/result.json")).parent.name]) == 0
    assert " 40.0 " in capsys.readouterr().out


def test_a_question_without_a_response_does_not_hide_the_samples_of_others(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": id, "response": texts[: 3 if id == "two" else 4]} for id, texts in REPLIES.items() if id != "four"]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = bench("--responses", str(tmp_path / "said.jsonl"), model=False)
    sampled = told["scores"]["strict"]["sampled"]
    assert (told["unanswered"], sampled["k"], sampled["most"], [*sampled["pass_at"]]) == (
        ["four"],
        3,
        4,
        ["1", "2", "3"],
    )


def test_a_limit_that_made_a_file_is_not_raised_by_an_option(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": id, "response": "so", "finish_reason": "length"} for id in REPLIES]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = bench("--responses", str(tmp_path / "said.jsonl"), model=False)
    said = " ".join([*told["notes"], *told["warnings"]])
    assert "cut at the token limit" in said and "--max-tokens" not in said


def test_results_of_samples_are_compared_by_their_means(bench: Bench, tmp_path: Path) -> None:
    bench(*SAMPLED)
    better = {**REPLIES, "two": ["\\boxed{2}"] * 4}
    bench(*SAMPLED, "--model", "org/other", replies=better)
    names = {each.name.rpartition("-")[0]: each.name for each in (tmp_path / "home" / "runs").glob("sums-*")}
    found = bench(names["sums-model"], names["sums-other"], model=False, command="compare")
    assert (found["difference"], found["test"], [each["id"] for each in found["won"]]) == (
        pytest.approx(0.75 / 4), "sign-flip", ["two"],
    )  # fmt: skip
    (flip,) = found["won"]
    assert (flip["a"], flip["b"]) == ("1 x 2, 1 x 0.5, 1 x 1/2, 1 x 50\\%", "4 x 2")


def test_fractional_scores_have_a_mean(bench: Bench) -> None:
    replies = {"one": ["\\boxed{1}"], "two": ["\\boxed{1}"], "three": ["\\boxed{3}"], "four": ["no"]}
    told = bench(name="shares", replies=replies)
    score = told["scores"]["strict"]
    assert (score["accuracy"], score["mean"]) == (0.0, 0.5)
    assert 0 <= score["mean95"][0] < 0.5 < score["mean95"][1] <= 1


def test_both_models_are_benched(bench: Bench) -> None:
    told = bench("--model", "org/other")
    assert [each["stage"] for each in told] == ["org/model", "org/other"]


def test_tables_and_page_show_samples_budgets_and_means(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = {id: [f"let us see: {text} it is" for text in texts] for id, texts in REPLIES.items()}
    bench(*SAMPLED, "--budgets", "3,4,32", "--model", "org/other", name="shares", replies=replies)
    monkeypatch.chdir(tmp_path)
    for name in [each.name for each in (tmp_path / "home" / "runs").glob("shares-*")]:
        assert run(["runs", "show", name]) == 0 and run(["report", name, "--out", f"{name}.html"]) == 0
    shown, pages = capsys.readouterr().out, [each.read_text() for each in tmp_path.glob("shares-*.html")]
    for heading in ("samples  same questions  majority", "pass@4", "shares, org/model by budget", "mean"):
        assert heading in shown
    assert sum("<svg" in page and "mean tokens of a response" in page for page in pages) == 2 and len(pages) == 6


def test_a_budget_is_scored_as_a_run_with_that_limit(bench: Bench, tmp_path: Path) -> None:
    replies = {id: [f"let us see: {texts[0]} it is"] for id, texts in REPLIES.items()}
    told = bench("--budgets", "3,4,32", replies=replies)
    assert [each["max_tokens"] for each in told["budgets"]] == [3, 4, 32] and len(asked(tmp_path)) == 4
    assert [each["accuracy"] for each in told["budgets"]] == [0.0, 0.75, 0.75]
    assert [each["truncated"] for each in told["budgets"]] == [4, 4, 0] and told["accuracy"] == 0.75


@pytest.mark.slow
def test_every_item_of_a_budget_is_that_of_a_run_with_that_limit(
    bench: Bench, tmp_path: Path, vision_model: Path
) -> None:
    def items(folder: str) -> dict[str, Any]:
        rows = map(json.loads, (tmp_path / "home" / "runs" / folder / "rows.jsonl").read_text().splitlines())
        return {row["example"]["id"]: row["judged"] for row in rows}

    options = ("--model", str(vision_model), "--backend", "{use: hf, batch: 3}")
    told = bench(*options, "--budgets", "5,11,24", model=False)
    runs = tmp_path / "home" / "runs"
    cut = {each.name: items(each.name) for each in runs.glob("sums-*")}
    assert len(cut) == 3 and sum(each["truncated"] for each in told["budgets"]) > 0
    for name in cut:
        shutil.rmtree(runs / name)
    alone = [bench(*options, "--max-tokens", limit, model=False) for limit in ("5", "11", "24")]
    assert {each.name: items(each.name) for each in runs.glob("sums-*")} == cut
    assert [each["accuracy"] for each in alone] == [each["accuracy"] for each in told["budgets"]]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--samples", "8"], "--samples has no effect on greedy decoding"),
        (["--budgets", "8"], "two or more numbers"),
        (["--budgets", "8,16", "--max-tokens", "9"], "Both --max-tokens and --budgets"),
        (["--pixels", "9-3"], "Give the least and the most"),
        (["--extra-body", "{}", "--url", "http://127.0.0.1:1/v1", "--dtype", "float32"], "no effect on an endpoint"),
        (["--budgets", "8,16", "--url", "http://127.0.0.1:1/v1"], "which endpoints do not send"),
        (["--extra-body", '{"a": 1}'], "no effect without an endpoint"),
        (["--extra-body", "[1]"], "--extra-body is '\\[1\\]'"),
        (["--backend", "{use: drawn, sped: 2}"], "Did you mean 'speed'"),
        (["--decoding", "nope"], "no decoding preset 'nope'"),
    ],
)
def test_what_has_no_effect_or_cannot_be_read_is_refused(bench: Bench, more: list[str], said: str) -> None:
    code, error = bench(*more)
    assert code == 2 and re.search(said, error), error


def test_options_reach_the_engine_and_the_protocol(bench: Bench, tmp_path: Path) -> None:
    told = bench(
        "--decoding", "glm-4.6v", "--top-k", "5", "--presence-penalty", "0.5", "--seed", "2", "--pixels", "100-900",
        "--dtype", "float32", "--system", "Be brief.", "--suffix", " Think.", "--backend", "{use: drawn, speed: 3}",
    )  # fmt: skip
    first = asked(tmp_path)[0]
    wanted = {
        "temperature": 0.8, "top_p": 0.6, "top_k": 5, "presence_penalty": 0.5, "repetition_penalty": 1.1, "seed": 2,
        "max_tokens": 16384,
    }  # fmt: skip
    assert first["sampling"] | wanted == first["sampling"]
    assert first["system"] == [["Be brief."]] and first["texts"][-1] == " Think."
    assert (first["model"]["dtype"], first["model"]["pixels"]) == ("float32", [100, 900])
    protocol = told["protocol"]
    assert protocol["decoding"] | wanted == protocol["decoding"]
    assert (protocol["prompt"]["system"], protocol["prompt"]["suffix"]) == ("Be brief.", " Think.")
    assert (protocol["model"]["dtype"], protocol["model"]["pixels"]) == ("float32", [100, 900])
    assert protocol["model"]["backend_options"] == {"speed": 3}
