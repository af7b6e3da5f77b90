"""Images stay where a question or a choice has them, however a data set marks the place."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from openvlt import Example, Format, Image, Message, Reject
from openvlt_plugins.rows.placeholders import placed

ONE, TWO, THREE = (Image(name, 8, 8) for name in ("one", "two", "three"))


def asked(texts: list[str], *images: Image) -> tuple[str | Image, ...]:
    (question, *choices), ordered = placed(texts, images)
    example = Example(id="1", question=question, answer="A", choices=tuple(choices), images=ordered)
    (turn,) = Format(suffix="").prompt(example)
    return turn.content


@pytest.mark.parametrize(
    "spelling",
    [
        "<image>",
        "<IMAGE>",
        "<|image|>",
        "<img>",
        "<img/>",
        "<|image_pad|>",
        "<|vision_start|><|image_pad|><|vision_end|>",
    ],
)
def test_every_spelling_keeps_its_place(spelling: str) -> None:
    assert asked([f"A:{spelling} B:{spelling}"], ONE, TWO) == ("A:", ONE, " B:", TWO)


@pytest.mark.parametrize("spelling", ["<image{}>", "<image_{}>", "<image {}>", "<|image_{}|>", "<Image-{}>"])
def test_numbers_name_the_images(spelling: str) -> None:
    text = f"Left {spelling.format(2)}, right {spelling.format(1)}."
    assert asked([text], ONE, TWO) == ("Left ", TWO, ", right ", ONE, ".")
    assert asked([text], ONE, TWO, THREE) == (THREE, "Left ", TWO, ", right ", ONE, ".")


def test_choices_may_be_images() -> None:
    assert asked(["Which?", "<image>", "<image>"], ONE, TWO) == ("Which?\n(A) ", ONE, "\n(B) ", TWO)


@pytest.mark.parametrize("text", ["<image>\nHow many?", "<image_1> How many?", "How many?"])
def test_images_before_the_text_need_no_placeholder(text: str) -> None:
    (question,), images = placed([text], [ONE])
    assert (question, images) == ("How many?", (ONE,))


@pytest.mark.parametrize(("text", "images"), [("<image>", 0), ("<image><image>", 1), ("a <image> b", 2)])
def test_a_placeholder_without_its_image_is_refused(text: str, images: int) -> None:
    with pytest.raises(Reject, match="image placeholders"):
        placed([text], [ONE, TWO][:images])


@pytest.mark.parametrize("text", ["Is <image1> or <image2> larger?", "<image1>, <image1>"])
def test_numbers_of_figures_within_one_picture_are_words(text: str) -> None:
    assert asked([text], ONE) == (ONE, text)


@given(st.lists(st.sampled_from(["<image>", "a", " ", "\n", "<", "image>"]), max_size=12))
def test_no_word_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    content = asked([text], *[ONE] * text.count("<image>"))
    assert "".join(part for part in content if isinstance(part, str)).split() == text.replace("<image>", "").split()
    assert content.count(ONE) == text.count("<image>")


def test_a_reader_of_text_gets_words() -> None:
    example = Example(id="1", question="A:<image>", answer="A", choices=("<image>",), images=(ONE, TWO))
    assert (example.in_words().question, example.in_words().choices) == ("A:[image]", ("[image]",))
    assert Format(suffix="").prompt(example) == [Message.user("A:", ONE, "\n(A) ", TWO)]
