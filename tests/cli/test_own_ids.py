"""A backend answers for ids of its own: no model of it needs to be a folder or on the hub, whatever it is there for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openvlt.__main__ import run

PLUGIN = """
from contextlib import contextmanager
from dataclasses import dataclass

from openvlt import Backend, Completion, Example, Image, Source, UsageError, hookimpl


class Engine:
    def generate(self, requests, sampling):
        said = "<think>I see.</think><answer>1</answer>"
        return [[Completion(text=said, prompt_tokens=1, completion_tokens=1) for _ in each.samples] for each in requests]


@dataclass(frozen=True)
class Service(Backend):
    deterministic = True
    says: str = ""

    def knows(self, model):
        if self.says == "text":
            return "yes"
        if self.says == "fails":
            return {}["model"]
        if model.id.startswith("s-") and model.id != "s-70b: one":
            raise UsageError(f"The service has no model '{model.id}'.", "Choose 's-70b: one'.")
        return model.id.startswith("s-")

    @contextmanager
    def open(self, model, read):
        yield Engine()


@dataclass(frozen=True)
class One(Source):
    path: str = ""

    def examples(self, split):
        yield Example(id="1", question="How many?", answer="1", images=(Image.file(self.path),))


@hookimpl
def register_backends(register):
    register("service", Service, summary="a service")


@hookimpl
def register_sources(register):
    register("one", One, summary="a row")
"""
OWN = "{{id: '{id}', backend: {backend}}}"
RECIPE = """
name: own-ids
base: MODEL
captioner: {use: qwen-vl, model: MODEL}
verifiers: {judged: {use: judge, model: MODEL}}
rewards: {judged: 1.0}
traces:
  data: {source: {use: one, path: PICTURE}}
  teacher: {use: r1-distill, model: MODEL}
  select: []
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from PIL import Image

    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    file = tmp_path / "service.py"
    file.write_text(PLUGIN)
    return file


def recipe(folder: Path, id: str, backend: str) -> Path:
    file = folder / "own.yaml"
    text = RECIPE.replace("MODEL", OWN.format(id=id, backend=backend)).replace("PICTURE", str(folder / "a.png"))
    file.write_text(text)
    return file


def test_every_role_is_carried_out(plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--plugin", str(plugin), "distill", str(recipe(tmp_path, "s-70b: one", "service"))]
    assert run([*told, "--plan"]) == 0
    assert "GB" not in capsys.readouterr().out, "its name says nothing of this machine's memory"
    assert run(told) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("id", "backend", "code", "message"),
    [
        ("s-71b", "service", 2, "The service has no model 's-71b'. Choose 's-70b: one'."),
        ("another: one", "service", 2, "neither a folder nor the id of a model on the hub"),
        ("s-70b: one", "{use: service, says: text}", 3, "failed in knows: it returned str, not True or False"),
        ("s-70b: one", "{use: service, says: fails}", 3, "failed in knows: KeyError: 'model' (service.py:"),
    ],
)
def test_a_wrong_id_or_answer_is_refused_before_any_work(
    plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], id: str, backend: str, code: int, message: str
) -> None:
    told = ["--plugin", str(plugin)]
    assert run([*told, "distill", str(recipe(tmp_path, id, backend))]) == code
    assert message in capsys.readouterr().err
    (tmp_path / "test.jsonl").write_text("")
    assert run([*told, "bench", "mathvision", "--data", "test.jsonl", "--model", id, "--backend", backend]) == code
    assert message.replace("the id of a model on the hub", "a hub id") in capsys.readouterr().err


def test_a_benchmark_asks_it(plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"image": "a.png", "options": [], "level": 1, "subject": "counting", "id": "1", "question": "How many?"}
    (tmp_path / "test.jsonl").write_text(json.dumps({**row, "answer": "1"}))
    told = ["--plugin", str(plugin), "bench", "mathvision", "--data", str(tmp_path / "test.jsonl"), "--json"]
    assert run([*told, "--model", "s-70b: one", "--backend", "service", "--trained"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["strict"]["correct"] == 1


def test_what_is_trained_needs_its_files(plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = recipe(tmp_path, "s-70b: one", "service")
    file.write_text(file.read_text() + "train: {sft: {trainer: sft}}\n")
    assert run(["--plugin", str(plugin), "train", str(file)]) == 2
    assert "The base runs 's-70b: one', which is neither" in capsys.readouterr().err
