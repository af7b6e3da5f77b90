"""The format verifier sees the parts of a response and refuses what is out of shape."""

from __future__ import annotations

import pytest

from openvlt import Claim, Example, Trace
from openvlt_plugins.shaping.format import FormatCheck


def claim(response: str) -> Claim:
    return Claim(trace=Trace(think="", answer=None, raw=response), example=Example(id="1", question="?", answer="15"))


GOOD = "<think>\n3 x 5\n</think>\nSo it is fifteen.\n<answer>15</answer>\n"


def test_well_formed_response_scores_one_and_names_its_parts() -> None:
    verdict = FormatCheck().verify(claim(GOOD))
    assert verdict.score == 1.0
    assert verdict.detail == {"think": "3 x 5", "explanation": "So it is fifteen.", "answer": "15"}


def test_explanation_can_be_refused() -> None:
    assert FormatCheck(explanation=False).verify(claim(GOOD)).score == 0.0
    assert FormatCheck(explanation=False).verify(claim("<think>a</think> <answer>15</answer>")).score == 1.0


def test_opening_think_tag_may_have_been_written_by_the_chat_template() -> None:
    response = "3 x 5</think><answer>15</answer>"
    assert FormatCheck().verify(claim(response)).score == 1.0
    assert FormatCheck(prefilled=False).verify(claim(response)).score == 0.0


@pytest.mark.parametrize(
    "response",
    [
        "",
        "15",
        "<answer>15</answer>",
        "<think>a</think><answer>15",
        "<think>a</think><answer> </answer>",
        "<answer>15</answer><think>a</think>",
        "<think>a</think><answer>15</answer> and more",
        "Well, <think>a</think><answer>15</answer>",
        "<think>a</think><answer>14</answer><answer>15</answer>",
        "<think>a</think><think>b</think><answer>15</answer>",
    ],
)
def test_anything_else_scores_zero(response: str) -> None:
    verdict = FormatCheck().verify(claim(response))
    assert verdict.score == 0.0
    assert verdict.reason
