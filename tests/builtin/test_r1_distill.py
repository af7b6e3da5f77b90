"""R1-style teachers: what they are asked, and the exact reading of `<think>` blocks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from openvlt import Completion, Example, Model, Reject, Trace
from openvlt_plugins.r1_distill.reply import read
from openvlt_plugins.r1_distill.teacher import HUB_IDS, Qwq, R1Distill

EXAMPLE = Example(id="1", question="How long is x?", answer="B", choices=("3", "4"))


def parsed(text: str) -> Trace:
    return read(Completion(text=text))


def rejected(text: str, **fields: object) -> str:
    with pytest.raises(Reject) as caught:
        read(Completion(text=text, **fields))  # type: ignore[arg-type]
    return caught.value.reason


@pytest.mark.parametrize(
    "box", ["\\boxed{7}", "\\boxed {7}", "\\fbox{ 7 }", "<|begin_of_box|>7<|end_of_box|>", "<CONCLUSION>7</CONCLUSION>"]
)
def test_every_box_is_replaced_by_its_content(box: str) -> None:
    trace = read(Completion(text=f"<think>a</think>So it is {box}. {{b}}"))
    assert (trace.explanation, trace.answer) == ("So it is 7. {b}", "7")


def test_the_default_is_the_14b_distillation_as_its_authors_advise() -> None:
    teacher = R1Distill()
    assert teacher.model == Model(id="deepseek-ai/DeepSeek-R1-Distill-Qwen-14B")
    assert (teacher.sampling.n, teacher.sampling.temperature, teacher.sampling.top_p) == (4, 0.6, 0.95)
    assert teacher.uses_caption


def test_size_and_model_choose_what_is_asked() -> None:
    assert all(R1Distill(size=size).model.id == hub_id for size, hub_id in HUB_IDS.items())
    assert R1Distill(size="7b", model=Model(id="mine")).model.id == "mine"
    assert Qwq().model.id == "Qwen/QwQ-32B"


@pytest.mark.parametrize("teacher", [R1Distill(), Qwq()])
def test_one_user_turn_with_caption_question_and_choices(teacher: R1Distill | Qwq) -> None:
    (turn,) = teacher.messages(EXAMPLE, "A triangle with sides 3, 4 and x.")
    (text,) = turn.content
    assert turn.role == "user"
    assert isinstance(text, str)
    for part in ("A triangle with sides 3, 4 and x.", "How long is x?", "(A) 3\n(B) 4", "\\boxed{}", "letter"):
        assert part in text


def test_a_block_the_template_opened_is_only_closed_in_the_reply() -> None:
    trace = parsed("Okay, 3 + 4.\n</think>\n\nAdding gives the length. The answer is $\\boxed{7}$.")
    assert (trace.think, trace.answer) == ("Okay, 3 + 4.", "7")
    assert trace.explanation == "Adding gives the length. The answer is $7$."


def test_a_block_the_reply_opens_is_read_the_same() -> None:
    assert parsed("<think>\nOkay.\n</think>\nSo \\boxed{7}.").think == "Okay."


def test_nested_and_repeated_blocks_are_one_reasoning() -> None:
    assert parsed("<think>a <think>b</think> c</think> \\boxed{1}").think == "a b c"
    repeated = parsed("a</think> so \\boxed{1}. <think>b</think> \\boxed{2}")
    assert repeated.answer == "2"
    assert "<" not in repeated.think


def test_reasoning_that_never_ends_is_rejected() -> None:
    assert rejected("Okay, so \\boxed{7}") == "the think block is never closed"
    assert rejected("<think>Okay") == "the think block is never closed"
    assert rejected("a</think> \\boxed{1} <think> but") == "the think block is never closed"


def test_a_cut_reply_is_rejected_whatever_it_holds() -> None:
    assert rejected("<think>a</think> \\boxed{1}", finish_reason="length") == "cut by the token limit"
    assert rejected("<think>a", finish_reason="length") == "cut by the token limit"


def test_an_answer_within_the_reasoning_does_not_count() -> None:
    assert parsed("maybe \\boxed{5}</think> I cannot tell.").answer is None


def test_an_answer_tag_ends_the_explanation() -> None:
    trace = parsed("a</think>\nBecause.\n<answer>(B)</answer>")
    assert (trace.explanation, trace.answer) == ("Because.", "(B)")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("The answer is **B**.", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{$12$}", "12"),
        ("<answer> 2\n</answer>", "2"),
    ],
)
def test_marks_around_the_answer_go(said: str, answer: str) -> None:
    assert parsed(f"x</think>{said}").answer == answer


PROSE = st.text(st.characters(exclude_characters="<>\\{}$*", codec="utf-8"), max_size=60)
ANSWER = st.text("abcXYZ019 ./-", min_size=1, max_size=10).map(str.strip).filter(bool)


@given(think=PROSE, explanation=PROSE, answer=ANSWER, opened=st.booleans())
def test_what_was_written_is_read_back(think: str, explanation: str, answer: str, opened: bool) -> None:
    text = f"{'<think>' if opened else ''}{think}</think>{explanation}\\boxed{{{answer}}}"
    trace = parsed(text)
    assert (trace.think, trace.answer, trace.raw) == (think.strip(), answer, text)
    assert trace.explanation == f"{explanation}{answer}".strip()


@given(st.lists(st.sampled_from(["<think>", "</think>", "\\boxed{7}", "a", "<answer>", "</answer>", "{", "}"])))
def test_any_reply_is_a_trace_without_tags_or_a_rejection(pieces: list[str]) -> None:
    try:
        trace = parsed(" ".join(pieces))
    except Reject as reject:
        assert reject.reason == "the think block is never closed"
    else:
        assert "<think>" not in trace.think + trace.explanation
        assert "</think>" not in trace.think + trace.explanation
