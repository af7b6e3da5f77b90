"""SFT, DPO and GRPO on TRL's own trainers, in a child process, on a tiny random Qwen2.5-VL; nothing a kill costs is lost."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made import Bench, Heard

from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.records import Claim, Example, Format, Image, Model, Row, Trace
from openvlt.registry import Registry
from openvlt.stages.checkpoints import complete, last_complete
from openvlt.stages.workspace import Output

pytestmark = [
    pytest.mark.xdist_group("training"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds child processes in /proc"),
]

PLUGINS = Path(__file__).parents[1] / "plugins"
SFT = {"batch": 4, "device_batch": 4, "learning_rate": 1e-2, "epochs": 2, "warmup": 0.0}
GRPO = {
    "prompts": 2, "generations": 4, "batch": 8, "device_batch": 4, "max_tokens": 6, "steps": 5, "learning_rate": 1e-2,
    "beta": 0.0, "save_every": 1, "freeze": ["vision"],
}  # fmt: skip
DPO = {"batch": 4, "device_batch": 2, "learning_rate": 1e-3, "epochs": 4, "warmup": 0.0, "save_steps": 1}


@pytest.fixture(autouse=True)
def no_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM writes no rollouts here, so that no training may import it; TRL would, wherever it is installed."""
    package = tmp_path / "path" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('vLLM was imported')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)


def chosen(stages: Bench, n: int = 8, k: int = 1, *filters: Mapping[str, Any]) -> Output:
    judged = stages.verify(stages.distill(stages.load(n=n), k=k))
    return stages.select(judged, *filters)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def changed(before: Path, after: Path) -> set[str]:
    """The parts of the model that differ: the tower, what maps it into the language model, the language model."""
    old, new = weights(before), weights(after)
    assert old.keys() == new.keys()
    names = {name for name in old if not bool((old[name] == new[name]).all())}
    return {
        "vision" if "visual." in name and ".merger." not in name else "projector" if "visual." in name else "language"
        for name in names
    }


def workers(stages: Bench) -> list[int]:
    """Ids of the training processes of this test's home that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            alive = (path / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            continue
        if alive and b"train_worker" in words and str(stages.workspace.home.root).encode() in words:
            found.append(int(path.name))
    return found


class KillsTheChild(Heard):
    """Sends a signal to the training when it has come to a step."""

    def __init__(self, stages: Bench, at: int, sent: signal.Signals = signal.SIGKILL) -> None:
        super().__init__()
        self._stages, self._at, self._sent = stages, at, sent

    def advance(self, done: int, **counts: float) -> None:
        super().advance(done)
        if self.done >= self._at:
            for pid in workers(self._stages):
                os.kill(pid, self._sent)


def metrics(made: Output) -> list[dict[str, float]]:
    return [json.loads(line) for line in (made.folder.path / "metrics.jsonl").read_text().splitlines()]


def recorded(folder: Path) -> dict[str, Any]:
    """All that a training recorded of its steps, but for the time they took."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    timings = re.compile("time|per_second")
    metrics = [{key: value for key, value in row.items() if not timings.search(key)} for row in rows]
    completions = [path.read_text() for path in sorted(folder.glob("completions-*.jsonl"))]
    counts = json.loads((folder / "stage.json").read_bytes())["counts"]
    return {
        "metrics": metrics,
        "completions": completions,
        "counts": {key: value for key, value in counts.items() if not timings.search(key)},
    }


@pytest.mark.slow
def test_a_training_that_is_asked_to_end_saves_its_last_step(stages: Bench, vision_model: Path) -> None:
    traces = chosen(stages)
    options = {**SFT, "epochs": 30}
    made, folder = stages.train(traces, "sft", vision_model, **options)
    reference = made.folder.path.rename(made.folder.path.with_name("reference"))

    stages.workspace.progress = KillsTheChild(stages, 2, signal.SIGTERM)
    with pytest.raises(OpenvltError, match=r"training process of sft-1 was killed by signal 15\. .*last checkpoint"):
        stages.train(traces, "sft", vision_model, **options)
    (checkpoint,) = made.folder.path.glob("checkpoint-*")  # save_steps is 100
    saved = int(checkpoint.name.split("-")[1])
    assert 2 <= saved < 60

    stages.workspace.progress = Heard()
    _, folder = stages.train(traces, "sft", vision_model, **options)
    assert f'"checkpoint": "{checkpoint}"' in (made.folder.path / "job.json").read_text()
    assert (folder / "model.safetensors").read_bytes() == (reference / "model/model.safetensors").read_bytes()
    assert recorded(made.folder.path) == recorded(reference)
    assert [row["step"] for row in metrics(made)] == [*range(1, 61), 60]


