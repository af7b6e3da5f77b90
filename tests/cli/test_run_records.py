"""What a run tells of itself: events as it goes, the releases it used, and its recipe with ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openvlt.cli import cli

LISTENER = """
from openvlt import hookimpl

def note(text):
    with open({path!r}, "a") as file:
        file.write(text + "\\n")

@hookimpl
def on_stage_start(run, stage):
    note(f"start {{stage.name}}")

@hookimpl
def on_stage_end(run, stage):
    note(f"end {{stage.name}}")

@hookimpl
def on_run_end(run):
    note(f"run {{run.status}} {{len(run.scores)}} {{sorted(run.releases)}}")
"""


@pytest.fixture
def run(tmp_path: Path, fake_plugin: Path, fake_model: Path) -> Any:
    listener = tmp_path / "listener.py"
    listener.write_text(LISTENER.format(path=str(tmp_path / "events")))
    (tmp_path / "loop.yaml").write_text(
        f"name: loop\nbase: {{id: {fake_model}, backend: fake}}\nrewards: {{answer: 1.0}}\n"
        f"captioner: {{use: qwen-vl, model: {{id: base, backend: fake}}, prompt: Describe the image.}}\n"
        "facts: {mine: pass_rate}\n"
        "traces:\n  data: {source: {use: made, n: 4}, filters: [dedup]}\n"
        "  teacher: {use: tutor, model: {id: base, backend: fake}}\n  select: []\n"
        "train: {sft: {trainer: {use: copy-sft, steps: 1}, data: traces}}\n"
    )
    runner = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home"), "COLUMNS": "200"})

    def openvlt(*words: str) -> str:
        result = runner.invoke(cli, ["--plugin", str(fake_plugin), "--plugin", str(listener), *words])
        assert result.exit_code == 0, result.output + str(result.exception)
        return result.stdout

    return openvlt


def events(folder: Path) -> list[str]:
    lines = (folder / "events").read_text().splitlines()
    (folder / "events").unlink()
    return lines


def test_a_run_keeps_its_releases_and_ids_and_tells_what_begins_and_ends(run: Any, tmp_path: Path) -> None:
    run("distill", str(tmp_path / "loop.yaml"), "--out", str(tmp_path / "data"))
    told = events(tmp_path)
    names = ["load-1", "filter-1", "caption-1", "distill-1", "verify-1", "select-1"]
    assert told[:-1] == [f"{what} {name}" for name in names for what in ("start", "end")]
    assert told[-1] == "run done 0 ['file:openvlt_fake', 'openvlt']"
    folder = tmp_path / "home" / "runs" / "loop-distill"
    releases = json.loads((folder / "run.json").read_text())["releases"]
    assert releases["file:openvlt_fake"].startswith("sha256:") and releases["openvlt"][0].isdigit()
    kept = json.loads((folder / "recipe.json").read_text())
    (iteration,) = kept["iterations"]
    traces = iteration["traces"]
    assert kept["captioner"]["use"] == "openvlt/qwen-vl" and kept["facts"]["mine"]["use"] == "openvlt/pass_rate"
    assert kept["verifiers"] == {"answer": {"use": "openvlt/answer"}}
    assert traces["data"]["source"] == {"use": "file:openvlt_fake/made", "n": 4}
    assert [each["use"] for each in traces["data"]["filters"]] == ["openvlt/dedup"]
    assert traces["teacher"]["use"] == "file:openvlt_fake/tutor"
    assert iteration["train"]["sft"]["trainer"]["use"] == "file:openvlt_fake/copy-sft"
    backends = [kept["base"]["backend"], kept["captioner"]["model"]["backend"], traces["teacher"]["model"]["backend"]]
    assert backends == ["file:openvlt_fake/fake"] * 3, "also within options"


def test_a_run_that_was_kept_with_bare_names_is_still_the_same_run(run: Any, tmp_path: Path) -> None:
    run("distill", str(tmp_path / "loop.yaml"), "--out", str(tmp_path / "data"))
    recipe = tmp_path / "home" / "runs" / "loop-distill" / "recipe.json"
    kept = json.loads(recipe.read_text().replace("file:openvlt_fake/", "").replace("openvlt/", ""))
    del kept["verifiers"]["answer"]
    recipe.write_text(json.dumps(kept))
    run("distill", str(tmp_path / "loop.yaml"), "--out", str(tmp_path / "other"))
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir() if path.is_dir()] == ["loop-distill"]


def test_a_benchmark_tells_its_stages_and_its_end(run: Any, tmp_path: Path, fake_model: Path) -> None:
    (fake_model / "config.json").write_text("{}")
    result = json.loads(run("bench", "made", "--model", str(fake_model), "--backend", "fake", "--json"))
    told = events(tmp_path)
    assert [line for line in told if line.startswith("end")] and told[-1].startswith("run done 1 ")
    assert set(result["releases"]) == {"openvlt", "file:openvlt_fake"}
