"""The papers of examples/plugins/papers, installed as a user would, each trained for some updates with its effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from made import Bench, bench

from judge_endpoint import Endpoint
from openvlt import Claim, Completion, Example, Reject, Trace
from openvlt.pipeline import compile_recipe
from openvlt.recipe import read_recipe
from openvlt.registry import Registry
from openvlt.stages.checkpoints import last_complete
from openvlt.stages.train_worker import Job
from openvlt.store import open_home

PAPERS = Path(__file__).parents[2] / "examples" / "plugins" / "papers"
SMALL: dict[str, Any] = {
    "prompts": 2, "generations": 4, "batch": 4, "device_batch": 4, "max_tokens": 6, "steps": 2, "learning_rate": 1e-2,
    "devices": 1,
}  # fmt: skip
PLUGIN = """
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar
from openvlt import ExampleFilter, Keep, Verdict, Verifier, hookimpl


@dataclass(frozen=True)
class Seldom(Verifier):
    def verify(self, claim):
        learnable = int(claim.example.id.rpartition("/")[2]) % 3 == 0
        return Verdict.scored(sha256(claim.response.encode()).digest()[0] / 255 if learnable else 0.0)


@dataclass(frozen=True)
class Coin(Verifier):
    def verify(self, claim):
        heads = sha256(claim.response.encode()).digest()[0] < 80
        return Verdict.correct() if heads else Verdict.incorrect()


@dataclass(frozen=True)
class Noted(ExampleFilter):
    path: str
    needs: ClassVar[tuple[str, ...]] = ("pass_rate",)

    def decide(self, examples, facts):
        rates = {}
        for example in examples:
            rates[example.id] = facts["pass_rate"].get(example.id)
            yield Keep(example)
        Path(self.path).write_text(json.dumps(rates))


@hookimpl
def register_filters(register):
    register("noted", Noted, summary="writes down the pass rates of what it sees")


@hookimpl
def register_verifiers(register):
    register("coin", Coin, summary="takes a third of the responses for correct")
    register("seldom", Seldom, summary="tells the responses to every third example apart")
