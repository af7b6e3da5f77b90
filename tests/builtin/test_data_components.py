"""Every data-side component can be built from the words of a recipe, and describes all of its options."""

from __future__ import annotations

from typing import Any

import pytest

from openvlt import OpenvltError
from openvlt.interfaces import Kind
from openvlt.registry import Registry
from openvlt.registry.options import options_of

SPECS: list[tuple[Kind, Any]] = [
    ("source", {"use": "easy-vqa", "balanced": True, "seed": 3, "questions_per_image": 1}),
    ("source", {"use": "rows", "path": "rows.jsonl"}),
    ("source", {"use": "llava-onevision", "configs": ["GEOS(MathV360K)"]}),
    ("captioner", {"use": "qwen-vl", "model": "Qwen/Qwen2.5-VL-7B-Instruct", "prompt": "Describe."}),
    ("captioner", {"use": "ready", "column": "table"}),
    ("captioner", {"use": "ready", "path": "captions.csv", "id": "image", "column": "alt"}),
    ("teacher", "policy"),
    ("teacher", "smollm2"),
    ("teacher", {"use": "r1-distill", "size": "1.5b"}),
    ("teacher", {"use": "r1-distill", "model": {"id": "mine", "backend": "hf"}}),
    ("teacher", "qwq-32b"),
    ("teacher", {"use": "chat", "model": "mine", "prompt": "{caption} {question}"}),
    ("teacher", {"use": "chat-vl", "model": "mine"}),
    ("filter", {"use": "correct", "verifier": "answer"}),
    ("filter", {"use": "shortest", "rank": -2}),
    ("filter", {"use": "per-question", "count": 2}),
    ("filter", "unique"),
    ("filter", {"use": "truncate-reflection", "phrases": ["Wait,"]}),
    ("filter", {"use": "max-words", "limit": 500}),
    ("filter", "min-words"),
    ("filter", {"use": "balance", "by": ["kind", "answer"], "ratio": None, "total": 300}),
    ("filter", {"use": "pass-rate", "low": 0.2}),
    ("filter", "contamination"),
    ("filter", "dedup"),
    ("filter", {"use": "sample", "count": 10}),
    ("filter", {"use": "source-quota", "quotas": {"GEOS": 10}, "by": "data_source"}),
    ("filter", "balance-examples"),
    ("benchmark", {"use": "easy-vqa", "split": "dev"}),
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


@pytest.mark.parametrize(("kind", "spec"), SPECS, ids=str)
def test_recipes_can_build_it(registry: Registry, kind: Kind, spec: Any) -> None:
    built = registry.build(kind, spec)
    given = {} if isinstance(spec, str) else {key: value for key, value in spec.items() if key not in ("use", "model")}
    assert {key: built.options[key] for key in given} == given
    assert all(option.text for option in options_of(type(built.component)))
    again = registry.build(kind, {"use": built.entry.id, **built.options})
    assert again.component == built.component


def test_the_options_decide_the_identity(registry: Registry) -> None:
    identities = {registry.build("teacher", {"use": "r1-distill", "size": size}).identity for size in ("7b", "14b")}
    assert len(identities) == 2


@pytest.mark.parametrize(
    ("kind", "spec", "problem"),
    [
        ("filter", {"use": "shortest", "rank": 0}, "no rank 0"),
        ("source", "llava-onevision", "List them"),
        ("source", {"use": "rows", "path": "s3://bucket/rows.jsonl"}, "remote"),
        ("teacher", {"use": "r1-distill", "size": "13b"}, "14b"),
        ("teacher", "chat", "model"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_built(registry: Registry, kind: Kind, spec: Any, problem: str) -> None:
    with pytest.raises(OpenvltError, match=problem):
        registry.build(kind, spec)