@pytest.mark.slow
def test_sft_teaches_the_traces_and_leaves_a_model_that_loads_alone(stages: Bench, vision_model: Path) -> None:
    traces = chosen(stages)
    heard = stages.workspace.progress = Heard()
    made, folder = stages.train(traces, "sft", vision_model, **SFT)
    losses = [row["loss"] for row in metrics(made) if "loss" in row]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert (heard.total, heard.done) == (4, 4)
    assert changed(vision_model, folder) == {"language"}
    assert not list(made.folder.path.glob("checkpoint-*"))

    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    size = processor.image_processor.size
    assert (size["shortest_edge"], size["longest_edge"]) == (32 * 32, 64 * 64)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is 1 + 1?"}]}]
    text = processor.apply_chat_template(turns, add_generation_prompt=True)
    asked = processor(text=[text], images=[Image.new("RGB", (40, 40))], return_tensors="pt")
    assert model.generate(**asked, max_new_tokens=3, do_sample=False).shape[1] > asked["input_ids"].shape[1]

    again, same = stages.train(traces, "sft", vision_model, **SFT)
    assert (again.record.cached, same) == (True, folder)


@pytest.mark.slow
def test_lora_adapters_are_merged_into_a_whole_model(stages: Bench, vision_model: Path) -> None:
    _, folder = stages.train(chosen(stages), "sft", vision_model, **{**SFT, "lora_rank": 4, "epochs": 1})
    assert changed(vision_model, folder) == {"language"}
    assert not list(folder.glob("adapter*"))
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_5_vl"


@pytest.mark.slow
def test_dpo_makes_the_correct_traces_likelier_than_the_incorrect_ones(stages: Bench, vision_model: Path) -> None:
    selected = chosen(stages, k=4)
    made, folder = stages.train(selected, "dpo", vision_model, **DPO)
    steps = [row for row in metrics(made) if "rewards/margins" in row]
    assert len(steps) == made.record.taken * DPO["epochs"] // DPO["batch"]
    assert made.record.counts["epoch"] == pytest.approx(DPO["epochs"], abs=0.5), "passes over the pairs"
    # The reference is the model training starts from, so that the first update finds no difference.
    assert steps[0]["rewards/margins"] == 0.0
    assert steps[-1]["rewards/margins"] > 0.0
    assert changed(vision_model, folder) == {"language"}


@pytest.mark.slow
def test_dpo_merges_its_adapters(stages: Bench, vision_model: Path) -> None:
    options = {**DPO, "lora_rank": 4, "epochs": 1, "loss_type": ["sigmoid", "sft"], "loss_weights": [0.8, 1.0]}
    _, folder = stages.train(chosen(stages, k=4), "dpo", vision_model, **options)
    assert changed(vision_model, folder) == {"language"}
    assert not list(folder.glob("adapter*"))


class TextJob:
    """Sums without a picture, each with a correct reply and one without an answer; it may end a training at a step."""

    def __init__(self, model: Path, folder: Path, end_at: int | None = None) -> None:
        self.model, self.format, self.folder, self.seed = Model(id=str(model)), Format(), folder, 0
        self.end_at = end_at
        self.checkpoint, _ = last_complete(folder)
        self.losses: list[float] = []

    def examples(self) -> list[Example]:
        return [Example(id=str(n), question=f"What is {n} + 1?", answer=str(n + 1)) for n in range(4)]

    def traces(self) -> list[Trace]:
        return [Trace(think="so", answer=example.answer, raw="") for example in self.examples()]

    def pairs(self) -> list[tuple[Trace, Trace]]:
        return [(trace, Trace(think="", answer=None, raw="No idea.")) for trace in self.traces()]

    def log(self, metrics: Mapping[str, float]) -> None:
        if metrics["step"] == self.end_at:
            raise KeyboardInterrupt
        self.losses += [metrics["loss"]] if "loss" in metrics else []

    def saved(self, checkpoint: Path) -> None:
        complete(checkpoint, self.folder)


