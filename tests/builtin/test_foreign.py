"""What the foreign trainers write and read: values, prompts, metrics and the shapes of weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from safetensors.numpy import save_file

from openvlt import Format, UsageError
from openvlt_plugins.foreign.easyr1 import EasyR1, template
from openvlt_plugins.foreign.metrics import Follower
from openvlt_plugins.foreign.trainer import flat, written
from openvlt_plugins.foreign.weights import check_weights

PLAIN = st.text(st.characters(exclude_categories=["C"], exclude_characters='"\\$'), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=3),
)


@given(VALUES)
def test_a_value_is_written_as_it_is_read(value: Any) -> None:
    assert json.loads(written(value)) == value


@pytest.mark.parametrize("value", ['say "no"', "back\\slash", "${oc.env:HOME}", "two\nlines"])
def test_a_value_that_would_be_read_differently_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="The engine cannot be given"):
        written(value)


def test_nested_keys_become_dotted() -> None:
    tree = {"a": {"b": {"c": 1}, "d": {}}, "+e.f": [{"g": 2}]}
    assert dict(flat(tree)) == {"a.b.c": 1, "a.d": {}, "+e.f": [{"g": 2}]}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), PLAIN)
@example("{{ x }}{% if %}{# \"'\\ }}\r\n\u2028", "{{ 7 }}")
def test_easyr1_asks_as_the_recipe_does(suffix: str, question: str) -> None:
    made = jinja2.Template(template(Format(suffix=suffix))).render(content=question)
    assert made == question + suffix


SEEN = {
    "algorithm": "adv_estimator disable_kl kl_coef kl_penalty use_kl_loss",
    "data": "answer_key format_prompt image_key max_pixels max_prompt_length max_response_length min_pixels prompt_key "
    "rollout_batch_size seed train_files val_files",
    "trainer": "experiment_name load_checkpoint_path logger max_steps n_gpus_per_node nnodes project_name "
    "save_checkpoint_path save_freq save_limit total_epochs val_before_train val_freq",
    "worker.actor": "clip_ratio_dual clip_ratio_high clip_ratio_low global_batch_size loss_avg_mode max_grad_norm "
    "micro_batch_size_per_device_for_experience micro_batch_size_per_device_for_update",
    "worker.actor.model": "freeze_vision_tower model_path",
    "worker.actor.offload": "offload_optimizer offload_params",
    "worker.actor.optim": "lr lr_warmup_ratio weight_decay",
    "worker.reward": "reward_function",
    "worker.rollout": "gpu_memory_utilization n seed temperature tensor_parallel_size top_p",
}
"""Fields of EasyR1's config classes at b44b311 (July 2026) that openvlt may set."""


def test_easyr1_has_each_key_it_is_given() -> None:
    seen = {f"{group}.{name}" for group, names in SEEN.items() for name in names.split()}
    assert {key for keys in EasyR1.KEYS.values() for key in keys} | set(EasyR1.FIXED) == seen


def line(step: int, **metrics: Any) -> str:
    return json.dumps({"step": step, **metrics}) + "\n"


def test_metrics_of_earlier_attempts_count_up_to_the_resumed_step(tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    job: Any = SimpleNamespace(log=told.append)
    (tmp_path / "a.jsonl").write_text(line(1, data={"r": 1.0}) + line(2, data={"r": 2.0}) + line(3, data={"r": 3.0}))
    (tmp_path / "b.jsonl").write_text(line(2, data={"r": 2.5, "x": "text", "y": float("nan")}) + "damaged\n[1]\n")
    follower = Follower(job, tmp_path / "c.jsonl", 2, 9, "r")
    assert told == [{"step": s, "steps": 9, "r": r, "reward": r} for s, r in ((1, 1.0), (2, 2.5))]
    follower.read()
    with follower.path.open("a") as file:
        file.write(line(3, n={"r": 4.0}) + line(4, r=5.0)[:9])
        file.flush()
        follower.read()
        file.write(line(4, r=5.0)[9:])
    follower.read()
    assert told[2:] == [{"step": 3, "steps": 9, "n/r": 4.0}, {"step": 4, "steps": 9, "r": 5.0, "reward": 5.0}]
    assert follower.last == {"r": 5.0, "reward": 5.0}


def weights(folder: Path, *shapes: tuple[int, ...]) -> Path:
    folder.mkdir()
    save_file({str(n): np.zeros(shape, "float32") for n, shape in enumerate(shapes)}, folder / "model.safetensors")
    return folder


START = ((9, 4), (4, 4), (4, 4), (4,))


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        (START, ""),
        ((*START, (9, 4)), ""),  # the head, which shares the weights of the embedding
        (START[:-1], r"it lacks 1 weights, one of shape \(4,\)"),
        ((*START, (4, 4)), r"it has in addition 1 weights, one of shape \(4, 4\)"),
        ((*START[1:], (0,)), r"it has an empty weight of shape \(0,\)"),
        ((), "it has no weights"),
    ],
)
def test_a_model_has_the_shapes_of_its_start(tmp_path: Path, shapes: tuple[tuple[int, ...], ...], problem: str) -> None:
    start, model = weights(tmp_path / "start", *START), weights(tmp_path / "model", *shapes)
    if not problem:
        check_weights(model, start)
        check_weights(model, tmp_path / "none")
        return
    with pytest.raises(ValueError, match=problem):
        check_weights(model, start)


def test_adapters_that_are_not_merged_are_refused(tmp_path: Path) -> None:
    model = weights(tmp_path / "model", *START)
    (model / "lora_adapter").mkdir()
    with pytest.raises(ValueError, match="its adapters are not merged"):
        check_weights(model, model)
