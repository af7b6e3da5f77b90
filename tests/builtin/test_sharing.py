"""What the trainers refuse before any work, and what a model must be to be saved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt import Example, Format, Image, Model
from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt_plugins.trl import lengths, policy, sharing
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

SFT = {"batch": 8, "device_batch": 2, "devices": 2}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"parallel": "fsdp2", "devices": 1}, "parallel: fsdp2 has no effect with one process"),
        ({"parallel": "zero2", "devices": 1}, "parallel: zero2 has no effect with one process"),
        ({"optimizer": "adamw-offload", "parallel": "ddp"}, "only where processes share the optimizer"),
        ({"optimizer": "adamw-offload", "devices": 1}, "only where processes share the optimizer"),
        ({"optimizer": "adamw-8bit", "parallel": "zero3"}, "works on whole parameters, which parallel: zero3 divides"),
        ({"optimizer": "paged-adamw-8bit", "parallel": "fsdp2"}, "which parallel: fsdp2 divides"),
        ({"precision": "bf16", "parallel": "zero2"}, "precision: bf16 has no effect with parallel: zero2"),
        ({"lora_targets": ["q_proj"]}, "lora_targets has no effect without adapters"),
        ({"schedule": "polynomial", "learning_rate": 1e-7}, "ends at a learning rate of 1e-07, and begins at 1e-07"),
        ({"schedule": "polynomial", "learning_rate": 1e-7, "extra": {"adam_beta2": 0.95}}, "ends at a learning rate"),
        ({"batch": 6}, "batch of 6 cannot be divided into micro-batches of 2 on each of 2 devices"),
        ({"batch": 8, "nodes": 3}, "micro-batches of 2 on each of 6 devices"),
    ],
)
def test_options_that_have_no_effect_together_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sft(**{**SFT, **options})


@pytest.mark.parametrize(
    ("option", "value", "package"),
    [
        ("parallel", "zero3", "deepspeed"),
        ("optimizer", "adamw-8bit", "bitsandbytes"),
        ("attention", "flash2", "flash-attn"),
        ("attention", "flash3", "flash-attn-3"),
        ("liger", True, "liger-kernel"),
    ],
)
def test_what_is_not_installed_is_refused_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, option: str, value: Any, package: str
) -> None:
    monkeypatch.setattr(sharing, "find_spec", lambda name: None)
    monkeypatch.setattr(sharing, "visible_gpus", lambda: ["0", "1"])
    trainer = Sft(**SFT, **{option: value})
    with pytest.raises(UsageError, match=rf"needs the package {package}, which is not installed\. Run: pip install"):
        trainer.check_machine()
    monkeypatch.setattr(sharing, "find_spec", lambda name: name)
    trainer.check_machine()
    monkeypatch.setattr(sharing, "visible_gpus", list)
    if option != "parallel":
        with pytest.raises(UsageError, match="needs a GPU, and this machine has none"):
            trainer.check_machine()


def test_fsdp_needs_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "visible_gpus", list)
    with pytest.raises(UsageError, match="parallel: fsdp2 needs a GPU"):
        Sft(**SFT, parallel="fsdp2").check_machine()


def test_the_devices_of_a_machine_are_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    from openvlt_plugins.trl import trainer

    for gpus, processes in ((["0", "1", "2"], 3), ([], 1)):
        monkeypatch.setattr(trainer, "visible_gpus", lambda gpus=gpus: gpus)
        assert Sft(batch=8, devices="auto").processes() == processes
    monkeypatch.setattr(trainer, "visible_gpus", lambda: ["0", "1", "2"])
    with pytest.raises(UsageError, match="on each of 3 devices"):
        Sft(batch=8, devices="auto").check_machine()


@pytest.mark.parametrize(
    ("gpus", "options", "told"),
    [
        (1, {"parallel": "fsdp2"}, "parallel: fsdp2 has no effect with one process"),
        (1, {"optimizer": "adamw-offload"}, "only where processes share the optimizer"),
        (0, {"optimizer": "adamw-offload"}, "only where processes share the optimizer"),
        (0, {"optimizer": "adamw-offload", "devices": 2}, "no effect with parallel: auto on a CPU"),
        (2, {"optimizer": "adamw-offload"}, None),
        (2, {"parallel": "fsdp2"}, None),
        (1, {"report_to": ["wandb"]}, "report_to names wandb, whose package is not installed. Install wandb"),
        (1, {"report_to": ["azure_ml"]}, "report_to names azure_ml, whose package is not installed. Install azureml"),
        (1, {"report_to": ["kubeflow"]}, None),
    ],
)
def test_options_that_have_no_effect_on_this_machine_are_refused(
    monkeypatch: pytest.MonkeyPatch, gpus: int, options: dict[str, Any], told: str | None
) -> None:
    from openvlt_plugins.trl import trainer

    for module in (trainer, sharing):
        monkeypatch.setattr(module, "visible_gpus", lambda: [str(index) for index in range(gpus)])
    made = Sft(**{"batch": 8, "device_batch": 2, **options})
    if told is None:
        made.check_machine()
        return
    with pytest.raises(UsageError, match=told):
        made.check_machine()


def test_a_colocated_vllm_is_split_over_a_divisor_of_the_gpus_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from openvlt_plugins.trl import trainer
    from openvlt_plugins.trl.grpo import Grpo

    for module in (trainer, sharing):
        monkeypatch.setattr(module, "visible_gpus", lambda: ["0", "1", "2"])
    with pytest.raises(UsageError, match="vLLM cannot be split over 2 of 3 devices"):
        Grpo(prompts=6, batch=6, generations=2, vllm="colocate", vllm_tensor_parallel=2).check_machine()


def test_gpus_that_torch_cannot_use_are_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not sharing.has_gpu()
    monkeypatch.setattr(sharing, "visible_gpus", lambda: ["0", "1"])
    with pytest.raises(UsageError, match=r"This machine has GPUs \(0, 1\), and torch .* cannot use them"):
        sharing.has_gpu()


@pytest.mark.parametrize(("file", "written"), [("pytorch_model_fsdp_0/x", "fsdp2"), ("x", "ddp")])
def test_auto_goes_on_as_the_checkpoint_was_written(tmp_path: Path, file: str, written: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    shared, why = Sft(**SFT).choose(Model(id=str(tmp_path)), 9, tmp_path)
    assert (shared, why) == (written, "the checkpoint was written with it")
    assert Sft(batch=8, devices=1).choose(Model(id=str(tmp_path)), 9, tmp_path)[0] == "ddp"


@pytest.mark.parametrize(
    ("file", "written"), [("pytorch_model_fsdp_0/x", "fsdp2"), ("global_step3/x", "zero2 or zero3"), ("x", "ddp")]
)
def test_a_checkpoint_of_another_sharing_is_refused(tmp_path: Path, file: str, written: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    for shared in ("ddp", "fsdp2", "zero2", "zero3"):
        if shared in written:
            sharing.check_checkpoint(tmp_path, shared)
        else:
            with pytest.raises(UsageError, match=f"written with parallel: {written}, and this training has {shared}"):
                sharing.check_checkpoint(tmp_path, shared)


@pytest.mark.parametrize(
    ("shared", "freeze", "refused"),
    [("ddp", [], False), ("zero2", None, False), ("zero2", [], True), ("zero2", ["vision"], True),
     ("fsdp2", None, False), ("fsdp2", ["projector", "vision"], False), ("fsdp2", ["vision"], True),
     ("fsdp2", [], True), ("zero3", None, True)],
)  # fmt: skip
def test_rows_that_would_let_processes_wait_for_ever_are_refused(shared: Any, freeze: Any, refused: bool) -> None:
    with_image, without = Job(["a"], 1).examples(), Job(["b"], 0).examples()
    sharing.check_rows(shared, freeze, [*with_image, *with_image])
    sharing.check_rows(shared, freeze, [*without])
    if not refused:
        sharing.check_rows(shared, freeze, [*with_image, *without])
        return
    with pytest.raises(UsageError, match=f"parallel: {shared} divides .* of the vision tower"):
        sharing.check_rows(shared, freeze, [*with_image, *without])


def test_gradients_are_divided_after_each_micro_batch(tmp_path: Path) -> None:
    from transformers import TrainingArguments

    for shared, asked in (("fsdp2", {"sync_each_batch": True}), ("ddp", None)):
        fields = sharing.arguments(Sft(**SFT), shared, gpu=True)  # type: ignore[arg-type]
        given = {"accelerator_config": fields.get("accelerator_config")}
        assert TrainingArguments(str(tmp_path), **given).accelerator_config.gradient_accumulation_kwargs == asked


def test_the_fields_of_transformers(tmp_path: Path) -> None:
    from transformers import TrainingArguments

    made = sharing.arguments(Sft(**SFT, parallel="zero3", optimizer="adamw-offload"), "zero3", gpu=True)
    assert made["deepspeed"]["zero_optimization"]["offload_optimizer"] == {"device": "cpu"}
    assert made["deepspeed"]["zero_optimization"]["stage"] == 3
    assert made["bf16"]
    pure = sharing.arguments(Sft(**SFT, precision="bf16"), "fsdp2", gpu=True)
    assert not pure["bf16"]  # else accelerate makes float32 of the weights
    assert sharing.arguments(Sft(**SFT, precision="bf16", lora_rank=4), "ddp", gpu=True)["bf16"]
    for options in ({}, {"gradient_checkpointing": "on"}):
        fields = sharing.arguments(Sft(**SFT, **options), "ddp", gpu=False)
        assert TrainingArguments(str(tmp_path), **fields).gradient_checkpointing == bool(options)


@pytest.mark.parametrize(
    ("options", "shared", "field", "expected"),
    [
        ({}, "ddp", "fsdp", None),
        ({}, "ddp", "gradient_checkpointing", True),
        ({"gradient_checkpointing": "off"}, "ddp", "gradient_checkpointing", False),
        ({"liger": True}, "ddp", "use_liger_kernel", True),
        ({"optimizer": "adamw-8bit"}, "ddp", "optim", "adamw_bnb_8bit"),
        ({"optimizer": "paged-adamw-8bit"}, "ddp", "optim", "paged_adamw_8bit"),
        ({}, "fsdp2", "fsdp", True),
        ({}, "fsdp2", "fsdp_config.cpu_offload", False),
        ({"optimizer": "adamw-offload"}, "fsdp2", "fsdp_config.cpu_offload", True),
        ({}, "fsdp2", "fsdp_config.cpu_ram_efficient_loading", False),
        ({"freeze": ()}, "fsdp2", "fsdp_config.cpu_ram_efficient_loading", True),
        ({}, "zero2", "deepspeed.zero_optimization", {"stage": 2}),
        ({}, "zero3", "deepspeed.zero_optimization.stage3_gather_16bit_weights_on_model_save", True),
    ],
)
def test_each_option_reaches_transformers(options: dict[str, Any], shared: Any, field: str, expected: Any) -> None:
    found: Any = sharing.arguments(Sft(**SFT, **options), shared, gpu=True)
    for name in field.split("."):
        found = found.get(name)
    assert found == expected


@pytest.mark.parametrize(
    ("options", "size", "chosen"),
    [
        ({}, 80e9, "ddp"),
        ({}, 1e6, "fsdp2"),
        ({"parallel": "zero2"}, 80e9, "zero2"),
        ({"devices": 1}, 1e6, "ddp"),
        ({"optimizer": "adamw-8bit"}, 1e6, "ddp"),
        ({"optimizer": "adamw-offload"}, 80e9, "fsdp2"),
    ],
)
def test_what_processes_share_is_chosen_by_what_a_gpu_holds(
    vision_model: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], size: float, chosen: str
) -> None:
    import torch

    monkeypatch.setattr(sharing, "has_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=int(size)))
    shared, why = Sft(**{**SFT, **options}).choose(Model(id=str(vision_model)), 300, None)
    assert shared == chosen and why


@pytest.mark.parametrize(
    ("options", "trained", "frozen"),
    [
        ({}, "float32", "float32"),
        ({"adapted": True}, "float32", "float32"),
        ({"mixed": True}, "float32", "bfloat16"),
        ({"mixed": True, "adapted": True}, "bfloat16", "bfloat16"),
        ({"mixed": False, "pure": True}, "bfloat16", "bfloat16"),
    ],
)
def test_weights_are_loaded_in_the_precision_they_are_trained_in(
    vision_model: Path, tmp_path: Path, options: dict[str, bool], trained: str, frozen: str
) -> None:
    """The base of adapters is bf16, and so is a frozen tower: half the memory of what is never changed."""
    import torch
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(vision_model, dtype=torch.bfloat16).save_pretrained(tmp_path)
    loaded = policy.load(Model(id=str(tmp_path)), None, None, **options)
    dtypes = {(each.requires_grad, str(each.dtype).removeprefix("torch.")) for each in loaded.parameters()}
    assert dtypes == {(True, trained), (False, frozen)}


@pytest.fixture(scope="module")
def model(vision_model: Path) -> Any:
    return policy.load(Model(id=str(vision_model)), None, None)


class TestSaved:
    def trainer(self, model: Any, weights: dict[str, Any]) -> Any:
        accelerator = SimpleNamespace(
            get_state_dict=lambda _: weights, is_main_process=True, unwrap_model=lambda same: same,
            wait_for_everyone=lambda: None,
        )  # fmt: skip
        state = SimpleNamespace(log_history=[])
        return SimpleNamespace(accelerator=accelerator, model=model, model_wrapped=model, state=state)

    def save(self, model: Any, weights: dict[str, Any], vision_model: Path, folder: Path) -> Path:
        start = Model(id=str(vision_model))
        return policy.save(self.trainer(model, weights), policy.load_processor(start), start, folder).folder

    def test_a_whole_model_is_the_one_that_was_gathered(self, model: Any, vision_model: Path, tmp_path: Path) -> None:
        saved = self.save(model, model.state_dict(), vision_model, tmp_path)
        assert (saved / "model.safetensors").read_bytes() == (vision_model / "model.safetensors").read_bytes()

    @pytest.mark.parametrize("name", ["model.language_model.embed_tokens.weight", "model.language_model.norm.weight"])
    def test_an_empty_tensor_is_refused(self, model: Any, vision_model: Path, tmp_path: Path, name: str) -> None:
        weights = {**model.state_dict(), name: model.state_dict()[name].new_empty(0)}
        with pytest.raises(OpenvltError, match=rf"not saved whole: {name} has the shape \(0,\), not \(\d+"):
            self.save(model, weights, vision_model, tmp_path)
        assert not (tmp_path / "model").exists()

    def test_a_missing_tensor_is_refused(self, model: Any, vision_model: Path, tmp_path: Path) -> None:
        weights = {name: weight for name, weight in model.state_dict().items() if "layers.1.mlp.up" not in name}
        with pytest.raises(OpenvltError, match=r"layers\.1\.mlp\.up_proj\.weight is missing"):
            self.save(model, weights, vision_model, tmp_path)

    def test_what_was_written_is_looked_at(
        self, model: Any, vision_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = type(model).save_pretrained

        def lossy(self: Any, folder: Path, **options: Any) -> None:
            whole(self, folder, state_dict=dict(list(self.state_dict().items())[1:]), **options)

        monkeypatch.setattr(type(model), "save_pretrained", lossy)
        with pytest.raises(OpenvltError, match=r"not saved whole: its files have .* numbers, not"):
            self.save(model, model.state_dict(), vision_model, tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "told"), [("empty", r"norm\.weight has the shape \(0,\)"), ("drop", "numbers, not")]
    )
    def test_the_files_are_compared_with_the_model(
        self, model: Any, vision_model: Path, tmp_path: Path, spoil: str, told: str
    ) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(vision_model / "model.safetensors")
        policy.check_saved(model, vision_model)
        lost = weights.pop("model.norm.weight")
        if spoil == "empty":
            weights["model.norm.weight"] = lost.new_empty(0)
        save_file(weights, tmp_path / "model.safetensors")
        with pytest.raises(OpenvltError, match=told):
            policy.check_saved(model, tmp_path)


class Job:
    """Examples with and without pictures, of which one is long."""

    format = Format()

    def __init__(self, questions: Sequence[str], images: int) -> None:
        pictures = tuple(Image.file(f"/{number}") for number in range(images))
        self._examples = [
            Example(id=f"q/{number}", question=question, answer="1", images=pictures)
            for number, question in enumerate(questions)
        ]

    def examples(self) -> Sequence[Example]:
        return self._examples

    def read(self, image: Image) -> Any:
        import PIL.Image

        return PIL.Image.new("RGB", (64, 64))


@pytest.fixture(scope="module")
def processor(vision_model: Path) -> Any:
    return policy.load_processor(Model(id=str(vision_model)))


@pytest.mark.parametrize("images", [0, 1, 3])
def test_the_length_of_a_row_is_what_the_trainer_makes_of_it(processor: Any, images: int) -> None:
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from openvlt import Message, PlainText
    from openvlt_plugins.trl.dataset import turn

    job, plain = Job(["What is it?"], images), PlainText(processor.tokenizer)
    row = {
        "prompt": [turn(each, bool(images), plain) for each in job.format.prompt(job.examples()[0])],
        "completion": [turn(Message.assistant("It is a ball."), bool(images), plain)],
        "images": [job.read(each) for each in job.examples()[0].images],
    }
    if images:
        made = DataCollatorForVisionLanguageModeling(processor)([row])["input_ids"].shape[1]
    else:
        from trl import apply_chat_template

        texts = apply_chat_template({key: row[key] for key in ("prompt", "completion")}, processor)
        made = sum(len(processor.tokenizer(text)["input_ids"]) for text in texts.values())
    replies = {"completion": lambda index: "It is a ball."}
    assert 0 <= lengths.longest(job, processor, None, **replies) - made <= images  # the pictures are at the limit
    assert lengths.longest(job, processor, made, **replies) == made
    with pytest.raises(DataError, match=rf"Row 1 \(example 'q/0'\) is {made} tokens long with its response, over the"):
        lengths.longest(job, processor, made - 1, **replies)
    lengths.longest(job, processor, made, response=0)
    with pytest.raises(DataError, match=r"example 'q/1'"):
        lengths.longest(Job(["a?", "What is it? " * 300], images), processor, 512, response=100)


def test_a_model_of_the_hub_is_taken_at_its_revision(
    vision_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache as the hub's client leaves it, with two revisions of one model."""
    import shutil

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--us--tiny"
    for branch, commit in {"main": "a" * 40, "v1": "b" * 40}.items():
        shutil.copytree(vision_model, repository / "snapshots" / commit)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / branch).write_text(commit)
    for revision, commit in {None: "a" * 40, "v1": "b" * 40, "b" * 40: "b" * 40}.items():
        found = policy.located(Model(id="us/tiny", revision=revision))
        assert Path(found.id) == repository / "snapshots" / commit
    assert policy.located(Model(id=str(vision_model))).id == str(vision_model)


