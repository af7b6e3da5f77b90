"""GRPO's rollouts by vLLM, at the boundary where TRL calls it; core/test_colocated.py runs it."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies
from PIL import Image

from openvlt.errors import OpenvltError, UsageError
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.rollouts import check_agreement, collapsed, colocated, forbidden, start_server, synchronised

IMAGE = 7
DIFFERENCE = "sampling/sampling_logp_difference/mean"


@given(strategies.lists(strategies.integers(1, 6) | strategies.integers(1, 9).map(lambda count: -count)))
def test_a_run_of_image_tokens_becomes_one(parts: list[int]) -> None:
    """Text tokens are positive; -n stands for an image of n tokens, and images are never next to each other."""
    parts = [part for part, before in zip(parts, [1, *parts], strict=False) if part > 0 or before > 0]
    expanded = [token for part in parts for token in ([part] if part > 0 else [IMAGE] * -part)]
    assert collapsed(expanded, IMAGE) == [part if part > 0 else IMAGE for part in parts]


@pytest.fixture(scope="module")
def processor(vision_model: Path) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(vision_model)


@pytest.mark.parametrize("sizes", [[], [(64, 64)], [(64, 64), (32, 96)], [(8, 8), (8, 8), (200, 40)]])
def test_a_processed_prompt_is_what_the_template_wrote(processor: Any, sizes: list[tuple[int, int]]) -> None:
    """vLLM expands each image token by itself, so it must get what the tokenizer alone makes of the template."""
    content: list[dict[str, Any]] = [{"type": "image"} for _ in sizes] + [{"type": "text", "text": "What is it?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    pictures = [Image.new("RGB", size) for size in sizes]
    expanded = processor(text=[text], images=pictures or None)["input_ids"][0]
    assert (len(expanded) > len(processor.tokenizer(text)["input_ids"])) == bool(sizes)
    assert collapsed(expanded, processor.image_token_id) == processor.tokenizer(text)["input_ids"]


def test_a_colocated_vllm_gets_collapsed_prompts_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from openvlt_plugins.trl import imports

    with imports.without_vllm():
        from trl import GRPOTrainer

        from openvlt_plugins.trl.rollouts import trainer_class

        made = trainer_class(GRPOTrainer)
    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", lambda self, prompts, *_: (prompts, None))
    trainer = made.__new__(made)
    trainer.processing_class = type("Processor", (), {"image_token_id": IMAGE})()
    prompt = [1, IMAGE, IMAGE, IMAGE, 2]
    for use_vllm, mode, expected in [
        (True, "colocate", [1, IMAGE, 2]),
        (True, "server", prompt),
        (False, "colocate", prompt),
    ]:
        trainer.use_vllm, trainer.vllm_mode = use_vllm, mode
        assert trainer._generate_single_turn([prompt], None, {}, 2) == ([expected], None)


def test_a_trainer_with_vllm_makes_it_forget_images_and_ends_where_it_differs() -> None:
    from openvlt_plugins.trl.rollouts import trainer_class

    told: list[str] = []
    engine = SimpleNamespace(reset_encoder_cache=lambda: told.append("reset"))

    class Base:
        def __init__(self, difference: float) -> None:
            self.model = SimpleNamespace(register_forward_pre_hook=lambda *_, **__: None, training=True)
            self.ref_model, self.use_vllm, self._metrics = None, True, {"train": {DIFFERENCE: [difference]}}
            self.vllm_generation = SimpleNamespace(
                mode="colocate", sync_weights=lambda: told.append("sync"), llm=SimpleNamespace(llm_engine=engine)
            )

        def _generate_and_score_completions(self, inputs: str) -> str:
            return f"scored {inputs}"

    trainer = trainer_class(Base)(0.02)
    trainer.vllm_generation.sync_weights()
    assert told == ["sync", "reset"]
    assert trainer._generate_and_score_completions("rows") == "scored rows"
    with pytest.raises(OpenvltError, match=r"differ by 0\.90"):
        trainer_class(Base)(0.9)._generate_and_score_completions("rows")


def test_a_colocated_vllm_has_the_limits_of_pixels_and_the_dtype_of_the_training(
    vision_model: Path, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoConfig, AutoProcessor
    from trl.generation import vllm_generation

    monkeypatch.setattr(vllm_generation, "LLM", dict, raising=False)

    before = {path.name: path.read_bytes() for path in vision_model.iterdir()}
    limits = {"shortest_edge": 256, "longest_edge": 1024}
    processor.image_processor.size, usual = limits, processor.image_processor.size
    model = SimpleNamespace(name_or_path=str(vision_model), dtype="float32")
    for mixed, dtype in [(False, "float32"), (True, "bfloat16")]:
        with colocated(model, processor, SimpleNamespace(bf16=mixed)):
            assert vllm_generation.LLM(seed=1) == {"dtype": dtype, "load_format": "safetensors", "seed": 1}
    assert vllm_generation.LLM is dict
    with colocated(model, processor, SimpleNamespace(bf16=True)):
        folder = Path(model.name_or_path)
        assert dict(AutoProcessor.from_pretrained(folder).image_processor.size) == limits
        assert AutoConfig.from_pretrained(folder).model_type == "qwen2_5_vl"
        assert (folder / "model.safetensors").read_bytes() == before["model.safetensors"]
    processor.image_processor.size = usual
    assert model.name_or_path == str(vision_model)
    assert {path.name: path.read_bytes() for path in vision_model.iterdir()} == before


def test_no_token_that_stands_for_pixels_is_generated(processor: Any) -> None:
    from tiny_models import SPECIAL

    ids = processor.tokenizer.convert_tokens_to_ids(list(SPECIAL[3:]))
    assert forbidden(processor) == sorted(ids)
    options = Grpo(prompts=2, generations=4, batch=8, vllm="colocate", vllm_memory=0.4, devices=1)
    fields = options._generation(ids, 900)
    assert fields["generation_kwargs"] == {"logit_bias": dict.fromkeys(ids, -100.0)}
    assert "suppress_tokens" not in json.dumps(fields)
    assert fields["vllm_gpu_memory_utilization"] == 0.4
    assert fields["vllm_max_model_length"] == 900
    assert fields["vllm_importance_sampling_mode"] == "token_truncate"
    assert fields["vllm_enable_sleep_mode"] is True
    assert Grpo(prompts=2, generations=4, batch=8, devices=1)._generation(ids, 900) == {
        "generation_kwargs": {"suppress_tokens": ids}
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"vllm_memory": 0.5}, "vllm_memory has no effect with vllm: off"),
        ({"vllm": "server", "vllm_sleep": False}, "vllm_sleep has no effect with vllm: server"),
        ({"vllm": "colocate", "vllm_url": "http://a:8000"}, "vllm_url has no effect with vllm: colocate"),
        ({"vllm": "server", "vllm_url": "http://a:8000", "vllm_memory": 0.5}, r"vllm: server of others \(vllm_url\)"),
        ({"vllm": "server", "devices": "auto"}, "GPUs of this machine that the training leaves it"),
        ({"vllm": "colocate", "slow_rollouts": True}, "slow_rollouts has no effect with vLLM"),
        ({"importance_correction": "off"}, "importance_correction has no effect with vllm: off"),
        (
            {"vllm_memory": 0.5, "vllm_tensor_parallel": 2, "importance_correction": "off"},
            "options vllm_memory, vllm_tensor_parallel and importance_correction have no effect with vllm: off. Set "
            "vllm: colocate or server, or remove them",
        ),
        ({"vllm_url": "http://a:8000", "vllm_sleep": True}, "have no effect with vllm: off. Remove them"),
        ({"vllm": "server", "vllm_url": "localhost:8000"}, "'localhost:8000', which is no address of a server"),
        (
            {"vllm": "colocate", "loss_type": "vespo", "importance_correction": "sequence_mask"},
            "vespo takes no importance_correction: sequence_mask",
        ),
        ({"vllm": "colocate", "top_p": 0.99}, "biased by top_p: 0.99"),
        ({"vllm": "colocate", "devices": 2, "vllm_tensor_parallel": 4}, "split over 4 of 2 devices"),
    ],
)
def test_an_option_of_vllm_that_has_no_effect_or_biases_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Grpo(**{"prompts": 2, "generations": 4, "batch": 8, "devices": 1, **options})


GIVEN = {"vllm_url": "http://a:8000", "vllm_sleep": True, "vllm_memory": 0.5, "vllm_tensor_parallel": 1}


@pytest.mark.parametrize("names", [names for count in range(1, 5) for names in combinations(GIVEN, count)])
@pytest.mark.parametrize("vllm", ["off", "colocate", "server"])
def test_a_mode_that_is_advised_takes_all_options_that_are_given(vllm: str, names: tuple[str, ...]) -> None:
    options: dict[str, Any] = {"prompts": 2, "generations": 4, "batch": 8, "devices": 1}
    options |= {name: GIVEN[name] for name in names}
    try:
        Grpo(vllm=vllm, **options)
    except UsageError as error:
        advised = re.match(r"Set vllm: (\w+)( or (\w+))?", error.remedy)
        for mode in filter(None, advised.group(1, 3) if advised else ()):
            Grpo(vllm=mode, **options)


def test_what_a_server_needs_is_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        Grpo(vllm="server", top_p=0.99, slow_rollouts=True)
    for told in ("GPUs of this machine", "biased by top_p", "slow_rollouts has no effect"):
        assert told in refused.value.problem
    for told in (
        "devices to the number of the others (1, 2, 4, 8 divide",
        "nodes to 1",
        "vllm_tensor_parallel to the number",
    ):
        assert told in refused.value.remedy
    for devices in (1, 2, 4, 8):
        Grpo(vllm="server", devices=devices, vllm_tensor_parallel=4)


def test_a_biased_ratio_is_no_concern_where_it_is_not_used() -> None:
    Grpo(prompts=2, generations=4, batch=8, vllm="colocate", top_p=0.99, importance_correction="off", devices=1)


def test_vllm_forgets_images_when_it_gets_new_weights() -> None:
    told: list[str] = []
    engine = SimpleNamespace(reset_encoder_cache=lambda: told.append("reset"))

    def post(url: str) -> Any:
        told.append(url)
        return SimpleNamespace(raise_for_status=lambda: None)

    client = SimpleNamespace(base_url="http://a:1", session=SimpleNamespace(post=post))
    for mode, main, expected in [
        ("colocate", False, ["sync", "reset"]),
        ("server", True, ["sync", "http://a:1/reset_encoder_cache"]),
        ("server", False, ["sync"]),
    ]:
        told.clear()
        synchronised(
            SimpleNamespace(
                mode=mode, sync_weights=lambda: told.append("sync"), vllm_client=client,
                llm=SimpleNamespace(llm_engine=engine), accelerator=SimpleNamespace(is_main_process=main),
            )
        )()  # fmt: skip
        assert told == expected


def test_a_training_ends_where_vllm_has_other_weights_or_prompts() -> None:
    for differences in ((), (0.02,), (0.9, 0.1)):
        check_agreement(differences)
    with pytest.raises(OpenvltError, match=r"differ by 0\.86 in the log-probability"):
        check_agreement([0.01, 0.86])


def test_a_server_is_started_as_trl_wants_it_for_this_machine_alone(
    vision_model: Path, processor: Any, tmp_path: Path
) -> None:
    from openvlt_plugins.trl import imports

    started: list[tuple[list[str], dict[str, str]]] = []
    job: Any = SimpleNamespace(folder=tmp_path, serve=lambda *told: started.append(told))
    model = SimpleNamespace(name_or_path=str(vision_model), dtype="torch.float32")
    told = {"vllm_tensor_parallel_size": 2, "vllm_gpu_memory_utilization": 0.9, "vllm_max_model_length": 300}
    settings = SimpleNamespace(bf16=True, process_index=0, **told)
    with imports.without_vllm():
        start_server(job, model, processor, settings)
        start_server(job, model, processor, SimpleNamespace(bf16=True, process_index=1, **told))
    [(command, environment)] = started
    assert settings.vllm_server_base_url == f"http://127.0.0.1:{command[command.index('--port') + 1]}"
    expected = {"--host": "127.0.0.1", "--dtype": "bfloat16", "--tensor-parallel-size": "2", "--max-model-len": "300"}
    assert {name: command[command.index(name) + 1] for name in expected} == expected
    assert "--weight-transfer-config" in command and environment == {"VLLM_SERVER_DEV_MODE": "1"}
    assert (tmp_path / "served" / "model.safetensors").is_file()
