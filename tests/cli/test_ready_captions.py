"""Captions that no model makes, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt.errors import DataError, UsageError
from openvlt.records import StageRecord
from openvlt.report.live import _summary

Run = Callable[..., str]
COLUMN = ("--captioner", "ready", "--set", "captioner.column=left")


@pytest.fixture
def run(sums_in: Callable[[Path], Run], tmp_path: Path) -> Run:
    return sums_in(tmp_path)


def captioned(folder: Path, run: str) -> int:
    """Rows with a caption, as the record of a run has them."""
    stages = json.loads((folder / "home" / "runs" / run / "run.json").read_text())["stages"]
    (made,) = [stage for stage in stages if stage["stage_kind"] == "caption"]
    assert made["out"] == 60
    return int(made["counts"]["captioned"])


def test_the_teacher_reads_them_and_the_card_names_where_they_are_from(run: Run, tmp_path: Path) -> None:
    run("distill", "RECIPE", *COLUMN, "--name", "ready", "--out", tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text()
    assert "openvlt/ready" in card and "Look: 59 Then:" not in card
    assert "Look: " in card, "the teacher's prompt is shown"
    assert captioned(tmp_path, "ready") == 60


def test_rows_without_a_caption_are_counted_with_zero_shown(run: Run, tmp_path: Path) -> None:
    run("distill", "RECIPE", "--captioner", "ready", "--set", "captioner.column=right", "--name", "blind")
    assert captioned(tmp_path, "blind") == 0
    record = StageRecord(
        stage_kind="caption", name="c", iteration=1, fingerprint="f", taken=60, out=60, counts={"captioned": 0}
    )
    assert "captioned 0" in _summary(record)


def test_the_plan_shows_it_without_a_model(run: Run) -> None:
    (line,) = [line for line in run("train", "RECIPE", "--plan", *COLUMN).splitlines() if "caption-1" in line]
    assert "ready" in line and "instant" not in line


def test_what_cannot_be_is_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        run("distill", "RECIPE", "--captioner", "ready", "--set", "captioner.path=nowhere.csv")
    with pytest.raises(UsageError, match="the recipe asks no captioner"):
        run("distill", "RECIPE", *COLUMN, "--captioner-url", "http://host:1/v1")
    assert not (tmp_path / "home" / "stages").exists() or not any((tmp_path / "home" / "stages").iterdir())


def test_a_relative_path_is_the_recipes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("id,caption\n7,seven\n")
    text = (tmp_path / "sums.yaml").read_text()
    before, _, after = text.partition("captioner: ")
    recipe = f"{before}captioner: {{use: ready, path: captions.csv}}\n{after.partition(chr(10))[2]}"
    (tmp_path / "sums.yaml").write_text(recipe)
    run("distill", "RECIPE", "--name", "one")
    assert captioned(tmp_path, "one") == 1


def test_try_shows_each_caption_or_that_there_is_none(run: Run) -> None:
    spec = ("--source", "{use: sums, count: 2, pictures: 1}")
    assert "--- result\n1" in run("try", "captioner", "ready", *spec, "--set", "column=left")
    assert run("try", "captioner", "ready", *spec).count("--- result\nno caption") == 2
    taught = run(
        "try", "teacher", "chat", *spec, "--captioner", "{use: ready, column: left}",
        "--model", "{id: x, backend: instant}", "--set", "prompt=Look {caption} Then {question}",
    )  # fmt: skip
    assert "Look 1 Then" in taught
