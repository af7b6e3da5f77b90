"""One rule finds the answer: the table of docs/verifiers.md, and what surrounds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openvlt import Completion, Format, extract, parse

DOCUMENT = Path(__file__).parents[2] / "docs" / "verifiers.md"


def _documented(name: str = "extraction") -> list[tuple[str, str]]:
    table = DOCUMENT.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `(.*?)` \| (.*?) \|", table, re.MULTILINE)
    return [(response.replace("\u23ce", "\n").replace("\\|", "|"), answer.strip("`")) for response, answer in rows]


@pytest.mark.parametrize(("response", "answer"), _documented())
def test_documented_examples(response: str, answer: str) -> None:
    found = extract(response, Format())
    assert (found.answer or "unparsed") == answer
    assert bool(found.reason) == (found.answer is None)


@pytest.mark.parametrize(("response", "answer"), _documented("phrases"))
def test_documented_phrases(response: str, answer: str) -> None:
    assert (extract(response, Format(), reading="phrase").answer or "unparsed") == answer
    assert extract(response, Format()).answer is None


def test_the_tables_are_there() -> None:
    assert len(_documented()) >= 20 and len(_documented("phrases")) >= 15


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
