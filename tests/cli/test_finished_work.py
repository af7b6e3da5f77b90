"""No record of finished work is lost, whenever a run ends; and ``openvlt runs prune`` takes nothing a run has or had."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt.errors import UsageError
from openvlt.store import Home, StageFolder, claimed_run

pytestmark = pytest.mark.xdist_group("distill")
Command = Callable[..., str]
STAGES = ["load-1", "caption-1", "distill-1", "verify-1", "select-1"]


@pytest.fixture
def openvlt(sums_in: Callable[[Path], Command], tmp_path: Path) -> Command:
    return sums_in(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def runs(openvlt: Command) -> dict[str, Any]:
    return {run["name"]: run for run in json.loads(openvlt("runs", "--json"))}


def names(run: dict[str, Any]) -> list[str]:
    return [stage["name"] for stage in run["stages"]]


def outputs(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.glob("stages/*/*.jsonl")}


def dies(openvlt: Command, at: int) -> bool:
    """Carry out the recipe in a child that is killed as it syncs for the time `at`; False if it was done before."""
    child = os.fork()
    if child == 0:
        synced, sync = [0], os.fsync

        def counted(file: int) -> None:
            synced[0] += 1
            if synced[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            sync(file)

        os.fsync = counted
        code = 1
        try:
            openvlt("distill", "RECIPE")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


@pytest.mark.slow
def test_a_run_killed_at_its_writes_only_gains_and_ends_as_an_undisturbed_one(
    sums_in: Callable[[Path], Command], tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    openvlt, home, before, at = sums_in(tmp_path / "killed"), tmp_path / "killed" / "home", set[str](), 1
    while dies(openvlt, at):
        at += 3
        found = runs(openvlt).get("sums-distill")
        now = set(names(found)) if found else set()
        assert found is None or found["status"] == "interrupted" or (found["status"], now) == ("done", set(STAGES))
        assert before <= now, f"killed at {at}: {before - now} is lost"
        before = now
        openvlt("runs", "prune", "--yes")
        assert all(StageFolder(home / stage["folder"]).summary() for stage in (found or {"stages": ()})["stages"])
    assert at > 10
    sums_in(tmp_path / "whole")("distill", "RECIPE")
    assert outputs(home) == outputs(tmp_path / "whole" / "home")
    assert (runs(openvlt)["sums-distill"]["status"], names(runs(openvlt)["sums-distill"])) == ("done", STAGES)


@pytest.mark.slow
def test_a_finished_run_killed_at_the_writes_of_a_second_time_stays_finished(openvlt: Command, home: Path) -> None:
    openvlt("distill", "RECIPE")
    record, whole, at = (home / "runs" / "sums-distill" / "run.json"), outputs(home), 1
    finished = record.read_bytes()
    for path in home.glob("stages/*/stage.json"):
        path.unlink()
    while dies(openvlt, at):
        at += 3
        assert record.read_bytes() == finished
        openvlt("runs", "prune", "--yes")
    assert at > 10
    assert outputs(home) == whole
    assert "are unchanged" in openvlt("runs", "verify", "sums-distill")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_second_time_that_stops_early_leaves_the_finished_record_and_its_stages(
    openvlt: Command, home: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    from openvlt.pipeline import trace_stages

    openvlt("distill", "RECIPE")
    finished, whole = runs(openvlt)["sums-distill"], outputs(home)

    def stop(*_: object, **__: object) -> None:
        assert runs(openvlt)["sums-distill"] == {**finished, "running_again": True}
        assert "done, running again" in openvlt("runs", "show", "sums-distill")
        openvlt("runs", "verify", "sums-distill")
        assert "nothing" in openvlt("runs", "prune", "--yes")
        raise error

    monkeypatch.setattr(trace_stages, "distill", stop)
    with pytest.raises((error, SystemExit)):
        openvlt("distill", "RECIPE")
    assert runs(openvlt)["sums-distill"] == finished
    assert "nothing" in openvlt("runs", "prune", "--yes")
    assert outputs(home) == whole


def test_an_unfinished_run_keeps_the_stages_that_a_new_attempt_has_not_reached(
    openvlt: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openvlt.pipeline import data_stages, trace_stages

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for module, function, left in ((trace_stages, "select", 4), (data_stages, "load", 4), (trace_stages, "verify", 4)):
        with monkeypatch.context() as patched:
            patched.setattr(module, function, stop)
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                openvlt("distill", "RECIPE")
        run = runs(openvlt)["sums-distill"]
        assert (run["status"], names(run)) == ("interrupted", STAGES[:left])
        assert "nothing" in openvlt("runs", "prune", "--yes")
    openvlt("distill", "RECIPE")
    assert names(runs(openvlt)["sums-distill"]) == STAGES


def test_a_name_of_another_recipe_is_refused_before_anything_is_overwritten(openvlt: Command, home: Path) -> None:
    openvlt("distill", "RECIPE", "--name", "mine")
    before = {path: path.read_bytes() for path in (home / "runs" / "mine").rglob("*") if path.is_file()}
    for changed in (["--set", "traces.teacher.k=4"], ["--until", "verify"]):
        with pytest.raises(UsageError, match="The run 'mine' is of another recipe or has other settings"):
            openvlt("distill", "RECIPE", "--name", "mine", *changed)
        assert before == {path: path.read_bytes() for path in before}
    openvlt("distill", "RECIPE", "--name", "mine")


def test_a_run_at_work_is_neither_run_again_nor_removed(openvlt: Command, home: Path) -> None:
    openvlt("distill", "RECIPE")
    recipe = home / "runs" / "sums-distill" / "recipe.json"
    before = recipe.read_bytes(), recipe.stat().st_mtime_ns
    with claimed_run(Home(home), "sums-distill"):
        for words in (["distill", "RECIPE"], ["runs", "remove", "sums-distill"]):
            with pytest.raises(UsageError, match="Another process is working on the same run"):
                openvlt(*words)
    assert before == (recipe.read_bytes(), recipe.stat().st_mtime_ns)


def test_while_a_run_is_at_work_nothing_that_may_be_its_is_freed(openvlt: Command, home: Path) -> None:
    openvlt("distill", "RECIPE")
    (home / "stages" / "unfinished").mkdir()
    openvlt("runs", "remove", "sums-distill")
    with claimed_run(Home(home), "another"):
        shown = openvlt("runs", "prune")
        assert "stage         5" in shown and "values" not in shown and "image" not in shown
    assert "values" in openvlt("runs", "prune") and "stage         6" in openvlt("runs", "prune")
    openvlt("runs", "prune", "--yes")
    assert not [path for path in (home / "stages").iterdir() if path.is_dir()]


def test_an_interrupted_second_time_with_another_model_keeps_its_values(
    openvlt: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openvlt.stages import map as map_stages

    openvlt("distill", "RECIPE")
    (tmp_path / "model" / "config.json").write_text('{"other": 1}')

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(map_stages, "_write", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            openvlt("distill", "RECIPE")
    assert runs(openvlt)["sums-distill"]["status"] == "done"
    before = {path: path.stat().st_size for path in home.glob("values/*/*.jsonl")}
    assert "nothing" in openvlt("runs", "prune", "--yes")
    assert before == {path: path.stat().st_size for path in home.glob("values/*/*.jsonl")}
