"""The chat that makes SmolLM2-135M-Instruct reason from a caption to an answer, in one to three short sentences.

Without worked examples the model ignores the answer tag. These nine were chosen on training questions, one for each
category of question. The reasoning states what the question asks before what the image shows; otherwise the model
answers a different question. The examples come first and never change, so prefix caching reads them once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from openvlt import Message


class Example(NamedTuple):
    """A worked example: the input and the reply to imitate."""

    caption: str
    question: str
    reply: str


SYSTEM: Final = "Answer the question about the image from its caption."

EXAMPLES: Final = (
    Example(
        "A red circle in the lower left.",
        "what color is the shape?",
        "The image shows a red circle. The color of the shape is red. <answer>red</answer>",
    ),
    Example(
        "A gray triangle in the upper right.",
        "is there a triangle in the image?",
        "The question asks for a triangle. The image shows a gray triangle, which is a triangle. So yes. "
        "<answer>yes</answer>",
    ),
    Example(
        "A green rectangle in the middle.",
        "is a blue shape present?",
        "The question asks for a blue shape. The image shows a green rectangle, which is green, not blue. "
        "So no. <answer>no</answer>",
    ),
    Example(
        "A black circle in the upper left.",
        "what shape is in the image?",
        "The image shows a black circle. The shape is a circle. <answer>circle</answer>",
    ),
    Example(
        "A yellow rectangle on the left.",
        "is there not a circle?",
        "The question asks if a circle is absent. The image shows a yellow rectangle, which is not a circle. "
        "A circle is absent. So yes. <answer>yes</answer>",
    ),
    Example(
        "A brown triangle in the lower right.",
        "does the image not contain a brown shape?",
        "The question asks if a brown shape is absent. The image shows a brown triangle, which is brown. "
        "It is not absent. So no. <answer>no</answer>",
    ),
    Example(
        "A teal triangle at the bottom.",
        "what is the color of the triangle?",
        "The image shows a teal triangle. The color of the triangle is teal. <answer>teal</answer>",
    ),
    Example(
        "A blue rectangle in the upper left.",
        "what is the blue shape?",
        "The image shows a blue rectangle. The blue shape is a rectangle. <answer>rectangle</answer>",
    ),
    Example(
        "A yellow circle at the top.",
        "does the image contain a yellow shape?",
        "The question asks for a yellow shape. The image shows a yellow circle, which is yellow. So yes. "
        "<answer>yes</answer>",
    ),
)


def messages(caption: str | None, question: str) -> list[Message]:
    """The chat that asks for a trace: some reasoning, then `<answer>...</answer>`.

    Args:
        caption: one sentence about the image; None if there is none.
        question: as in the dataset.
    """
    chat = [Message.system(SYSTEM)]
    for example in EXAMPLES:
        user = Message.user(user_text(example.caption, example.question))
        chat += [user, Message.assistant(example.reply)]
    return [*chat, Message.user(user_text(caption, question))]


def user_text(caption: str | None, question: str) -> str:
    """The text of the user turn for one caption and question."""
    return f"Question: {question}" if caption is None else f"Caption: {caption}\nQuestion: {question}"
