"""The figures of the page on GPUs are what the code plans."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from openvlt import Gpus, Model, Workload
from openvlt.__main__ import run
from openvlt.engines import model_shape
from openvlt.pipeline import model_checks
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
COLOCATED = {"vllm": "colocate", "vllm_memory": 0.45, "vllm_tensor_parallel": 2, "parallel": "fsdp2"}


def test_the_table_is_that_of_the_code() -> None:
    written = PAGE.partition("<!-- scripts/memory_table.py -->\n")[2].partition("\n<!-- end -->")[0]
    made = runpy.run_path(str(ROOT / "scripts" / "memory_table.py"))["table"]()
    assert written.splitlines() == list(made)


@pytest.mark.parametrize(
    ("what", "trainer", "count"),
    [
        ("GRPO of 7B, mixed precision", Grpo(**COLOCATED), 8),  # type: ignore[arg-type]
        ("GRPO of 7B, bf16", Grpo(precision="bf16", optimizer="adamw-offload", **COLOCATED), 4),  # type: ignore[arg-type]
        ("full fine-tuning of a 7B, mixed precision", Sft(), 1),
        ("full fine-tuning of a 7B, bf16", Sft(precision="bf16"), 1),
        ("LoRA of a 7B", Sft(lora_rank=16), 1),
    ],
)
def test_what_is_planned_beside_published_figures(what: str, trainer: Grpo | Sft, count: int) -> None:
    shape = model_shape(Model(id="Qwen/Qwen2.5-VL-7B-Instruct"))
    assert shape
    terms = trainer.memory(shape, Workload(prompt=590, image=334, reply=2048, gpus=Gpus(count, 40 << 30)))
    [planned] = re.findall(rf"^\| {re.escape(what)} \|.*\| (\d+) GB[^|]*\|$", PAGE, re.MULTILINE)
    assert terms and round(sum(terms.values()) / 1e9) == int(planned)


GENERATED = {**COLOCATED, "top_p": 0.99, "importance_correction": "off"}


@pytest.mark.parametrize(
    ("what", "trainer", "count", "rows"),
    [
        ("SFT on 5,000 rows, 2 GPUs", Sft(batch=32, device_batch=2, epochs=1, parallel="fsdp2"), 2, 5000),
        ("GRPO, 80 steps, 4 GPUs", Grpo(steps=80, **GENERATED), 4, 5000),  # type: ignore[arg-type]
        ("GRPO on 3,000 rows, 5 epochs, 8 GPUs", Grpo(epochs=5, **GENERATED), 8, 3000),  # type: ignore[arg-type]
    ],
)
def test_what_hours_are_planned_beside_published_ones(what: str, trainer: Grpo | Sft, count: int, rows: int) -> None:
    shape = model_shape(Model(id="Qwen/Qwen2.5-VL-7B-Instruct"))
    assert shape
    hours = trainer.hours(shape, Workload(prompt=590, image=334, reply=2048, gpus=Gpus(count, 80 << 30)), rows)
    [planned] = re.findall(rf"^\| {re.escape(what)} \|.*\| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert hours and f"{hours / 3:.{len(planned.partition('.')[2])}f}" == planned


@pytest.mark.parametrize(
    ("recipe", "gpus", "gigabytes"),
    [
        ("openvlthinker-v1.0", "4x80", r"`openvlthinker-v1\.0` and `v1\.2` need (\d+) GB"),
        ("openvlthinker-v1.2", "4x80", r"`openvlthinker-v1\.0` and `v1\.2` need (\d+) GB"),
        ("openvlthinker-v1.0", "8x40", r"or (\d+) GB of each of 8 x 40 GB"),
        ("openvlthinker-v1.2", "8x40", r"or (\d+) GB of each of 8 x 40 GB"),
        ("openvlthinker-24gb", "1x24", r"`openvlthinker-24gb` \(3B, LoRA\) (\d+) GB of one"),
        ("openvlthinker-80gb", "1x80", r"`openvlthinker-80gb` \(7B, LoRA\) (\d+) GB of one"),
    ],
)
def test_what_the_recipes_need(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    recipe: str,
    gpus: str,
    gigabytes: str,
) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(model_checks, "reachable", lambda: False)
    assert run(["train", recipe, "--plan", "--gpus", gpus]) == 0
    table = capsys.readouterr().out.partition("GB of each GPU")[2]
    needed = [float(each) for each in re.findall(r"^\S+ +\d+ +(\d+\.\d)", table, re.MULTILINE)]
    assert [str(round(max(needed)))] == re.findall(gigabytes, " ".join(PAGE.split()))
