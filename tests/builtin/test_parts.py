"""What is frozen and what is adapted, in ten families of models and in those that cannot be told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from families import FAMILIES
from openvlt import Claim, Example, Format, Gpus, Image, Model, Trace, UsageError, Verdict
from openvlt.interfaces import Trainer
from openvlt.pipeline import compile_recipe
from openvlt.recipe import read_recipe
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import open_home
from openvlt.verification import RewardRow
from openvlt_plugins.trl import parts, policy, sharing
from openvlt_plugins.trl.policy import load, reference_dtype
from openvlt_plugins.trl.sft import Sft
from tiny_models import picture

ALL = {"vision", "projector", "language"}


@pytest.fixture
def loaded(family: Callable[[str], Path]) -> Callable[[str], Any]:
    from transformers import AutoModelForImageTextToText

    return lambda name: AutoModelForImageTextToText.from_pretrained(family(name))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_has_a_part(loaded: Callable[[str], Any], name: str) -> None:
    """By the names that the family's authors gave its modules, which the code does not know."""
    for parameter, part in parts.parts(loaded(name)).items():
        if re.search(r"merger|projector|connector|embed_vision|image_newline", parameter):
            assert part == "projector", parameter
        elif re.search(r"visual|vision", parameter):
            assert part == "vision", parameter
        else:
            assert part == "language", parameter


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("frozen", "trained"),
    [
        (None, {"language"}),
        (["vision", "projector"], {"language"}),
        (["vision"], {"language", "projector"}),
        (["projector"], {"language", "vision"}),
        ([], ALL),
    ],
)
def test_exactly_what_is_named_is_frozen(
    loaded: Callable[[str], Any], name: str, frozen: list[str] | None, trained: set[str]
) -> None:
    policy = loaded(name)
    parts.freeze(policy, frozen)
    part = parts.parts(policy)
    assert {part[name] for name, each in policy.named_parameters() if each.requires_grad} == trained
    assert {part[name] for name, each in policy.named_parameters() if not each.requires_grad} == ALL - trained


@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_are_on_the_linear_layers_of_what_is_trained(loaded: Callable[[str], Any], name: str) -> None:
    from peft import get_peft_model

    policy = loaded(name)
    part = parts.parts(policy)

    def adapted(targets: list[str], frozen: list[str] | None) -> set[str]:
        config = parts.adapters(policy, 2, targets, frozen)
        wrapped = get_peft_model(policy, config)
        found = {name.partition(".lora_A")[0] for name, _ in wrapped.named_parameters() if ".lora_A" in name}
        wrapped.unload()
        return {name.removeprefix("base_model.model.") for name in found}

    usual = adapted([], None)
    assert {part[f"{layer}.weight"] for layer in usual} == {"language"}
    assert "lm_head" not in usual
    assert {"q_proj", "o_proj", "down_proj"} <= {layer.rpartition(".")[2] for layer in usual}
    assert adapted(["q_proj", "down_proj"], None) == {
        layer for layer in usual if layer.rpartition(".")[2] in ("q_proj", "down_proj")
    }
    assert {part[f"{layer}.weight"] for layer in adapted([], ["projector"])} == {"language", "vision"}
    with pytest.raises(UsageError, match=r"names q_pro, but no linear layer .* Did you mean 'q_proj'\?"):
        parts.adapters(policy, 2, ["q_pro"], None)
    assert parts.adapters(policy, 0, [], None) is None


