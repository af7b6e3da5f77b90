"""A question may follow earlier turns of a conversation, wherever it is asked, shown or compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openvlt import DataError, Drop, Example, Format, Image, Keep, Message, Reject, Turn
from openvlt.errors import WrongResult
from openvlt.integrations.exports import export_easyr1
from openvlt.records import Row
from openvlt.registry import Registry
from openvlt.results import check_example
from openvlt.store import decode, digest, encode
from openvlt_plugins.example_filters.sampling import Dedup

RED, BLUE = Image("a" * 64, 8, 8), Image("b" * 64, 8, 8)
ALONE = Example(id="1", question="And now?", answer="blue", images=(RED, BLUE))
ASKED = replace(ALONE, history=(Turn("user", "Which colour?"), Turn("assistant", "Red.")))


def test_the_policy_is_asked_after_the_turns_before() -> None:
    first, reply, last = Format(system="").prompt(ASKED)
    assert first == Message.user(RED, BLUE, "Which colour?") and reply == Message.assistant("Red.")
    assert last.role == "user" and str(last.content[0]).startswith("And now?")


def test_images_have_their_places_in_all_turns() -> None:
    history = (Turn("user", "<image>Which colour?"), Turn("assistant", "Red."))
    first, _, last = Format(system="", suffix="").prompt(replace(ASKED, history=history, question="And <image>?"))
    assert first.content == (RED, "Which colour?") and last.content == ("And ", BLUE, "?")
    words = replace(ASKED, history=history, question="And <image>?").in_words()
    assert words.history[0].text == "[image]Which colour?" and words.question == "And [image]?"


@pytest.mark.parametrize("name", ["chat", "r1-distill"])
def test_teachers_read_the_turns_before(name: str) -> None:
    spec = {"use": name, **({"model": "org/model"} if name == "chat" else {})}
    teacher = Registry.discover().build("teacher", spec).component
    roles = [turn.role for turn in teacher.messages(ASKED.in_words(), "two squares")]  # type: ignore[attr-defined]
    assert roles[-3:] == ["user", "assistant", "user"]


def test_without_turns_before_nothing_changes() -> None:
    assert digest(ALONE) == digest({key: value for key, value in json.loads(encode(ALONE)).items() if key != "history"})
    assert decode(Example, encode(ASKED)) == ASKED
    assert ALONE.full_question == ALONE.question != ASKED.full_question


def test_the_same_question_after_other_turns_is_another_one() -> None:
    decided = list(Dedup().decide([ALONE, ASKED, replace(ASKED, id="3")], {}))
    assert decided == [Keep(ALONE), Keep(ASKED), (replace(ASKED, id="3"), Drop("duplicate"))]


@pytest.mark.parametrize(
    "history",
    [(Turn("user", 7),), (Turn("system", "x"),), (("user", "a"),), "hello", [Turn("user", "a")], (None,)],  # type: ignore[arg-type]
)
def test_what_is_no_history_is_a_fault_of_the_source(history: Any) -> None:
    with pytest.raises(WrongResult, match=r"history|turn"):
        check_example(replace(ALONE, history=history))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_turn_that_cannot_be_stored_rejects_its_row(text: str) -> None:
    with pytest.raises(Reject, match="turn contains"):
        check_example(replace(ALONE, history=(Turn("user", text),)))


def test_easyr1_cannot_be_given_a_conversation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="turns before its question"):
        export_easyr1([Row(example=ASKED)], Format(), lambda image: b"", tmp_path, "questions")  # type: ignore[arg-type]
