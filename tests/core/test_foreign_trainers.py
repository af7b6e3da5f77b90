"""Trainers of other environments: what they are told, and that nothing of a training is lost when they die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from made import Bench, Heard

from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.records import Format
from openvlt.registry import Registry
from openvlt.stages.commands import command_output, last_error, run_command
from openvlt.stages.workspace import Output
from openvlt_plugins.foreign.weights import check_weights

pytestmark = pytest.mark.xdist_group("training")

ENGINE = Path(__file__).parents[1] / "engine"
SMALL = {
    "prompts": 4,
    "generations": 2,
    "batch": 4,
    "device_batch": 2,
    "steps": 6,
    "save_every": 2,
    "reward_workers": 1,
}
REWARDS = {"answer": 1.0, "format": 0.5}


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment of its own, which has the engine that stands for both."""
    folder = tmp_path_factory.mktemp("engine")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "engine.pth").write_text(f"{ENGINE}\n{sysconfig.get_path('purelib')}\n")
    (packages / "verl-0.9.0.dist-info").mkdir()
    (packages / "verl-0.9.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: verl\nVersion: 0.9.0\n")
    return folder / "bin" / "python"


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_ALLOW", "engine")


def trained(stages: Bench, engine: str, start: Path, python: Path, **options: Any) -> tuple[Output, Path]:
    return stages.train(stages.load(n=8), engine, start, REWARDS, python=str(python), **{**SMALL, **options})


def skill(model: Path) -> float:
    return float(json.loads((model / "skill.json").read_text())["skill"])