@pytest.mark.slow
@pytest.mark.parametrize(("trainer", "options"), [("sft", SFT), ("dpo", DPO)])
def test_examples_without_images_train_a_text_model(
    stages: Bench, text_model: Path, tmp_path: Path, trainer: str, options: dict[str, Any]
) -> None:
    job = TextJob(text_model, tmp_path)
    checkpoint = stages.build("trainer", trainer, **options).component.train(job)
    assert job.losses[-1] < job.losses[0]
    assert (checkpoint.folder / "model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trainer", "options"),
    [("sft", {**SFT, "epochs": 4, "save_steps": 1}), ("dpo", DPO), ("dpo", {**DPO, "lora_rank": 4})],
)
def test_an_interrupted_training_goes_on_to_the_same_weights(
    stages: Bench, vision_model: Path, tmp_path: Path, trainer: str, options: dict[str, Any]
) -> None:
    component = stages.build("trainer", trainer, **options).component
    undisturbed = component.train(TextJob(vision_model, tmp_path / "undisturbed"))
    with pytest.raises(KeyboardInterrupt):
        component.train(TextJob(vision_model, tmp_path / "interrupted", end_at=3))
    job = TextJob(vision_model, tmp_path / "interrupted")
    resumed = component.train(job)
    assert len(job.losses) == 2
    before, after = ((made.folder / "model.safetensors").read_bytes() for made in (undisturbed, resumed))
    assert before == after


RESUME = """
import sys
from pathlib import Path
from made import bench
from test_training import GRPO
from openvlt.store import open_home
stages = bench(open_home(), [Path(sys.argv[1])], Path(sys.argv[2]), Path(sys.argv[3]))
stages.train(stages.load(n=8), "grpo", Path(sys.argv[4]), {"luck": 1.0}, **GRPO)
"""