def test_a_text_model_has_nothing_to_freeze(text_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    policy = AutoModelForCausalLM.from_pretrained(text_model)
    parts.freeze(policy, None)
    assert all(each.requires_grad for each in policy.parameters())
    assert len(parts.adapters(policy, 2, [], None).target_modules) == 2 * 7
    with pytest.raises(UsageError, match=r"freeze names projector, which Qwen2ForCausalLM does not have"):
        parts.freeze(policy, ["projector"])


SFT = {"use": "sft", "batch": 4, "device_batch": 4, "devices": 1}
GRPO = {"use": "grpo", "prompts": 3, "generations": 4, "batch": 12, "device_batch": 1, "devices": 3}
ADAPTED = {"lora_rank": 2, "lora_targets": ["q_proj", "up_proj"]}
MISNAMED = {"lora_rank": 2, "lora_targets": ["q_proj", "up_pro"]}


@pytest.mark.parametrize(
    ("trainer", "told"),
    [
        ({**SFT, "freeze": []}, ""),
        ({**SFT, **ADAPTED}, ""),
        ({**SFT, "freeze": ["vision"]}, "freeze names vision, which Qwen2ForCausalLM does not have"),
        ({**GRPO, "freeze": ["projector"]}, "freeze names projector, which Qwen2ForCausalLM does not have"),
        ({**SFT, **MISNAMED}, r"lora_targets names up_pro, .* Did you mean 'up_proj'\?"),
        ({**GRPO, **MISNAMED}, r"lora_targets names up_pro, .* Did you mean 'up_proj'\?"),
        ({**GRPO, "vllm": "colocate", "vllm_tensor_parallel": 3}, "the model's 4 attention heads over 3 GPUs"),
    ],
)
@pytest.mark.parametrize("planned", [False, True])
def test_what_a_model_does_not_have_is_refused_before_any_work(
    text_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trainer: dict[str, Any],
    told: str,
    planned: bool,
) -> None:
    """Also by a plan for other GPUs, which does not look at this machine."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    (tmp_path / "rows.jsonl").write_text('{"question": "What?", "answer": "1", "response": "It is 1."}\n' * 4)
    (tmp_path / "text.yaml").write_text(
        f"name: text\nbase: {text_model}\nrewards: {{answer: 1.0}}\ntrain:\n  phase:\n"
        f"    data: {{source: {{use: rows, path: rows.jsonl}}}}\n    trainer: {json.dumps(trainer)}\n"
    )
    recipe, registry = read_recipe(str(tmp_path / "text.yaml")), Registry.discover([])
    workspace = Workspace(open_home(), registry, models={"base": recipe.base})
    stage = next(each for each in compile_recipe(recipe, registry, {}) if each.name == "phase-1")
    if planned:
        workspace.gpus = Gpus(3, 80 << 30)
        problem = stage.describe(workspace).problem
        assert re.search(told, str(problem)) if told else problem is None
    elif told:
        with pytest.raises(UsageError, match=f"Stage phase-1: .*{told}"):
            stage.check(workspace)
    else:
        stage.check(workspace)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "t5"}, "transformers makes no model of the type t5"),
        ({"model_type": "no_such"}, "transformers makes no model of the type no_such"),
        ({}, "transformers makes no model of the type None"),
    ],
)
def test_a_model_that_no_trainer_loads_is_refused_before_any_work(config: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sft(devices=1).check_model(config)


def test_a_usual_model_is_not_asked(vision_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To import transformers takes seconds, which the first command of a user would wait for."""
    asked: list[Any] = []
    monkeypatch.setattr(policy, "outline", asked.append)
    config = json.loads((vision_model / "config.json").read_bytes())
    for freeze in (None, (), ("vision",), ("vision", "projector")):
        Sft(devices=1, freeze=freeze, lora_rank=2).check_model(config)
    assert not asked


@pytest.mark.parametrize("name", FAMILIES)
def test_an_outline_is_judged_as_the_model_is(
    family: Callable[[str], Path], loaded: Callable[[str], Any], name: str
) -> None:
    """What its ``config.json`` says gives the same parts and layers as its weights do."""
    outline, whole = policy.outline(json.loads((family(name) / "config.json").read_bytes())), loaded(name)
    assert parts.parts(outline) == parts.parts(whole)
    made = [parts.adapters(each, 2, [], ["vision"]).target_modules for each in (outline, whole)]
    assert made[0] == made[1]
    assert all(parameter.is_meta for parameter in outline.parameters())


def test_kernels_that_a_model_does_not_have_are_refused() -> None:
    lacks = SimpleNamespace(_supports_sdpa=False, _supports_flash_attn=False)
    for attention in ("sdpa", "flash2", "flash3"):
        with pytest.raises(UsageError, match=f"attention: {attention} is not possible"):
            sharing.check_kernels(lacks, attention)  # type: ignore[arg-type]
    sharing.check_kernels(lacks, "auto")


def test_limits_of_pixels_that_cannot_be_kept_are_refused_before_a_training(
    family: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    (tmp_path / "rows.jsonl").write_text('{"question": "What?", "answer": "1", "response": "It is 1."}\n' * 4)
    (tmp_path / "limits.yaml").write_text(
        f"name: limits\nbase: {{id: {family('Gemma 3')}, pixels: [2000, 4000]}}\ntrain:\n  sft:\n"
        "    data: {source: {use: rows, path: rows.jsonl}}\n    trainer: {use: sft, batch: 4, device_batch: 4}\n"
    )
    recipe, registry = read_recipe(str(tmp_path / "limits.yaml")), Registry.discover([])
    workspace = Workspace(open_home(), registry, models={"base": recipe.base})
    stage = next(each for each in compile_recipe(recipe, registry, {}) if each.name == "sft-1")
    with pytest.raises(UsageError, match="Gemma3ImageProcessor makes every image 32 x 32"):
        stage.check(workspace)


@pytest.mark.parametrize("kind", ["fuyu", "idefics", "git", "t5gemma2"])
def test_a_model_whose_parts_cannot_be_told_apart_is_refused(kind: str) -> None:
    import torch
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    config = transformers.CONFIG_MAPPING[kind]()
    with torch.device("meta"):
        policy = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)](config)
    with pytest.raises(UsageError, match=f"parts of {type(policy).__name__} cannot be told apart"):
        parts.freeze(policy, None)
    parts.freeze(policy, [])


