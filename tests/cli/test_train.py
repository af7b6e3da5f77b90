"""``openvlt train`` as a user has it: a process, a recipe, and whatever may go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Train = Callable[..., "subprocess.CompletedProcess[str]"]

RECIPE = """\
name: small
base: {{id: {base}, backend: fake}}
captioner: {{use: qwen-vl, model: {{id: base}}, prompt: Describe the image.}}
traces:
  data:
    source: {{use: made, n: 20}}
  teacher: {{use: tutor, model: {{id: {base}, backend: fake}}}}
  select: [correct]
train:
  sft:
    trainer: {{use: copy-sft, steps: 2}}
  grpo:
    data: {{source: {{use: made, n: 16}}}}
    trainer: {{use: copy-grpo, steps: 2}}
rewards: {{answer: 1.0, format: 0.1}}
iterations:
  - {{}}
  - traces: {{teacher: policy}}
bench: made
"""
STAGES = [
    "load-made", "bench-made-blind", "score-made-blind", "bench-made-base", "score-made-base",
    "load-1", "caption-1", "distill-1", "verify-1", "select-1", "sft-1", "bench-made-sft-1", "score-made-sft-1",
    "load-grpo-1", "grpo-1", "bench-made-grpo-1", "score-made-grpo-1",
    "load-2", "distill-2", "verify-2", "select-2", "sft-2", "bench-made-sft-2", "score-made-sft-2",
    "load-grpo-2", "grpo-2", "bench-made-grpo-2", "score-made-grpo-2",
]  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path, fake_model: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE.format(base=fake_model))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def started(fake_plugin: Path, home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start ``openvlt`` with the plugin of made sums; ``told`` is what is to go wrong."""

    def start(*words: str | Path, told: dict[str, Any] | None = None, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "openvlt", "--plugin", str(fake_plugin), *map(str, words)]
        added = {"OPENVLT_HOME": str(home), "OPENVLT_FAKE": json.dumps(told or {}), "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            command, env=os.environ | added | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    return start


@pytest.fixture
def openvlt(started: Callable[..., subprocess.Popen[str]]) -> Train:
    def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        process = started(*words, **options)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def runs(openvlt: Train) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(openvlt("runs", "--json").stdout)
    return found


def stages(home: Path) -> list[Path]:
    return list((home / "stages").iterdir()) if (home / "stages").exists() else []


def test_the_loop_runs_once_and_is_reused_the_second_time(openvlt: Train, recipe: Path, home: Path) -> None:
    first = openvlt("train", recipe)
    assert first.returncode == 0, first.stderr
    (run,) = runs(openvlt)
    assert (run["name"], run["recipe"], run["status"]) == ("small", "small", "done")
    assert [stage["name"] for stage in run["stages"]] == STAGES
    wanted = {"stage_kind", "iteration", "fingerprint", "cached", "seconds", "in", "out", "rejected"}
    assert all(wanted <= stage.keys() for stage in run["stages"])
    wanted = {"stage", "benchmark", "accuracy", "correct", "n", "ci95", "breakdown", "unparsed"}
    assert all(wanted <= score.keys() for score in run["scores"])
    assert [score["stage"] for score in run["scores"]] == ["blind", "base", "sft-1", "grpo-1", "sft-2", "grpo-2"]
    assert {score["n"] for score in run["scores"]} == {12}
    assert set(run["scores"][1]["breakdown"]["category"]) == {"small", "large"}
    assert run["scores"][-1]["accuracy"] > run["scores"][1]["accuracy"]
    for line in (f"model   {run['model']}", f"run     {home / 'runs' / 'small' / 'run.json'}", "grpo-2 against base: "):
        assert line in first.stdout
    traces = [line.split()[1] for line in first.stdout.splitlines() if line.startswith("traces")]
    assert [Path(path).is_file() for path in traces] == [True, True]
    assert json.loads((Path(run["model"]) / "skill.json").read_text()) == {"skill": 0.95}
    assert "grpo-2" in first.stderr
    assert "\x1b" not in first.stdout + first.stderr

    second = openvlt("train", recipe, told={"down": 1.0, "trainer": "crash"})
    assert second.returncode == 0, second.stderr
    (again,) = runs(openvlt)
    assert all(stage["cached"] for stage in again["stages"])
    assert [stage["fingerprint"] for stage in again["stages"]] == [stage["fingerprint"] for stage in run["stages"]]
    assert [score["accuracy"] for score in again["scores"]] == [score["accuracy"] for score in run["scores"]]

    shown = openvlt("runs", "show", "small")
    assert all(name in shown.stdout for name in ("select-2", "grpo-2", "done"))
    plan = openvlt("train", recipe, "--plan")
    assert plan.stdout.count("done") == len(STAGES)


def test_a_plan_runs_nothing(openvlt: Train, recipe: Path, home: Path) -> None:
    plan = openvlt("train", recipe, "--plan")
    assert plan.returncode == 0, plan.stderr
    for name in ("bench-made-base", "distill-1", "sft-1", "grpo-2"):
        assert name in plan.stdout
    assert "done" not in plan.stdout
    refused = openvlt("train", recipe, "--plan", "--base", "/no/such/folder")
    assert refused.returncode == 0 and "This plan cannot be carried out here: The base runs '/no/" in refused.stderr
    assert stages(home) == []
    assert runs(openvlt) == []
    assert not list((home / "runs").iterdir())


def test_a_changed_recipe_pays_only_for_the_change_and_keeps_the_old_record(openvlt: Train, recipe: Path) -> None:
    one = ["train", recipe, "--iterations", "1"]
    assert openvlt(*one).returncode == 0
    assert openvlt(*one, "--set", "train.sft.skill=0.6").returncode == 0
    changed, first = runs(openvlt)
    assert first["name"] == "small"
    assert changed["name"].startswith("small-")
    computed = [stage["name"] for stage in changed["stages"] if not stage["cached"]]
    assert computed == ["sft-1", "bench-made-sft-1", "score-made-sft-1", "grpo-1"]


def test_a_teacher_that_cannot_run_here_is_refused_in_two_sentences(openvlt: Train, recipe: Path, home: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have the GPU it needs")
    refused = openvlt("train", recipe, "--teacher", "r1-distill")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == (
        "Error: The teacher r1-distill runs deepseek-ai/DeepSeek-R1-Distill-Qwen-14B, which needs about 34 GB of GPU "
        "memory, and this machine has no GPU. Use a smaller model (--set "
        "iterations.0.traces.teacher.model=HUB_ID), one that is served (--teacher-url http://HOST:8000/v1), or look at the whole plan first (--plan).\n"
    )
    assert stages(home) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["quikstart"], 2, "There is no recipe 'quikstart'. Did you mean 'quickstart'?"),
        (["{recipe}", "--teacher", "tutr"], 3, "There is no teacher 'tutr'. Did you mean 'tutor'?"),
        (["{recipe}", "--source", "mad"], 3, "There is no source 'mad'. Did you mean 'made'?"),
        (["{recipe}", "--set", "train.sft.stepz=2"], 2, "The trainer 'copy-sft' has no option 'stepz'. Did you mean 'steps'?"),
        (["{recipe}", "--set", "rewards.anwser=1"], 3, "There is no verifier 'anwser'. Did you mean 'answer'?"),
        (["{recipe}", "--set", "sede=2"], 2, "--set sede=2: there is no key 'sede'. Did you mean 'seed'?"),
        (["{recipe}", "--base", "/no/such/folder"], 2, "The base runs '/no/such/folder', which is neither a folder nor"),
        (["{recipe}", "--set", "train.grpo.trainer={use: grpo, prompts: 17, generations: 2, batch: 34}"], 2,
         "Stage grpo-1 has 16 prompts to learn from, fewer than one batch (17)."),
        (["{recipe}", "--teacher-url", "localhost:8000/v1"], 2, "The teacher has a URL that is not a plain address: localhost:8000/v1"),
        (["{recipe}", "--captioner-url", "http://me:secret@host/v1"], 2, "The captioner has a URL that is not a plain address: host/v1"),
        (["{recipe}", "--iterations", "0"], 2, "0 is not in the range x>=1"),
        (["{recipe}", "--techer", "x"], 2, "No such option '--techer'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_any_work(
    openvlt: Train, recipe: Path, home: Path, words: list[str], code: int, message: str
) -> None:
    refused = openvlt("train", *(word.format(recipe=recipe) if "{recipe}" in word else word for word in words))
    assert (refused.returncode, refused.stdout) == (code, "")
    assert message in refused.stderr.replace("\n", " ")
    assert "Traceback" not in refused.stderr
    assert stages(home) == []


def test_no_trace_left_says_which_filter_took_how_many(openvlt: Train, recipe: Path) -> None:
    words = ["--set", "traces.select=[{use: max-words, limit: 1}]", "--iterations", "1"]
    failed = openvlt("train", recipe, *words)
    assert failed.returncode == 4
    assert (
        "Stage select-1: the filters keep no trace of 20 examples (max-words: every trace has more than 1 words: 20)."
        in (failed.stderr)
    )
    (run,) = runs(openvlt)
    assert run["status"] == "failed"
    assert run["stages"][-1]["name"] == "verify-1"


def test_an_endpoint_that_is_down_costs_only_what_it_did_not_answer(openvlt: Train, recipe: Path) -> None:
    words = ["train", recipe, "--iterations", "1"]
    failed = openvlt(*words, told={"down": 0.2})
    assert failed.returncode == 5
    assert "Run the same command again" in failed.stderr
    assert openvlt(*words).returncode == 0
    (run,) = runs(openvlt)
    assert run["status"] == "done"


def test_a_model_without_some_replies_is_scored_as_a_range_and_the_run_goes_on(openvlt: Train, recipe: Path) -> None:
    words = ["train", recipe, "--iterations", "1", "--set", "reject_above=0.9", "--set", "bench={use: made, n: 40}"]
    done = openvlt(*words, told={"over_long": 0.3})
    assert done.returncode == 0, done.stderr
    (run,) = runs(openvlt)
    base = next(score for score in run["scores"] if score["stage"] == "base")
    low, high = base["bounds"]
    lost = len(base["failed"])
    assert (base["accuracy"], base["n"], base["unparsed"], base["undecided"]) == (None, 40, 0, lost)
    assert high - low == pytest.approx(lost / 40) and lost > 3
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in done.stdout
    assert f"Note: made (base): {lost} of 40 questions failed and leave the score open" in done.stderr
    assert base["versus"]["blind"]


def test_bad_rows_are_told_and_stop_the_run(openvlt: Train, recipe: Path) -> None:
    faults = "traces.data.source.faults={empty gold: [1, 2], broken image: [4]}"
    failed = openvlt("train", recipe, "--set", faults)
    assert failed.returncode == 4
    assert "source made lost 3 of 20 rows, over the limit of 10% (2 x empty gold answer; 1 x image unreadable)" in (
        failed.stderr
    )
    assert openvlt("train", recipe, "--iterations", "1", "--set", faults, "--set", "reject_above=0.2").returncode == 0
    run = runs(openvlt)[0]
    loaded = next(stage for stage in run["stages"] if stage["name"] == "load-1")
    assert loaded["rejected"] == {"empty gold answer": 2, "image unreadable": 1}


def test_a_test_image_in_the_training_data_is_kept_out(openvlt: Train, recipe: Path, home: Path) -> None:
    leak = "traces.data.source.faults={test image: [3]}"
    assert openvlt("train", recipe, "--iterations", "1", "--set", leak).returncode == 0
    (run,) = runs(openvlt)
    assert run["stages"][5]["rejected"] == {"image is in a benchmark": 1}

    def images(name: str) -> set[str]:
        (stage,) = (stage for stage in run["stages"] if stage["name"] == name)
        lines = (home / stage["folder"] / "rows.jsonl").read_text().splitlines()
        return {image["sha256"] for line in lines for image in json.loads(line)["example"]["images"]}

    assert not images("load-made") & (images("select-1") | images("load-grpo-1"))


def test_a_home_that_cannot_be_written_is_refused(openvlt: Train, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = openvlt("train", recipe, OPENVLT_HOME=str(tmp_path / "file" / "home"))
    assert refused.returncode == 4
    assert "cannot be written" in refused.stderr
    assert "set OPENVLT_HOME to a folder that is" in refused.stderr


FULL = """
import resource, sys
from openvlt.__main__ import run
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(run(sys.argv[2:]))
"""


def test_a_full_disk_is_an_error_and_the_next_run_goes_on(
    openvlt: Train, recipe: Path, fake_plugin: Path, home: Path
) -> None:
    words = ["--plugin", str(fake_plugin), "train", str(recipe), "--iterations", "1"]
    for limit in (60, 3_000, 30_000):
        full = subprocess.run(
            [sys.executable, "-c", FULL, str(limit), *words],
            env=os.environ | {"OPENVLT_HOME": str(home)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert full.returncode == 4, full.stderr
        assert "cannot be written" in full.stderr
        assert "Traceback" not in full.stderr
    assert openvlt("train", recipe, "--iterations", "1").returncode == 0


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 600
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def asked(home: Path) -> int:
    return sum(path.read_bytes().count(b"commit\t") for path in (home / "values").rglob("*.jsonl"))


def test_ctrl_c_interrupts_and_the_same_command_goes_on(
    openvlt: Train, started: Callable[..., subprocess.Popen[str]], recipe: Path, home: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, "--iterations", "1"]
    process = started(*words, told={"seconds": 0.3})
    wait_for(lambda: asked(home) >= 3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert err.endswith("Interrupted.\n")
    assert "Traceback" not in err
    (run,) = runs(openvlt)
    assert run["status"] == "interrupted"
    assert f"The run {run['name']} is kept: the same command goes on from here.\n" in err
    before = asked(home)

    process = started(*words, "--set", "train.sft.seconds=0.4", told={"log": str(tmp_path / "log")})
    wait_for(lambda: bool(list(home.glob("stages/*/checkpoint-1"))), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(600) == 130
    done = openvlt(*words)
    assert done.returncode == 0, done.stderr
    assert runs(openvlt)[0]["status"] == "done"
    assert asked(home) > before


def test_two_runs_do_not_work_on_one_stage(
    openvlt: Train, started: Callable[..., subprocess.Popen[str]], recipe: Path, home: Path
) -> None:
    words = ["train", recipe, "--iterations", "1"]
    first = started(*words, told={"seconds": 0.5})
    wait_for(lambda: asked(home) >= 2, first)
    second = openvlt(*words)
    assert second.returncode == 2
    assert "Another process is working on the same" in second.stderr
    (run,) = runs(openvlt)
    assert run["status"] == "running"
    _, err = first.communicate(timeout=600)
    assert first.returncode == 0, err
    assert runs(openvlt)[0]["status"] == "done"