def metrics(made: Output) -> list[dict[str, float]]:
    return [json.loads(line) for line in (made.folder.path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["verl", "easyr1"])
def test_a_training_that_is_killed_goes_on_to_the_same_model(
    stages: Bench, vision_model: Path, python: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, model = trained(stages, engine, vision_model, python)
    expected, steps = skill(model), metrics(undisturbed)
    assert expected > 0
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5, 6]
    assert all(line["reward"] >= 0 and line["steps"] == 6 for line in steps)
    summary = json.loads((undisturbed.folder.path / "stage.json").read_bytes())
    assert summary["counts"]["answer/correct"] > 0
    assert summary["counts"].get("prompts dropped") == (1 if engine == "verl" else None)
    assert not (undisturbed.folder.path / "engine").exists()
    undisturbed.folder.path.rename(undisturbed.folder.path.with_name("undisturbed"))

    monkeypatch.setenv("FAKE_ENGINE", '{"at": 4, "how": "kill"}')
    with pytest.raises(
        OpenvltError, match=r"python was killed by signal 9 \(out of memory\?\); it printed last: filter"
    ):
        trained(stages, engine, vision_model, python)
    stages.workspace.progress = heard = Heard()
    made, model = trained(stages, engine, vision_model, python)
    assert "resuming from 2" in (made.folder.path / "engine.log").read_text()
    assert (skill(model), metrics(made)) == (expected, steps)
    assert (heard.total, heard.done, heard.notes) == (6, 6, [])
    assert trained(stages, engine, vision_model, python)[0].record.cached


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "at", "error", "message"),
    [
        (
            "raise",
            1,
            OpenvltError,
            r"python ended with code 1; it printed last: RuntimeError: CUDA out of memory in step 1\. See .*engine.log",
        ),
        ("leave", 1, OpenvltError, r"verl has ended without a checkpoint\. See .*engine\.log"),
        ("leave", 4, OpenvltError, r"verl has ended after step 2 of 6\. See .*engine\.log"),
        ("broken", 0, DataError, r"not the one it began with: it has an empty weight of shape \(0,\)"),
    ],
)
def test_an_engine_that_fails_says_so_itself(
    stages: Bench, vision_model: Path, python: Path, monkeypatch: pytest.MonkeyPatch,
    how: str, at: int, error: type[OpenvltError], message: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("FAKE_ENGINE", json.dumps({"at": at, "how": how}))
    with pytest.raises(error, match=message):
        trained(stages, "verl", vision_model, python)


class KillsTheTraining(Heard):
    """Kills our process that waits for the engine, once the engine has made a step."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home, self.killed = home, 0

    def advance(self, done: int, **counts: float) -> None:
        super().advance(done)
        for pid in () if self.killed else of_home(self.home, "train_worker"):  # none while the data is loaded
            self.killed = pid
            os.kill(pid, signal.SIGKILL)


def of_home(home: Path, word: str) -> list[int]:
    """Living processes whose command has a word and this home."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (path / "cmdline").read_bytes()
            alive = (path / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if alive and word.encode() in command and str(home).encode() in command:
                found.append(int(path.name))
    return found


@pytest.mark.slow
def test_nothing_outlives_a_training_that_is_killed(
    stages: Bench, vision_model: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ENGINE", '{"at": 3, "how": "hang"}')
    home = stages.workspace.home.root
    stages.workspace.progress = heard = KillsTheTraining(home)
    with pytest.raises(OpenvltError, match="was killed by signal 9"):
        trained(stages, "verl", vision_model, python)
    end = time.monotonic() + 600
    while (left := [*of_home(home, "main_ppo"), *of_home(home, "reward_worker")]) and time.monotonic() < end:
        time.sleep(0.1)
    assert heard.killed and not left
    monkeypatch.delenv("FAKE_ENGINE")
    stages.workspace.progress = Heard()
    made, _ = trained(stages, "verl", vision_model, python)
    assert [line["step"] for line in metrics(made)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_reward_that_compares_responses_is_refused_where_they_are_scored_alone(
    stages: Bench, vision_model: Path, python: Path
) -> None:
    rows = stages.load(n=8)
    with pytest.raises(UsageError, match="The verifiers length compare the responses to a question, and verl scores"):
        stages.train(rows, "verl", vision_model, {"answer": 1, "length": 1}, python=str(python), **SMALL)
    stages.train(rows, "easyr1", vision_model, {"answer": 1, "length": 1}, python=str(python), **SMALL)


def built(engine: str, **options: Any) -> Any:
    return Registry.discover().build("trainer", {"use": engine, **options}, format=Format()).component


@pytest.mark.parametrize("engine", ["verl", "easyr1"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 641}, "cannot divide 2560 responses"),
        ({"batch": 5, "generations": 4}, "cannot divide 2048 responses"),
        ({"freeze": ["vision"]}, "freezes vision tower and projector together"),
        ({"nodes": 2}, "cannot reach the reward server at 127.0.0.1"),
        ({"extra": {"trainer": {"nnodes": 2}}}, "extra sets trainer.nnodes, which nodes sets"),
        ({"extra": {"+trainer.nnodes": 2}}, r"extra sets \+trainer.nnodes, which nodes sets"),
        ({"extra": {"~trainer.nnodes": None}}, r"extra sets ~trainer.nnodes, which nodes sets"),
        ({"extra": {"trainer": {}}}, r"extra replaces all of trainer, and with it trainer\."),
        ({"extra": {"trainer": None}}, "extra replaces all of trainer"),
        ({"extra": {"trainer": {"logger": ["wandb"]}}}, "extra sets trainer.logger without file"),
        ({"extra": {"a b": 1}}, "extra sets 'a b', which is no key"),
        ({"extra": {"a": float("inf")}}, "cannot be given inf"),
        ({"extra": {"a": 'say "yes"'}}, "cannot be given"),
    ],
)
def test_options_that_cannot_be_handed_over_are_refused(engine: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        built(engine, python="python", **options)


@pytest.mark.parametrize("engine", ["verl", "easyr1"])
def test_a_program_that_cannot_be_run_is_refused_before_any_work(
    engine: str, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(engine, python=str(python)).check_machine()
    with pytest.raises(UsageError, match="'/no/python' is no program"):
        built(engine, python="/no/python").check_machine()
    with pytest.raises(UsageError, match=f"has no {engine} "):
        built(engine, python=sys.executable).check_machine()
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'SyntaxError: too old' >&2; exit 3\n")
    script.chmod(0o755)
    with pytest.raises(UsageError, match="cannot be used: SyntaxError: too old"):
        built(engine, python=str(script)).check_machine()
    with pytest.raises(UsageError, match="reads freeze_vision_tower nowhere"):
        built(engine, python=str(python), freeze=["vision", "projector"]).check_machine()
    with pytest.raises(UsageError, match="RAY_ADDRESS names no Ray cluster"):
        built(engine, python=str(python), nodes=2, host="10.0.0.1").check_machine()
    monkeypatch.delenv("OPENVLT_ALLOW")
    with pytest.raises(UsageError, match=f"runs {python}, a program outside openvlt. Allow it .*--allow engine"):
        built(engine, python=str(python)).check_machine()


@pytest.mark.parametrize(
    ("engine", "key"), [("verl", "trainer.resume_mode"), ("verl", "+reward.custom_reward_function.name"), ("easyr1", "data.answer_key")]
)  # fmt: skip
def test_a_key_without_which_nothing_works_is_refused(engine: str, key: str) -> None:
    with pytest.raises(UsageError, match="which openvlt decides"):
        built(engine, python="python", extra={key: "x"})


@pytest.mark.parametrize("engine", ["verl", "easyr1"])
def test_the_last_checkpoint_is_found_where_a_full_disk_left_its_tracker_empty(engine: str, tmp_path: Path) -> None:
    trainer = built(engine, python="python")
    tracker = tmp_path / trainer.TRACKER
    assert trainer.last_step(tmp_path) is None
    tracker.write_text("")
    assert trainer.last_step(tmp_path) is None
    assert not tracker.exists()  # the engine would stop at it
    for step in (2, 10):
        (tmp_path / f"global_step_{step}").mkdir()
    assert trainer.last_step(tmp_path) is None  # none is complete
    for damaged in ("", "{", "[]", "\xff"):
        tracker.write_text(damaged)
        assert trainer.last_step(tmp_path) == 10
        assert trainer.tracked(tracker.read_bytes()) == 10
    tracker.write_bytes(trainer.tracker(2))
    assert trainer.last_step(tmp_path) == 2  # the other was being written
    tracker.write_bytes(trainer.tracker(7))
    assert trainer.last_step(tmp_path) == 2


def test_a_program_may_be_named_in_any_way(python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(python.parent))
    monkeypatch.chdir(python.parent)
    script = tmp_path / "a 'python' $of ours"
    script.write_text(f'#!/bin/sh\necho activated\nexec {python} "$@"\n')
    script.chmod(0o755)
    (tmp_path / "away").mkdir()
    for name in ("python", "./python", "~/python", str(script)):
        built("verl", python=name).check_machine()
        log = tmp_path / "log"
        run_command([name, "-c", "print(7)"], tmp_path / "away", log, lambda: None, {})
        assert log.read_text().endswith("7\n")
    script.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(UsageError, match="does not run Python: it printed 'hello'"):
        built("verl", python=str(script)).check_machine()


@pytest.mark.parametrize("engine", ["verl", "easyr1"])
def test_an_older_release_is_refused_before_any_work(
    engine: str, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = built(engine, python=str(python))
    monkeypatch.setattr(type(trainer), "LEAST", (0, 10))
    with pytest.raises(UsageError, match=rf"The {engine} 0.9.0 of .* has other keys .* Install 0\.10 or later"):
        trainer.check_machine()


@pytest.mark.parametrize("size", [0, 7, 40, -1])
def test_weights_that_are_not_whole_are_refused(vision_model: Path, tmp_path: Path, size: int) -> None:
    content = (vision_model / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content)
    check_weights(tmp_path, vision_model)
    (tmp_path / "model.safetensors").write_bytes(content[:size])
    with pytest.raises(ValueError, match=r"model\.safetensors is not whole"):
        check_weights(tmp_path, vision_model)


def test_a_merger_that_is_not_there_is_refused_before_any_work(python: Path) -> None:
    with pytest.raises(UsageError, match=r"no script that merges EasyR1.s checkpoints at /no/merger\.py"):
        built("easyr1", python=str(python), merger="/no/merger.py").check_machine()


def test_a_foreign_program_sees_no_secret_and_not_our_environment(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    seen = command_output([str(python), "-c", "import os; print(sorted(os.environ))"])
    assert "SOME_TOKEN" not in seen
    assert "PYTHONPATH" not in seen
    assert "PATH" in seen


@pytest.mark.parametrize(
    ("printed", "error"),
    [
        ("", "it printed nothing"),
        ("one\n\ntwo\n", "two"),
        ("Traceback\nValueError: bad\nmore\n", "ValueError: bad"),
        ("\x1b[36m(TaskRunner pid=12, ip=1.2.3.4)\x1b[0m ray.exceptions.RayTaskError(X): y\n", "ray.exceptions.RayTaskError(X): y"),
        ("(WorkerDict pid=7) torch.OutOfMemoryError: CUDA\n(raylet) bye", "torch.OutOfMemoryError: CUDA"),
    ],
)  # fmt: skip
def test_the_last_error_of_a_program_is_found(printed: str, error: str) -> None:
    assert last_error(printed) == error
