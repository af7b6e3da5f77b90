"""What ``--model`` may name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openvlt.bench.models import find_model
from openvlt.errors import UsageError
from openvlt.records import Format, Run, RunStatus, StageRecord
from openvlt.registry import Registry
from openvlt.store import Home, write_run


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a run that has trained two models, runs that have trained none, and the result of a benchmark."""
    home = Home(tmp_path)
    stages = []
    for name in ("sft-1", "grpo-1"):
        folder = home.stages / name
        (folder / "model").mkdir(parents=True)
        (folder / "stage.json").write_text(json.dumps({"model": "model", "digest": "0"}))
        stages.append(
            StageRecord(stage_kind="train", name=name, iteration=1, fingerprint=name, folder=f"stages/{name}")
        )
    recipe = {"base": {"id": "tiny-vl", "dtype": "float32"}, "format": {"suffix": "\nThink.", "answer": "final"}}
    runs: list[tuple[str, RunStatus, tuple[StageRecord, ...]]] = [
        ("first", "done", tuple(stages)), ("empty", "failed", ()), ("bench-only", "done", ())
    ]  # fmt: skip
    for name, status, made in runs:
        write_run(home, Run(name=name, recipe="quickstart", status=status, stages=made))
        (home.runs / name / "recipe.json").write_text(json.dumps(recipe))
    write_run(home, Run(name="made-first-grpo-1-0", recipe="bench", status="done"))
    (home.runs / "made-first-grpo-1-0" / "result.json").write_text("{}")
    return home


def test_a_model_of_a_run_has_the_runs_format(home: Home) -> None:
    asked = find_model(home, Registry.discover(), "run:first/sft-1", None, (), None)
    assert (asked.model.id, asked.model.dtype) == (str(home.stages / "sft-1" / "model"), "float32")
    assert asked.format == Format(suffix="\nThink.", answer="final") and asked.trained


def test_a_run_without_a_stage_is_its_last_model(home: Home) -> None:
    assert find_model(home, Registry.discover(), "run:first", None, (), None).model.id == str(
        home.stages / "grpo-1" / "model"
    )


def test_the_base_of_a_run_was_never_trained_in_its_format(home: Home) -> None:
    asked = find_model(home, Registry.discover(), "run:first/base", "hf", (), None)
    assert (asked.model.id, asked.model.backend, asked.trained) == ("tiny-vl", "hf", False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run:first/sft-2", "has no model 'sft-2'. Did you mean 'sft-1'?"),
        ("run:empty/sft-1", "has trained no model yet. Resume the run, or name run:empty/base."),
        ("run:bench-only/sft-1", "is done, and no stage of it trains a model. Name run:bench-only/base."),
        ("run:made-first-grpo-1-0/base", "is the result of a benchmark and has no models."),
        ("run:frist", "frist"),
        ("nowhere", "neither a folder nor a hub id"),
        ("/nowhere/at/all", "neither a folder nor a hub id"),
    ],
)
def test_what_leads_nowhere_is_said(home: Home, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        find_model(home, Registry.discover(), name, None, (), None)


def test_a_model_of_a_run_is_served_by_no_endpoint(home: Home) -> None:
    with pytest.raises(UsageError, match="--url has no effect with the model 'run:first/sft-1'"):
        find_model(home, Registry.discover(), "run:first/sft-1", None, ("http://host/v1",), None)


def test_a_folder_without_a_model(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        find_model(home, Registry.discover(), str(tmp_path), None, (), None)


def test_hub_ids_and_served_ids_are_taken_as_they_are(home: Home) -> None:
    assert find_model(home, Registry.discover(), "org/model", None, (), None).model.id == "org/model"
    served = find_model(home, Registry.discover(), "anything", None, ("http://host/v1",), True)
    assert (served.model.url, served.trained) == (("http://host/v1",), True)