@given(st.integers(1, 40), st.integers(2, 8), st.integers(1, 200), st.integers(1, 9), st.integers(1, 8))
def test_what_is_proposed_for_a_batch_can_be_divided(
    prompts: int, generations: int, batch: int, device_batch: int, devices: int
) -> None:
    """All that has to change is told at once: each proposal is accepted as it is."""
    options = {"prompts": prompts, "batch": batch, "device_batch": device_batch}
    try:
        Grpo(**options, generations=generations, devices=devices)
    except UsageError as error:
        first = "prompts" if prompts % devices else "batch"
        for each in error.remedy.partition("such as ")[2].split(", or "):
            told = {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", f"{first}: {each}")}
            Grpo(**{**options, **told}, generations=generations, devices=devices)


@pytest.mark.parametrize(
    ("options", "gpus", "told"),
    [
        ({"parallel": "fsdp2"}, ["0"], "parallel: fsdp2 has no effect with one process"),
        ({"optimizer": "adamw-offload"}, ["0"], "only where processes share the optimizer"),
        ({"vllm": "colocate", "vllm_tensor_parallel": 2}, ["0"], "split over 2 of 1 devices"),
        ({"vllm": "colocate", "vllm_tensor_parallel": 2}, ["0", "1", "2"], "split over 2 of 3 devices"),
        ({"prompts": 8, "batch": 16}, ["0", "1", "2"], "split groups of 2 responses over 3 processes"),
    ],
)
def test_what_the_gpus_of_a_machine_cannot_do_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], gpus: list[str], told: str
) -> None:
    """With devices: auto only the machine tells how many processes there are; a plan has other GPUs."""
    from openvlt_plugins.trl import grpo, trainer

    for module in (grpo, trainer, sharing):
        monkeypatch.setattr(module, "visible_gpus", lambda: gpus, raising=False)
    monkeypatch.setattr(grpo, "find_spec", lambda name: name)
    made = Grpo(**{"prompts": 12, "generations": 2, "batch": 24, "device_batch": 1, "beta": 0.0, **options})
    with pytest.raises(UsageError, match=told):
        made.check_machine()