@pytest.mark.slow
def test_grpo_killed_and_resumed_ends_with_the_same_weights(
    stages: Bench, vision_model: Path, fake_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed twice: first the child, then the parent, each with SIGKILL; the child never outlives its parent.

    One of the slowest tests, for four processes train here, and to import TRL takes each of them longer than its steps.
    """
    files = [str(fake_plugin), str(stages.model), str(stages.log), str(vision_model)]
    command = [sys.executable, "-c", RESUME, *files]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    undisturbed = subprocess.run(
        command, env=environment | {"OPENVLT_HOME": str(tmp_path / "undisturbed")}, capture_output=True, check=False
    )
    assert undisturbed.returncode == 0, undisturbed.stderr.decode()

    rows = stages.load(n=8)
    stages.workspace.progress = KillsTheChild(stages, at=2)
    with pytest.raises(
        OpenvltError, match=r"training process of grpo-1 was killed by signal 9 \(out of memory\?\)\. .*last checkpoint"
    ):
        stages.train(rows, "grpo", vision_model, {"luck": 1.0}, **GRPO)
    (stage,) = (path.parent for path in stages.workspace.home.stages.glob("*/job.json"))
    assert list(stage.glob("checkpoint-*"))
    assert not (stage / "stage.json").exists()

    parent = subprocess.Popen(command, env=environment)
    until(lambda: bool(list(stage.glob("checkpoint-[34]/trainer_state.json"))))
    parent.kill()
    parent.wait()
    until(lambda: not workers(stages))
    assert not (stage / "stage.json").exists()

    stages.workspace.progress = Heard()
    _, folder = stages.train(rows, "grpo", vision_model, {"luck": 1.0}, **GRPO)
    (reference,) = (tmp_path / "undisturbed" / "stages").glob("*/model/model.safetensors")
    assert reference.parent.parent.name == stage.name
    assert (folder / "model.safetensors").read_bytes() == reference.read_bytes()
    assert recorded(stage) == recorded(reference.parents[1])
    assert changed(vision_model, folder) >= {"language"}
    assert "vision" not in changed(vision_model, folder)

    responses = [json.loads(line) for line in (reference.parents[1] / "completions-0.jsonl").read_text().splitlines()]
    assert len(responses) == 5 * 8
    assert all(row["reward"] == row["verdicts"]["luck"]["score"] for row in responses)
    groups = {row["group"] for row in responses}
    assert len(groups) == 5 * 2


def until(true: Callable[[], bool], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
def test_two_processes_train_together(stages: Bench, vision_model: Path) -> None:
    options = {**GRPO, "steps": 1, "devices": 2, "device_batch": 4}
    made, folder = stages.train(stages.load(n=4), "grpo", vision_model, {"luck": 1.0}, **options)
    halves = [(made.folder.path / f"completions-{rank}.jsonl").read_text().splitlines() for rank in (0, 1)]
    assert [len(half) for half in halves] == [4, 4]
    assert {json.loads(line)["group"] for line in halves[0]}.isdisjoint(json.loads(line)["group"] for line in halves[1])
    assert "language" in changed(vision_model, folder)


@pytest.mark.slow
def test_equal_rewards_stop_the_training_and_say_what_to_look_at(stages: Bench, vision_model: Path) -> None:
    options = {**GRPO, "steps": 20, "generations": 2, "batch": 4, "device_batch": 4, "save_every": 20}
    with pytest.raises(DataError, match=r"all responses to a prompt had the same reward.*completions"):
        stages.train(stages.load(n=4), "grpo", vision_model, {"format": 1.0}, **options)


@pytest.mark.parametrize(
    ("trainer", "options", "message"),
    [
        ("grpo", {"batch": 12}, "GRPO cannot divide 8 responses (prompts x generations) into batches of 12"),
        ("grpo", {"prompts": 3, "devices": 2, "batch": 12, "device_batch": 2}, "GRPO would split groups of 4"),
        ("sft", {"batch": 16, "device_batch": 16, "devices": 2}, "A batch of 16 cannot be divided into micro-batches"),
        ("dpo", {"batch": 3}, "A batch of 3 cannot be divided into micro-batches of 2 on each of 1 devices"),
        ("dpo", {"loss_weights": [0.8, 0.2]}, "DPO has 2 loss_weights, but 1 in loss_type."),
        ("dpo", {"loss_type": ["sigmoidal"]}, "Option 'loss_type' of the trainer 'dpo' is 'sigmoidal'"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_any_work(
    stages: Bench, vision_model: Path, trainer: str, options: dict[str, Any], message: str
) -> None:
    rows = stages.load(n=8) if trainer == "grpo" else chosen(stages, k=4)
    usual = {"sft": SFT, "dpo": DPO, "grpo": GRPO}[trainer]
    with pytest.raises(UsageError, match=re.escape(message)):
        stages.train(rows, trainer, vision_model, {"luck": 1.0}, **{**usual, **options})
    assert not list(stages.workspace.home.stages.glob("*/job.json"))


@pytest.mark.parametrize(
    ("trainer", "options", "message"),
    [
        ("grpo", {"prompts": 9, "batch": 36}, "has 8 prompts to learn from, fewer than one batch (9)"),
        ("sft", {"batch": 64, "device_batch": 4}, "traces to learn from, fewer than one batch (64)"),
        ("dpo", {"batch": 64}, "pairs to learn from, fewer than one batch (64)"),
    ],
)
def test_less_than_one_batch_is_too_little(
    stages: Bench, vision_model: Path, trainer: str, options: dict[str, Any], message: str
) -> None:
    rows = stages.load(n=8) if trainer == "grpo" else chosen(stages, k=4)
    usual = {"sft": SFT, "dpo": DPO, "grpo": GRPO}[trainer]
    with pytest.raises(DataError, match=re.escape(message)):
        stages.train(rows, trainer, vision_model, {"luck": 1.0}, **{**usual, **options})
    assert not list(stages.workspace.home.stages.glob("*/job.json"))


def test_a_selection_without_a_pair_says_why(stages: Bench, vision_model: Path) -> None:
    with pytest.raises(DataError, match=r"has no pairs to learn from.*a pair is a correct and an incorrect"):
        stages.train(chosen(stages, 8, 4, {"use": "correct"}), "dpo", vision_model, **DPO)


@pytest.mark.slow
def test_a_generation_decodes_each_image_once(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL reads a row for every response and update; the decoded images are kept."""
    from trl.trainer.utils import RepeatSampler

    from openvlt.stages.train_worker import Job
    from openvlt.store import images
    from openvlt_plugins.trl.dataset import lazy

    decoded, decode = [], images.decode_image
    rows = stages.load(n=12, per_image=2)
    told = {
        "model": {"id": "none"}, "format": {}, "folder": str(stages.model), "seed": 0, "verifiers": {}, "weights": {},
        "rows": str(rows.folder.rows_file), "home": str(stages.workspace.home.root), "routes": {}, "reads": "prompts", "ready": False,
        "files": [],
    }  # fmt: skip
    job = Job(told, stages.workspace.registry)
    data = lazy(job, 12, SimpleNamespace(all_special_tokens=[]))
    monkeypatch.setattr(images, "decode_image", lambda content: decoded.append(content) or decode(content))
    read = [data[index] for index in RepeatSampler(data, mini_repeat_count=4, batch_size=12, repeat_count=8)]
    assert len(read) == 12 * 4 * 8
    assert all(row["images"][0].size == (8, 8) for row in read)
    assert len(decoded) == 6


def test_epochs_are_whole_and_shuffled_anew() -> None:
    from openvlt_plugins.trl.dataset import in_epochs

    order = in_epochs(10, 25, seed=3)
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert order[:10] != order[10:20]
    assert in_epochs(10, 25, seed=3) == order != in_epochs(10, 25, seed=4)


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("die", OpenvltError, r"copy-sft-1 was killed by signal 9 \(out of memory\?\)"),
        (
            "crash",
            OpenvltError,
            r"copy-sft-1 ended with code 1: trainer copy-sft .* failed in train: RuntimeError: the optimiser fell over \(openvlt_fake.py:\d+\). See .*train.log. Fix it there, or report it",
        ),
        ("refuse", DataError, r"The loss is not a number. Lower the learning rate."),
    ],
)
def test_a_child_that_dies_is_a_clear_error_and_costs_one_step(
    stages: Bench, fake: Callable[..., None], fault: str, kind: type[OpenvltError], message: str
) -> None:
    rows = chosen(stages)
    fake(trainer=fault)
    with pytest.raises(kind, match=message):
        stages.train(rows, "copy-sft", stages.model, steps=4)
    fake()
    made, folder = stages.train(rows, "copy-sft", stages.model, steps=4)
    assert [(row["step"], row["started_from"]) for row in metrics(made)] == [(1, 0), (2, 1), (3, 1), (4, 1)]
    assert json.loads((folder / "skill.json").read_text()) == {"skill": 0.7}


