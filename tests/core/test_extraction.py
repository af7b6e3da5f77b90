"""One rule finds the answer: the table of docs/verifiers.md, and what surrounds it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt import Completion, Example, Format, extract, parse
from openvlt.extraction import Reading

DOCUMENT = Path(__file__).parents[2] / "docs" / "verifiers.md"


def _documented(name: str = "extraction") -> list[tuple[str, ...]]:
    table = DOCUMENT.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `(.*?)` \|(.*)\|$", table, re.MULTILINE)
    return [
        (response.replace("\u23ce", "\n").replace("\\|", "|"), *(cell.strip(" `") for cell in rest.split("|")))
        for response, rest in rows
    ]


@pytest.mark.parametrize(("response", "answer"), _documented())
def test_documented_examples(response: str, answer: str) -> None:
    found = extract(response, Format())
    assert (found.answer or "unparsed") == answer
    assert bool(found.reason) == (found.answer is None)


@pytest.mark.parametrize(("response", "answer"), _documented("phrases"))
def test_documented_phrases(response: str, answer: str) -> None:
    assert (extract(response, Format(), reading="phrase").answer or "unparsed") == answer
    assert extract(response, Format()).answer is None


@pytest.mark.parametrize(("response", "question", "answer"), _documented("anywhere"))
def test_documented_answers_in_prose(response: str, question: str, answer: str) -> None:
    assert (extract(response, Format(), reading="anywhere", example=_asked(question)).answer or "unparsed") == answer


def _asked(question: str) -> Example:
    kind: Any = question if question == "integer" else None
    return Example(
        id="",
        question="",
        answer="",
        choices=() if kind or not question else tuple(question.split(", ")),
        answer_type=kind,
    )


def test_the_tables_are_there() -> None:
    assert len(_documented()) >= 20 and len(_documented("phrases")) >= 35 and len(_documented("anywhere")) >= 25


@pytest.mark.parametrize("reading", ["tag", "phrase", "anywhere", "whole"])
def test_tag_and_box_come_first_in_every_reading(reading: Reading) -> None:
    for response in ("<answer>7</answer> So it is 8.", r"\boxed{7}. The answer is 8."):
        assert extract(response, Format(), reading=reading).answer == "7"
    assert extract("It is 7. <answer>", Format(), reading=reading).answer is None
    assert extract("<think>The answer is 7", Format(), reading=reading).answer is None


def test_a_cut_response_has_no_last_answer() -> None:
    assert extract("So there are 7", Format(), reading="anywhere", cut=True).answer is None
    assert extract("So there are 7", Format(), reading="whole", cut=True).answer is None
    assert extract("The answer is 7. To check", Format(), reading="anywhere", cut=True).answer == "7"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<think>It is <answer>7</answer></think>", "7"),
        ("<think>It is <answer>7</answer></think> So there are seven.", "7"),
        (r"<think>It is \boxed{7}. Let me", "7"),
        ("<think>It is <answer>7</answer></think> <answer>8</answer>", "8"),
        (r"<think>It is <answer>7</answer></think> \boxed{8}", "8"),
        ("<think>It is <answer>7</answer></think> So <answer>8", None),
        ("<think>It is <answer>7</think> 8</answer>", None),
        ("<think>It is <answer>7</answer>, no, <answer>8", None),
        ("<think>The answer is 7.</think>", None),
    ],
)
def test_an_answer_within_thinking_counts_only_where_the_format_allows_it(response: str, answer: str | None) -> None:
    allowed = Format(answer_in_think=True)
    assert extract(response, allowed).answer == answer
    if answer != "8":
        assert extract(response, Format()).answer is None
    assert parse(Completion(text=response), allowed).answer == answer


@given(st.integers(-999, 999), st.integers(1000, 9999))
def test_the_gold_is_never_read(said: int, gold: int) -> None:
    example = Example(id="", question="", answer=str(gold), answer_type="integer")
    text = f"There were {gold} at first. Now the total is {said}."
    assert extract(text, Format(), reading="anywhere", example=example).answer == str(said)
    assert extract(f"It is {gold} or {said}.", Format(), reading="anywhere", example=example).answer is None


PUMPED = (
    (
        "a ( ([ \\ * \n \t . 。 < ? - 1 1, 1,1 1.1 1:1 /1 A A) (A (A) [1, (1, # #### **a yes, no, =1 is is_1 or option_A "
        'answer answer_to_ answer_to_a_ answer_is_ "answer": "answer":"a because_ ,_which_ after_aing_ out_of_ if_a,_ '
        "cannot_be_aly_ not_information_ n't_ aan't 选 选A A正确 答案是 frac{ \\frac{1}{ \\sqrt{ \\boxed{ <answer> </answer> <think> "
        "<CONCLUSION> 1_million ^\\circ figure_(A at_A (note_"
    )
    .replace("_", "\0")
    .split(" ")
)


@pytest.mark.parametrize("unit", [unit.replace("\0", " ") for unit in PUMPED])
def test_no_input_takes_long(unit: str) -> None:
    choices = Example(id="", question="", answer="", choices=("a", "1", "Yes", "(a"))
    for begin, end in (("", ""), ("(A", " is right\nThe end"), ("Yes, ", "?")):
        text = begin + unit * (30_000 // len(unit)) + end
        started = time.thread_time()
        for example in (None, choices):
            extract(text, Format(), reading="anywhere", example=example)
        assert time.thread_time() - started < 1  # linear: a hundredth of it; quadratic: many seconds


def test_phrases_only_where_allowed() -> None:
    response = "First, the answer is 4? No. The final answer is: 5."
    assert extract(response, Format()).answer is None
    assert extract(response, Format(), reading="phrase").answer == "5"


def test_tags_are_the_formats() -> None:
    assert extract("<answer>1</answer><solution>2</solution>", Format(answer="solution")).answer == "2"


def test_a_reply_is_split_into_its_parts() -> None:
    trace = parse(
        Completion(text="<think>\na </think> b\n<answer>c</answer>", finish_reason="length"), Format(), sample=3
    )
    assert (trace.think, trace.explanation, trace.answer) == ("a", "b", "c")
    assert (trace.sample, trace.finish_reason) == (3, "length")
    assert parse(Completion(text="no tags"), Format()).think == "no tags"