def test_a_second_tower_is_vision_too() -> None:
    """One for high resolutions, beside the one that transformers names."""
    import torch
    from transformers import DeepseekVLHybridConfig, DeepseekVLHybridForConditionalGeneration

    with torch.device("meta"):
        policy = DeepseekVLHybridForConditionalGeneration(DeepseekVLHybridConfig())
    part = parts.parts(policy)
    towers = {part[name] for name in part if name.startswith(("model.vision_model.", "model.high_res_vision_model."))}
    others = {part[name] for name in part if name.startswith(("model.aligner.", "model.high_res_vision_proj."))}
    assert (towers, others) == ({"vision"}, {"projector"})


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("frozen", [None, ["vision"], ["projector"]])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_frozen_tower_outside_the_backward_pass_changes_no_gradient(
    loaded: Callable[[str], Any],
    family: Callable[[str], Path],
    name: str,
    frozen: list[str] | None,
    checkpointing: bool,
) -> None:
    import torch
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(family(name))
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
    text = processor.apply_chat_template(turns)
    inputs = processor(text=[text], images=[picture(Image("red", 48, 32))], return_tensors="pt")
    inputs["labels"] = inputs["input_ids"]

    def gradients(without: bool) -> dict[str, Any]:
        policy = loaded(name).train()
        parts.freeze(policy, frozen)
        if without:
            parts.frozen_without_gradients(policy)
        if checkpointing:
            policy.gradient_checkpointing_enable({"use_reentrant": False})
            policy.enable_input_require_grads()
        policy(**inputs).loss.backward()
        return {name: each.grad for name, each in policy.named_parameters() if each.grad is not None}

    reference, ours = gradients(False), gradients(True)
    assert reference.keys() == ours.keys()
    assert all(torch.equal(reference[name], ours[name]) for name in reference)