def test_a_child_is_gone_when_its_parent_is_interrupted(stages: Bench, fake: Callable[..., None]) -> None:
    class Interrupts(Heard):
        def advance(self, done: int, **counts: float) -> None:
            raise KeyboardInterrupt

    rows = chosen(stages)
    stages.workspace.progress = Heard()
    fake(trainer="hang")
    stages.workspace.progress = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        stages.train(rows, "copy-sft", stages.model, steps=4)
    assert not workers(stages)


def test_the_reward_reaches_the_trainer(stages: Bench) -> None:
    made, _ = stages.train(stages.load(n=8), "copy-grpo", stages.model, {"answer": 1.0, "format": 0.1}, steps=2)
    lines = [json.loads(line) for line in (made.folder.path / "completions-0.jsonl").read_text().splitlines()]
    assert [line["reward"] for line in lines] == [1.1, 0.1] * 4
    assert made.record.counts["answer/correct"] == 4
    assert [row.example.id for row in made_rows(stages)] == [f"train/{index}" for index in range(8)]


def made_rows(stages: Bench) -> list[Row]:
    return list(stages.load(n=8).rows())


def test_a_third_partys_trainer_reads_pairs(stages: Bench) -> None:
    pairs_trainer = PLUGINS / "pairs-trainer" / "openvlt_pairs_trainer.py"
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, pairs_trainer])
    selected = chosen(stages, 8, 4)
    made, folder = stages.train(selected, "count-pairs", stages.model)
    correct = [sum(judged.is_correct for judged in row.judged) for row in selected.rows()]
    pairs = sum(min(count, 4 - count) for count in correct)
    assert made.record.counts == {"pairs": pairs, "chosen correct": pairs, "rejected correct": 0}
    assert (folder / "skill.json").read_bytes() == (stages.model / "skill.json").read_bytes()


