"""A home with a finished run and a finished benchmark, for the tests that damage one or bring their own files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from entrance import write_report

from openvlt import __main__ as main
from openvlt.pipeline import model_checks

FAKE = Path(__file__).parents[1] / "plugins" / "fake" / "openvlt_fake.py"
RECIPE = """
name: sums
base: {{id: {base}, backend: fake}}
captioner: {{use: qwen-vl, model: {{id: base, backend: fake}}, prompt: Describe the image.}}
traces:
  data: {{source: {{use: made, n: 6}}}}
  teacher: {{use: tutor, model: {{id: base, backend: fake}}}}
  select: [correct]
train: {{sft: {{trainer: {{use: copy-sft}}}}}}
bench: [{{use: made, n: 6}}]
rewards: {{answer: 1.0}}
reject_above: 1.0
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks the hub, or another fixture's home."""
    monkeypatch.setattr(model_checks, "reachable", lambda: False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, its home with a finished run, and a file of responses."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "base").mkdir()
    (folder / "base" / "skill.json").write_text('{"skill": 0.5}')
    (folder / "sums.yaml").write_text(RECIPE.format(base=folder / "base"))
    answers = [{"id": f"test/{index}", "response": f"<answer>{index}</answer>"} for index in range(6)]
    (folder / "responses.jsonl").write_text("".join(json.dumps(each) + "\n" for each in answers))
    before = dict(os.environ)
    os.environ["OPENVLT_HOME"] = str(folder / "home")
    try:
        assert main.run(["--plugin", str(FAKE), "train", str(folder / "sums.yaml")]) == 0
        assert main.run(["--plugin", str(FAKE), "bench", "made", "--responses", str(folder / "responses.jsonl")]) == 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    return folder


@pytest.fixture
def home(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished home, the working folder of the test beside it."""
    copy = Path(shutil.copytree(finished / "home", tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OPENVLT_HOME", str(copy))
    return copy


@pytest.fixture
def fake() -> tuple[str, str]:
    """The options that load the plugin of made sums."""
    return ("--plugin", str(FAKE))


def pytest_sessionfinish() -> None:
    write_report()