"""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("papers")]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the package is installed into, without a network."""
    folder = tmp_path_factory.mktemp("papers")
    command = [
        os.environ.get("UV", "uv"),
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
    ]
    command += ["--python", sys.executable, "--target", str(folder), str(PAPERS)]
    subprocess.run(command, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture
def stages(papers: Path, tmp_path: Path, fake_plugin: Path, fake_model: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    seldom = tmp_path / "seldom.py"
    seldom.write_text(PLUGIN)
    return bench(open_home(), [fake_plugin, seldom], fake_model, tmp_path / "asked.jsonl")


@pytest.fixture
def openvlt(
    papers: Path, tmp_path: Path, fake_plugin: Path, vision_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Path]]:
    """Train a recipe on made sums and the tiny policy; returns the folders of its stages by name."""
    from click.testing import CliRunner

    from openvlt.cli import cli

    monkeypatch.setenv("PYTHONPATH", str(papers), prepend=os.pathsep)
    (tmp_path / "plugin.py").write_text(PLUGIN)
    small = "device_batch: 4, devices: 1, freeze: [vision], learning_rate: 1.0e-3"

    def run(recipe: Path, **changes: str) -> dict[str, Path]:
        words = [word for key, value in changes.items() for word in ("--set", f"{key}={value.replace('SMALL', small)}")]
        options = ["--plugin", str(fake_plugin), "--plugin", str(tmp_path / "plugin.py")]
        runner = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home"), "COLUMNS": "400"})
        base = f"{{id: {vision_model}, dtype: float32, context: 192}}"
        done = runner.invoke(
            cli, [*options, "train", str(recipe), "--set", f"base={base}", "--set", "rewards={coin: 1.0}", *words]
        )
        if done.exception is not None:
            raise done.exception
        (record,) = (tmp_path / "home" / "runs").glob("*/run.json")
        stages = json.loads(record.read_bytes())["stages"]
        return {stage["name"]: tmp_path / "home" / "stages" / stage["fingerprint"] for stage in stages}

    return run


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@dataclass
class Seen:
    """What reached the losses of a training, and what it logged.

    Attributes:
        inputs: of each loss, in order.
        clamped: shapes of what a loss has clamped: the ratios.
        losses: of TRL, without what a paper adds.
        prompts: that responses were generated to, in order.
        logged: the metrics of each update.
        trainer: the last one.
    """

    inputs: list[dict[str, Any]] = field(default_factory=list)
    clamped: list[tuple[int, ...]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    prompts: list[Any] = field(default_factory=list)
    logged: list[dict[str, float]] = field(default_factory=list)
    trainer: Any = None

    def metric(self, name: str) -> list[float]:
        return [row[name] for row in self.logged if name in row]


@pytest.fixture
def train(stages: Bench, vision_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seen]:
    """Train a component in this process, on made sums."""
    import torch

    from openvlt_plugins.trl import imports

    with imports.without_vllm():
        from trl import GRPOTrainer

    seen, loss, generate, clamp = Seen(), GRPOTrainer._compute_loss, GRPOTrainer._generate, torch.clamp

    def compute_loss(trainer: Any, model: Any, inputs: dict[str, Any]) -> Any:
        seen.inputs.append(inputs)
        seen.trainer = trainer
        with monkeypatch.context() as patch:
            patch.setattr(
                torch, "clamp", lambda value, *a, **o: seen.clamped.append(value.shape) or clamp(value, *a, **o)
            )
            found = loss(trainer, model, inputs)
        seen.losses.append(float(found.detach()))
        return found

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", compute_loss)
    monkeypatch.setattr(
        GRPOTrainer, "_generate", lambda self, prompts: seen.prompts.extend(prompts) or generate(self, prompts)
    )

    def run(
        use: str,
        reward: str | dict[str, Any] = "luck",
        rows: int = 12,
        folder: str = "job",
        end_at: int | None = None,
        **options: Any,
    ) -> Seen:
        trainer = stages.build("trainer", use, **{**SMALL, **options}).component
        trainer.check_machine()
        loaded, place = stages.load(n=rows), tmp_path / folder
        place.mkdir(exist_ok=True)
        checkpoint = last_complete(place)[0]
        told = {
            "model": {"id": str(vision_model)}, "format": {}, "folder": str(place), "seed": 0, "reads": "prompts",
            "verifiers": {"it": {"use": reward} if isinstance(reward, str) else reward}, "weights": {"it": 1.0},
            "routes": {}, "files": [], "ready": False,
            "rows": str(loaded.folder.rows_file), "home": str(stages.workspace.home.root), "checkpoint": checkpoint,
        }  # fmt: skip
        job = Job(told, stages.workspace.registry)

        def log(metrics: dict[str, float]) -> None:
            if metrics["step"] == end_at:
                raise KeyboardInterrupt
            seen.logged.append(dict(metrics))

        monkeypatch.setattr(job, "log", log)
        trainer.train(job)
        return seen

    return run


def torch_of(values: Any) -> Any:
    import torch

    return torch.tensor(list(values))


def groups(values: Any) -> Any:
    return values.view(-1, SMALL["generations"])


def test_every_paper_is_short_and_names_its_source() -> None:
    files = [*PAPERS.glob("openvlt_papers/*.py"), *PAPERS.glob("openvlt_papers/*.yaml"), *PAPERS.glob("recipes/*.yaml")]
    for file in files:
        text = file.read_text()
        assert len(text.splitlines()) <= 60, file
        assert "arXiv" in text or file.name == "__init__.py" or f"See {file.stem}.py" in text, file
        assert "Left out:" in text or "arXiv" not in text, file


@pytest.mark.parametrize(
    ("recipe", "phases"), [("vision_r1", ["grpo-short-1", "grpo-long-1"]), ("mpo", ["mpo-1", "gspo-1"])]
)
def test_the_recipe_of_a_paper_compiles(papers: Path, recipe: str, phases: list[str]) -> None:
    read = read_recipe(str(PAPERS / "recipes" / f"{recipe}.yaml"))
    names = [stage.name for stage in compile_recipe(read, Registry.discover())]
    assert [name for name in names if name in phases] == phases


def test_gspo_has_one_ratio_a_response(train: Callable[..., Seen]) -> None:
    seen = train("gspo")
    assert seen.clamped
    assert {shape[1] for shape in seen.clamped} == {1}
    assert len(seen.metric("loss")) == 4, "two updates of each generation"


def test_cispo_keeps_the_gradient_of_what_it_clips(train: Callable[..., Seen]) -> None:
    seen = train("cispo", epsilon_high=0.5)  # every ratio is near 1, so that every token of a good response is clipped
    assert max(seen.metric("cispo_clip_ratio")) > 0.3
    assert min(seen.metric("grad_norm")) > 0


def test_dr_grpo_divides_by_no_deviation_and_no_length(train: Callable[..., Seen]) -> None:
    seen = train("dr-grpo", batch=8, device_batch=8)
    rewards = groups(torch_of(seen.trainer._logs["rewards"]["reward"])[-8:])
    advantages = groups(torch_of(seen.trainer._logs["advantages"])[-8:])
    assert advantages.allclose(rewards - rewards.mean(dim=1, keepdim=True), atol=1e-6)
    for inputs, loss in zip(seen.inputs, seen.metric("loss"), strict=True):  # every ratio is 1
        tokens = inputs["completion_mask"].sum(dim=1)
        assert loss == pytest.approx(
            -float((inputs["advantages"] * tokens).sum()) / (8 * SMALL["max_tokens"]), abs=1e-4
        )


def test_dapo_learns_from_no_group_without_a_difference(train: Callable[..., Seen]) -> None:
    seen = train("dapo", reward="seldom", generations=4, batch=8, rows=40, extra={})
    assert seen.metric("groups/replaced")
    assert sum(seen.metric("groups/replaced")) > 0
    assert seen.metric("groups/without_difference") == [0, 0]
    assert seen.metric("frac_reward_zero_std") == [0, 0]
    assert all(bool((inputs["advantages"] != 0).any()) for inputs in seen.inputs)


def test_dapo_that_is_interrupted_goes_on_to_the_same_weights(train: Callable[..., Seen], tmp_path: Path) -> None:
    options = {"reward": "seldom", "generations": 4, "batch": 8, "rows": 24, "steps": 3, "extra": {}, "save_every": 1}
    train("dapo", **options, folder="undisturbed")
    with pytest.raises(KeyboardInterrupt):
        train("dapo", **options, folder="interrupted", end_at=3)
    assert last_complete(tmp_path / "interrupted")[0]
    seen = train("dapo", **options, folder="interrupted")
    assert sum(seen.metric("groups/replaced")) > 0
    before, after = (tmp_path / name / "model/model.safetensors" for name in ("undisturbed", "interrupted"))
    assert before.read_bytes() == after.read_bytes()


def test_dapo_in_two_processes_replaces_as_many_prompts_in_each(
    stages: Bench, papers: Path, vision_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(papers), prepend=os.pathsep)
    options = {**SMALL, "prompts": 4, "batch": 16, "devices": 2, "extra": {}}
    made, _ = stages.train(stages.load(n=36), "dapo", vision_model, {"seldom": 1.0}, **options)
    rows = [json.loads(line) for line in (made.folder.path / "metrics.jsonl").read_text().splitlines()]
    counted = [row for row in rows if "groups/replaced" in row]
    assert sum(row["groups/replaced"] for row in counted) > 0
    assert [row["groups/without_difference"] for row in counted] == [0, 0]
    drawn = [len((made.folder.path / f"completions-{rank}.jsonl").read_text().splitlines()) for rank in (0, 1)]
    assert drawn[0] == drawn[1] > 2 * 8


def test_noisy_rollout_shows_half_of_a_group_a_distorted_image_and_learns_from_the_clean_one(
    train: Callable[..., Seen],
) -> None:
    seen = train("noisy-rollout", generations=4)
    images = [
        part["image"].tobytes()
        for prompt in seen.prompts
        for turn in prompt
        for part in turn["content"]
        if "image" in part
    ]
    assert len(images) == 2 * 8
    for at in range(0, len(images), 4):
        clean, noisy = set(images[at : at + 2]), set(images[at + 2 : at + 4])
        assert len(clean) == 1
        assert len(noisy) == 2, "each has its own noise"
        assert clean.isdisjoint(noisy)
    for inputs in seen.inputs:
        pixels = inputs["pixel_values"].view(len(inputs["prompt_ids"]), -1)
        learned = {tuple(prompt.tolist()): set() for prompt in inputs["prompt_ids"]}
        for prompt, shown in zip(inputs["prompt_ids"], pixels, strict=True):
            learned[tuple(prompt.tolist())].add(tuple(shown.tolist()))
        assert all(len(shown) == 1 for shown in learned.values())


def test_papo_has_the_divergence_from_the_masked_image_in_the_loss(train: Callable[..., Seen]) -> None:
    seen = train("papo", batch=8, device_batch=8, beta=0.0, extra={"perception": 0.5, "entropy": 0.0})
    divergences = seen.metric("papo/kl")
    assert min(divergences) > 0, "what is written depends on the image"
    for loss, plain, divergence in zip(seen.metric("loss"), seen.losses, divergences, strict=True):
        assert loss == pytest.approx(plain - 0.5 * divergence, abs=1e-4)


def test_vl_rethinker_forces_a_second_thought_and_replays_groups_that_teach(
    train: Callable[..., Seen], tmp_path: Path
) -> None:
    seen = train("vl-rethinker", reward="seldom", generations=4, steps=4, max_tokens=60, extra={"forced": 1.0})
    lines = [json.loads(line) for line in (tmp_path / "job" / "completions-0.jsonl").read_text().splitlines()]
    assert any("Wait, " in line["response"] for line in lines)
    rewards: dict[str, set[float]] = {}
    for line in lines:
        rewards.setdefault(line["group"], set()).add(line["reward"])
    teaching_nothing = sum(len(found) == 1 for found in rewards.values())
    assert 0 < sum(seen.metric("groups/without_difference")) < teaching_nothing


def test_perception_r1_rewards_what_a_judge_finds_of_the_annotations(
    train: Callable[..., Seen], endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.reply = lambda prompt: f"I think so.\n1: {'yes' if len(prompt) % 2 else 'no'}"
    judge = {"use": "perception", "key": "category", "model": {"id": "judge", "url": [endpoint.url]}}
    seen = train("grpo", reward=judge, beta=0.0, max_tokens=12)
    assert all("small" in prompt or "large" in prompt for prompt in endpoint.prompts)
    responses = lines(tmp_path / "job" / "completions-0.jsonl")
    assert {row["reward"] for row in responses} == {0.0, 1.0}
    assert max(abs(loss) for loss in seen.losses) > 0


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("1: yes\n2: no\n3: yes", 2 / 3),
        ("Let me see.\n\n1: Yes.\n2: yes\n3: YES\n", 1.0),
        ("1: yes\n2: no", None),
        ("1: yes\n3: no\n2: yes", None),
        ("1: yes\n2: maybe\n3: yes", None),
        ("1: yes\n2: no\n3: yes\nThat is all.", None),
        ("", None),
    ],
)
def test_perception_r1_reads_one_line_for_each_annotation(stages: Bench, reply: str, score: float | None) -> None:
    judge = stages.build("verifier", "perception").component
    example = Example(
        id="1", question="?", answer="4", metadata={"annotations": ["AB = 4", "C is right", "D is on AB"]}
    )
    claim = Claim(trace=Trace(think="", answer="4", raw="AB is 4."), example=example)
    assert json.dumps("AB is 4.") in judge.messages(claim)[0].content[0]
    if score is None:
        with pytest.raises(Reject):
            judge.parse(Completion(text=reply), claim)
    else:
        assert judge.parse(Completion(text=reply), claim).score == pytest.approx(score)


THINKLITE = """
name: thinklite
base: none
rewards: {coin: 1.0}
train:
  grpo:
    min_rows: 1
    trainer: {use: grpo, prompts: 1, generations: 4, batch: 4, device_batch: 4, devices: 1, steps: 2, max_tokens: 6, beta: 0}
    data:
      source: {use: made, n: 10}
      filters: [{use: noted, path: FOLDER/all.json}, {use: thinklite, attempts: 3}, {use: noted, path: FOLDER/kept.json}]
"""


def test_thinklite_trains_on_what_takes_many_attempts(openvlt: Callable[..., dict[str, Path]], tmp_path: Path) -> None:
    recipe = tmp_path / "thinklite.yaml"
    recipe.write_text(THINKLITE.replace("FOLDER", str(tmp_path)))
    made = openvlt(recipe)
    rates, kept = (json.loads((tmp_path / name).read_text()) for name in ("all.json", "kept.json"))
    assert set(kept) == {id for id, rate in rates.items() if rate == 0 or 1 / rate > 3}
    assert 0 < len(kept) < len(rates) == 10
    assert {row["id"] for row in lines(made["grpo-1"] / "completions-0.jsonl")} <= set(kept)


def test_vision_r1_allows_longer_responses_from_phase_to_phase(openvlt: Callable[..., dict[str, Path]]) -> None:
    sized = "{use: grpo, max_tokens: %d, generations: %d, prompts: 2, batch: %d, steps: 2, beta: 0.0, SMALL}"
    data = "{source: {use: made, n: 8}}"
    made = openvlt(
        PAPERS / "recipes" / "vision_r1.yaml",
        **{
            "rewards": "{coin: {weight: 1.0, when: format.incorrect}}",
            "train.grpo-short.trainer": sized % (4, 8, 16), "train.grpo-short.data": data,
            "train.grpo-long.trainer": sized % (8, 4, 8), "train.grpo-long.data": data,
        },
    )  # fmt: skip
    longest = {
        name: [row["completions/max_length"] for row in lines(made[name] / "metrics.jsonl") if "loss" in row]
        for name in ("grpo-short-1", "grpo-long-1")
    }
    assert max(longest["grpo-short-1"]) == 4 < max(longest["grpo-long-1"]) <= 8
    assert json.loads((made["grpo-long-1"] / "job.json").read_bytes())["model"]["id"] == str(
        made["grpo-short-1"] / "model"
    )
    responses = lines(made["grpo-long-1"] / "completions-0.jsonl")
    assert all(row["reward"] == 0 for row in responses if row["verdicts"]["format"]["status"] != "incorrect")


def test_mpo_learns_from_pairs_and_gspo_goes_on_from_there(openvlt: Callable[..., dict[str, Path]]) -> None:
    made = openvlt(
        PAPERS / "recipes" / "mpo.yaml",
        **{
            "traces.data": "{source: {use: made, n: 16}}",
            "traces.teacher": "{use: policy, k: 4, max_tokens: 8}",
            "train.mpo.trainer.batch": "4", "train.mpo.trainer.device_batch": "4", "train.mpo.trainer.epochs": "2",
            "train.mpo.trainer.learning_rate": "1.0e-3", "train.mpo.trainer.warmup": "0",
            "train.gspo.trainer": "{use: gspo, prompts: 2, generations: 4, batch: 4, steps: 2, max_tokens: 6, SMALL}",
            "train.gspo.data": "{source: {use: made, n: 8}}",
        },
    )  # fmt: skip
    pairs = [row["rewards/margins"] for row in lines(made["mpo-1"] / "metrics.jsonl") if "rewards/margins" in row]
    assert len(pairs) >= 2
    assert pairs[0] == 0 < pairs[-1]
    job = json.loads((made["gspo-1"] / "job.json").read_bytes())
    assert job["model"]["id"] == str(made["mpo-1"] / "model")
    assert job["trainer"]["extra"] == {"importance_sampling_level": "sequence"}
    assert len([row for row in lines(made["gspo-1"] / "metrics.jsonl") if "clip_ratio/high_mean" in row]) == 4