class MixedJob(TextJob):
    """Sums, every other one with a picture, of which one process may get none."""

    def examples(self) -> list[Example]:
        picture = (Image.file("/made"),)
        return [replace(each, images=picture if n % 2 else ()) for n, each in enumerate(super().examples())]

    def read(self, image: Image) -> Any:
        import PIL.Image

        return PIL.Image.new("RGB", (40, 40), (9, 90, 200))

    def reward(self, claims: Sequence[Claim]) -> list[Any]:
        return [SimpleNamespace(reward=float(len(claim.response) % 7), verdicts={}) for claim in claims]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trainer", "options"),
    [
        ("sft", {**SFT, "device_batch": 1}),
        ("grpo", {**GRPO, "device_batch": 1, "steps": 2, "beta": 0.01}),
        ("grpo", {**GRPO, "device_batch": 8, "steps": 2, "freeze": []}),
    ],
)
def test_rows_without_a_picture_train_beside_rows_with_one(
    stages: Bench, vision_model: Path, tmp_path: Path, trainer: str, options: dict[str, Any]
) -> None:
    job = MixedJob(vision_model, tmp_path)
    trained = stages.build("trainer", trainer, **options).component.train(job)
    assert len(job.losses) == 2 and all(math.isfinite(loss) for loss in job.losses)
    assert "language" in changed(vision_model, trained.folder)


class SeenJob(TextJob):
    """Sums, each with a picture of its own; knows in which order they were looked at."""

    def __init__(self, model: Path, folder: Path) -> None:
        super().__init__(model, folder)
        self.seen: list[int] = []

    def examples(self) -> list[Example]:
        return [replace(each, images=(Image.file(f"/{n}"),)) for n, each in enumerate(super().examples())]

    def read(self, image: Image) -> Any:
        import PIL.Image

        self.seen.append(int(image.origin.name))
        return PIL.Image.new("RGB", (40, 40))

    def reward(self, claims: Sequence[Claim]) -> list[Any]:
        return [SimpleNamespace(reward=float(len(claim.response) % 7), verdicts={}) for claim in claims]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trainer", "options"),
    [
        ("sft", {**SFT, "device_batch": 2, "epochs": 3}),
        ("dpo", {**DPO, "epochs": 3}),
        ("grpo", {**GRPO, "prompts": 1, "generations": 2, "batch": 2, "device_batch": 2, "steps": 12}),
    ],
)
def test_rows_are_trained_on_in_the_order_of_whole_epochs(
    stages: Bench, vision_model: Path, tmp_path: Path, trainer: str, options: dict[str, Any]
) -> None:
    """No sampler of TRL or transformers orders them anew, which on resume would replay its first epoch."""
    from openvlt_plugins.trl.dataset import in_epochs

    job = SeenJob(vision_model, tmp_path)
    stages.build("trainer", trainer, **options).component.train(job)
    seen = job.seen[:: options.get("generations", 1)]
    assert seen[-12:] == in_epochs(4, 12, job.seed)


@pytest.mark.slow
@pytest.mark.parametrize(("trainer", "options"), [("sft", SFT), ("dpo", {**DPO, "loss_type": ["sft"]})])
def test_rows_of_text_are_trained_on_in_the_order_of_whole_epochs(
    stages: Bench, text_model: Path, tmp_path: Path, trainer: str, options: dict[str, Any]
) -> None:
    """They are tokenized in advance; a model that does not change has one loss for each."""
    from openvlt_plugins.trl.dataset import in_epochs

    job, one_by_one = TextJob(text_model, tmp_path), {"batch": 1, "device_batch": 1, "learning_rate": 1e-12}
    stages.build("trainer", trainer, **{**options, **one_by_one, "epochs": 3}).component.train(job)
    assert len(set(job.losses)) == len(set(zip(job.losses, in_epochs(4, 12, job.seed), strict=True))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("lora_rank", [0, 4])
def test_computing_activations_twice_changes_nothing(
    stages: Bench, vision_model: Path, tmp_path: Path, lora_rank: int
) -> None:
    """Also where a frozen tower has no gradients, and its inputs none."""
    made = {}
    for choice in ("on", "off"):
        job = MixedJob(vision_model, tmp_path / choice)
        options = {**SFT, "lora_rank": lora_rank, "gradient_checkpointing": choice}
        stages.build("trainer", "sft", **options).component.train(job)
        made[choice] = job.losses
    assert made["on"] == pytest.approx(made["off"], abs=1e-5)
    assert made["on"][-1] < made["on"][0]
