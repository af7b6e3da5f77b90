"""All that moves a benchmark score, written down next to it, and what two protocols differ in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from openvlt.bench.definition import Defined
from openvlt.records import Format, Sampling
from openvlt.registry import Built
from openvlt.store import digest

NOT_COMPARED = ("model",)
"""Parts that two results may differ in and still be compared: which model it was is the question."""


def protocol(
    defined: Defined,
    verifiers: Mapping[str, Built],
    format: Format,
    *,
    model: Mapping[str, Any],
    asked: str,
    extraction: str,
    judge: Mapping[str, Any] | None,
    sampling: Sampling | None,
    limit: int | None,
) -> dict[str, Any]:
    """Put the protocol of a score together.

    Args:
        defined: the benchmark.
        verifiers: by scoring.
        format: how the policy is asked and answers.
        model: who answered: id, revision, digest, backend, dtype, pixels, context; or the file of the responses.
        asked: whose prompt it was, ``benchmark``, ``base`` or ``unknown``.
        extraction: how the answer was found in the response.
        judge: model and prompt of the judge, None if rules decided.
        sampling: how replies were decoded, None if they were made elsewhere.
        limit: only the first so many questions.
    """
    benchmark = defined.benchmark
    prompts = {key: defined.built.options[key] for key in _PROMPT_OPTIONS if key in defined.built.options}
    return {
        "benchmark": defined.built.entry.id,
        "data": {"revision": benchmark.source.revision(), "split": benchmark.split, "limit": limit},
        "model": dict(model),
        "prompt": {"asked": asked, "digest": digest(prompts)[:16], "format": asdict(format)},
        "decoding": asdict(sampling) if sampling else "unknown",
        "extraction": extraction,
        "scoring": {
            name: {"verifier": built.entry.id, "identity": built.identity} for name, built in verifiers.items()
        },
        "judge": judge,
    }


_PROMPT_OPTIONS = ("prompts", "prompt_key", "system", "markers")


def protocol_hash(told: Mapping[str, Any]) -> str:
    """The hash of a whole protocol."""
    return digest(told)


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What two protocols differ in, apart from the model, as ``key: this and that``."""
    found = []
    for key in sorted({*a, *b} - set(NOT_COMPARED)):
        found += _differences(key, a.get(key), b.get(key))
    return found


def _differences(key: str, a: Any, b: Any) -> list[str]:
    if a == b:
        return []
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [text for part in sorted({*a, *b}) for text in _differences(f"{key}.{part}", a.get(part), b.get(part))]
    return [f"{key}: {a} and {b}"]
