"""All that moves a benchmark score, written down next to it, and what two protocols differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from openvlt.bench.definition import Defined
from openvlt.records import Example, Format, Sampling
from openvlt.registry import Built
from openvlt.store import digest

NOT_COMPARED = frozenset({"model", "data.revision", "data.split"})
"""Parts two results may differ in and still be compared: which model it was is the question, and the same questions
with the same golds are the same data, whatever file they came from (``data.content``)."""


def protocol(
    defined: Defined,
    verifiers: Mapping[str, Built],
    format: Format,
    examples: Sequence[Example],
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
        examples: the questions.
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
        "data": {
            "revision": benchmark.source.revision(),
            "split": benchmark.split,
            "limit": limit,
            "content": digest([(e.id, e.question, e.answer, e.choices, e.precision) for e in examples])[:16],
        },
        "model": dict(model),
        "prompt": {"asked": asked, "digest": digest(prompts)[:16], "format": asdict(format)},
        "decoding": asdict(sampling) if sampling else "unknown",
        "extraction": extraction,
        "scoring": {
            name: {"verifier": built.entry.id, "identity": built.identity} for name, built in verifiers.items()
        },
        "judge": judge,
    }


_PROMPT_OPTIONS = ("prompts", "choice", "prompt_key", "system", "markers")


def protocol_hash(told: Mapping[str, Any]) -> str:
    """The hash of a whole protocol."""
    return digest(told)


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What two protocols differ in, apart from the model, as ``key: this and that``."""
    return _differences("", a, b)


def _differences(key: str, a: Any, b: Any) -> list[str]:
    if a == b or key in NOT_COMPARED:
        return []
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        parts = {part: f"{key}.{part}" if key else part for part in sorted({*a, *b})}
        return [text for part, name in parts.items() for text in _differences(name, a.get(part), b.get(part))]
    return [f"{key}: {a} and {b}"]
