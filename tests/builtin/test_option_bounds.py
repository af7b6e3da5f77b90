"""Every number that a built-in component takes has bounds, and what is outside is refused by a sentence."""

from __future__ import annotations

import re
from typing import Any

import pytest

from openvlt import OpenvltError, UsageError
from openvlt.registry import Entry, Registry
from openvlt.registry.options import OptionInfo
from openvlt.registry.targets import is_data

REGISTRY = Registry.discover()
UNBOUNDED = {("filter", "shortest", "rank")}
"""From 1 or from -1: all but 0."""
NUMBERS = [
    (entry, option)
    for entry in REGISTRY.entries()
    if entry.id.startswith("openvlt/") and entry.status != "missing-extra" and not is_data(entry.target)
    for option in REGISTRY.describe(entry.kind, entry.id).options
    if re.search(r"\b(int|float)\b", option.type) and (entry.kind, entry.name, option.name) not in UNBOUNDED
]


def _outside(option: OptionInfo) -> list[Any]:
    """Values just outside the bounds of an option, in the shape of its type, and values of other types."""
    step = 1 if re.search(r"\bint\b", option.type) else 1e-6
    numbers: list[Any] = [True, float("nan"), *([] if "str" in option.type.split(" | ") else ["many"])]
    for side, bound in re.findall(r"(above|at least|at most|below) (-?[\d.]+)", option.bounds):
        number = float(bound) if step < 1 else int(bound)
        numbers.append(number + {"above": 0, "at least": -step, "at most": step, "below": 0}[side])
    if option.type.startswith("tuple"):
        count = 1 if "..." in option.type else option.type.count(",") + 1
        return [[number] * count for number in numbers]
    for _ in range(option.type.count("Mapping[")):
        numbers = [{"name": number} for number in numbers]
    return numbers


@pytest.mark.parametrize(
    ("entry", "option"), NUMBERS, ids=lambda each: each.name if isinstance(each, Entry | OptionInfo) else ""
)
def test_a_number_has_bounds_and_what_is_outside_is_refused(entry: Entry, option: OptionInfo) -> None:
    assert option.bounds, f"{entry.kind} {entry.name}: {option.name}"
    for value in _outside(option):
        with pytest.raises(UsageError, match=rf"Option '{option.name}' of the {entry.kind} '{entry.name}' is .* must"):
            REGISTRY.build(entry.kind, {"use": entry.id, **_required(entry), option.name: value})


def _required(entry: Entry) -> dict[str, object]:
    values: dict[str, object] = {"str": "x", "int": 1, "Model": "m", "Mapping[str, str]": {}, "Source": "easy-vqa"}
    values |= {"str | tuple[str, ...]": "x", "Mapping[str, str | Mapping[str, Any]]": {}}
    options = REGISTRY.describe(entry.kind, entry.id).options
    return {option.name: values[option.type] for option in options if option.required}


def test_bounds_are_described() -> None:
    options = {option.name: option for option in REGISTRY.describe("teacher", "policy").options}
    assert options["top_p"].bounds == "above 0 and at most 1"
    assert options["k"].as_json()["bounds"] == "at least 1"
    assert options["model"].bounds == ""


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        (
            "teacher",
            {"use": "policy", "top_p": 3},
            "Option 'top_p' of the teacher 'policy' is 3, but it must be above 0",
        ),
        ("teacher", {"use": "policy", "k": 2.5}, "is 2.5, but it must be a whole number, at least 1"),
        ("teacher", {"use": "policy", "k": True}, "is True, but it must be a number, at least 1"),
        ("filter", {"use": "sample", "count": "all"}, "is 'all', but it must be a whole number, at least 1"),
        ("trainer", {"use": "sft", "freeze": ["visual"]}, "is 'visual', but .* Did you mean 'vision'"),
        ("trainer", {"use": "sft", "lora_targets": "q_proj"}, "lora_targets has no effect .* Set lora_rank too"),
        ("trainer", {"use": "sft", "schedule": "cosin"}, "Did you mean 'cosine'"),
        ("trainer", {"use": "sft", "batch": 10, "device_batch": 4}, "batch of 10 .* such as 8 or 12"),
        ("trainer", {"use": "sft", "batch": 2, "device_batch": 4}, "batch of 2 .* such as 4"),
        ("trainer", {"use": "grpo", "prompts": 8, "generations": 4, "batch": 24}, "32 responses .* such as 16"),
        ("trainer", {"use": "grpo", "prompts": 1, "generations": 4, "batch": 4, "devices": 2}, "groups of 4"),
        ("trainer", {"use": "dpo", "loss_type": "sigmoyd"}, "Did you mean 'sigmoid'"),
        ("verifier", {"use": "cosine", "wrong": [-20, 0]}, "is -20, but it must be at least -10 and at most 10"),
    ],
)
def test_a_value_that_cannot_work_is_refused_when_built(kind: Any, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(OpenvltError, match=told):
        REGISTRY.build(kind, spec)


def test_one_item_may_stand_for_a_list() -> None:
    built = REGISTRY.build("trainer", {"use": "dpo", "freeze": "vision", "loss_weights": 1})
    assert (built.options["freeze"], built.options["loss_weights"]) == (["vision"], [1.0])
    served = REGISTRY.build("teacher", {"use": "policy", "model": {"id": "m", "url": "http://localhost:1/v1"}})
    assert served.options["model"]["url"] == ["http://localhost:1/v1"]
