"""The policy as teacher and the vision-language captioner: what they ask and how they read the reply."""

from __future__ import annotations

import pytest

from openvlt import Completion, Example, Format, Image, Reject
from openvlt_plugins.policy.teacher import Policy
from openvlt_plugins.qwen_vl.captioner import PROMPT, QwenVl

IMAGE = Image("ab", 8, 8)
EXAMPLE = Example(id="1", question="what shape is present?", answer="circle", images=(IMAGE,))


def test_the_policy_is_asked_as_it_is_trained_to_be_asked() -> None:
    format = Format(suffix=" Think.", think="t", answer="a")
    policy = Policy(format=format)
    assert policy.messages(EXAMPLE, None) == format.prompt(EXAMPLE)
    assert not policy.uses_caption
    trace = policy.parse(Completion(text="<t>Round, so a circle.</t>\nNo corners.\n<a>circle</a>"))
    assert (trace.think, trace.explanation, trace.answer) == ("Round, so a circle.", "No corners.", "circle")


def test_a_policy_reply_without_an_answer_is_left_to_the_verifiers() -> None:
    trace = Policy().parse(Completion(text="<think>Round", finish_reason="length"))
    assert trace.answer is None
    assert trace.finish_reason == "length"


def test_sampling_is_explicit() -> None:
    assert (Policy().sampling.n, Policy().sampling.temperature) == (4, 1.0)
    assert QwenVl(temperature=0.2, max_tokens=50).sampling.max_tokens == 50


def test_the_captioner_shows_all_images_before_the_prompt() -> None:
    (turn,) = QwenVl().messages([IMAGE, IMAGE])
    assert turn.role == "user"
    assert turn.content == (IMAGE, IMAGE, PROMPT)


def test_an_empty_caption_is_rejected() -> None:
    assert QwenVl().parse(Completion(text=" A red circle. \n")) == "A red circle."
    with pytest.raises(Reject, match="empty"):
        QwenVl().parse(Completion(text=" \n"))