class Job:
    """Two examples with a picture each, learned by heart."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.format, self.folder, self.seed = Model(id=str(model)), Format(), folder, 0
        self.checkpoint = None

    def examples(self) -> list[Example]:
        images = (Image("red", 48, 32), Image("blue", 32, 32))
        return [Example(id=str(n), question="What?", answer=str(n), images=(each,)) for n, each in enumerate(images)]

    def traces(self) -> list[Trace]:
        return [Trace(think="so", answer=example.answer, raw="") for example in self.examples()]

    def read(self, image: Image) -> Any:
        return picture(image)

    def reward(self, claims: list[Claim]) -> list[RewardRow]:
        known = [float(len(set(claim.token_ids))) for claim in claims]
        return [RewardRow(each, {"luck": Verdict.scored(each / 4)}) for each in known]

    def log(self, metrics: object) -> None: ...

    def saved(self, checkpoint: Path) -> None: ...


TRAINERS: dict[str, dict[str, Any]] = {
    "sft": {"use": "sft", "batch": 1, "device_batch": 1, "learning_rate": 1e-2, "warmup": 0.0},
    "lora": {"use": "sft", "batch": 1, "device_batch": 1, "learning_rate": 1e-2, "warmup": 0.0, "lora_rank": 2},
    "grpo": {
        "use": "grpo", "prompts": 1, "generations": 4, "batch": 4, "device_batch": 4, "max_tokens": 4, "steps": 2,
        "learning_rate": 1e-2, "beta": 0.0,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_two_steps_change_exactly_the_language_model(
    family: Callable[[str], Path], loaded: Callable[[str], Any], name: str, trainer: str, tmp_path: Path
) -> None:
    from transformers import AutoModelForImageTextToText

    component = Registry.discover([]).build(Trainer, TRAINERS[trainer]).component
    made = component.train(Job(family(name), tmp_path))
    before = loaded(name)
    part, old = parts.parts(before), before.state_dict()
    new = AutoModelForImageTextToText.from_pretrained(made.folder).state_dict()
    changed = {part[key] for key in part if not bool((old[key] == new[key]).all())}
    assert changed == {"language"}


@pytest.mark.parametrize(
    ("saved", "pure", "mixed", "expected"),
    [
        ("bfloat16", False, True, "bfloat16"),
        ("bfloat16", False, False, "float32"),
        ("float32", False, True, "float32"),
        ("float32", True, True, "bfloat16"),
    ],
)
def test_a_reference_model_has_the_dtype_of_what_is_frozen(
    family: Callable[[str], Path], tmp_path: Path, saved: str, pure: bool, mixed: bool, expected: str
) -> None:
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(family("Qwen2-VL"), dtype=saved).save_pretrained(tmp_path)
    model = Model(id=str(tmp_path))
    assert reference_dtype(model, pure=pure, mixed=mixed) == expected
    tower = parts.frozen_modules(load(model, None, None, pure=pure, mixed=mixed))
    assert {str(each.dtype) for module in tower for each in module.parameters()} == {f"torch.{expected}"}


class Loaded(Exception):
    """The dtypes of a reference model, as soon as it is loaded."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LLaVA-OneVision", "Qwen2-VL"])
def test_trl_loads_the_reference_model_as_it_is_told(
    family: Callable[[str], Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy is float32, as is LLaVA-OneVision's first parameter beside a frozen tower in bf16."""
    from trl.trainer import grpo_trainer

    real = grpo_trainer.create_model_from_path

    def made(*arguments: Any, **options: Any) -> None:
        raise Loaded({str(each.dtype) for each in real(*arguments, **options).parameters()})

    monkeypatch.setattr(policy, "reference_dtype", lambda *_, **__: "bfloat16")
    monkeypatch.setattr(grpo_trainer, "create_model_from_path", made)
    component = Registry.discover([]).build(Trainer, {**TRAINERS["grpo"], "beta": 0.1}).component
    with pytest.raises(Loaded, match=r"^\{'torch.bfloat16'\}$"):
        component.train(Job(family(name), tmp_path))
