"""Teachers with a prompt from the recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openvlt import Completion, Example, Image, Message, Model, Reject, UsageError
from openvlt_plugins.chat.teacher import Chat, ChatVl

MODEL = Model(id="any")
IMAGE = Image("ab", 8, 8)
EXAMPLE = Example(id="1", question="Is {caption} x?", answer="A", choices=("yes", "no"), images=(IMAGE,))


def test_the_template_is_filled_once_and_keeps_other_braces() -> None:
    teacher = Chat(model=MODEL, prompt="{caption}|{question}|{choices}|\\boxed{}", system="Be brief.")
    assert teacher.messages(EXAMPLE, "A {question}.") == [
        Message.system("Be brief."),
        Message.user("A {question}.|Is {caption} x?|(A) yes\n(B) no|\\boxed{}"),
    ]


@pytest.mark.parametrize(("prompt", "missing"), [("{caption}", "question"), ("{question}", "caption")])
def test_a_template_without_its_parts_is_refused(prompt: str, missing: str) -> None:
    with pytest.raises(UsageError, match=f"no {{{missing}}}"):
        Chat(model=MODEL, prompt=prompt)


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        (
            "Image description:\n{caption}\n\n{question}\n{choices}\n\nThink.",
            "Is {caption} x?\n(A) yes\n(B) no\n\nThink.",
        ),
        ("{caption}\n{question}", "Is {caption} x?"),
        ("{caption} {question}", " Is {caption} x?"),
    ],
)
def test_without_images_the_prompt_has_no_caption(prompt: str, asked: str) -> None:
    assert Chat(model=MODEL, prompt=prompt).messages(EXAMPLE, None) == [Message.user(asked)]


def test_a_prompt_may_use_other_columns() -> None:
    teacher = Chat(model=MODEL, prompt="{metadata.table}\n{caption}{question}")
    example = replace(EXAMPLE, question="Sum?", metadata={"table": "1 {question} 2"})
    assert teacher.messages(example, "") == [Message.user("1 {question} 2\nSum?")]
    with pytest.raises(Reject, match="no metadata 'table'"):
        teacher.messages(EXAMPLE, "")


def test_the_vision_teacher_is_shown_the_images_and_needs_no_caption() -> None:
    teacher = ChatVl(model=MODEL, prompt="{question}")
    assert not teacher.uses_caption
    assert teacher.messages(EXAMPLE, None) == [Message.user(IMAGE, "Is {caption} x?")]


def test_replies_are_read_with_the_tags_of_the_recipe() -> None:
    teacher = Chat(model=MODEL, think_tag="r", answer_tag="a")
    trace = teacher.parse(Completion(text="<r>2 + 2</r>So four.<a>4</a>"))
    assert (trace.think, trace.explanation, trace.answer) == ("2 + 2", "So four.", "4")
    with pytest.raises(Reject, match="cut by the token limit"):
        teacher.parse(Completion(text="<r>2 + 2", finish_reason="length"))
