"""In which fields two protocols differ: those that forbid comparing their results, and those that differ by design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from openvlt.records import Protocol

NOT_COMPARED = frozenset({"model", "data", "prompt.asked", "decoding.n", "decoding.seed", "draws"})
"""Fields in which comparable protocols may differ: the model is what is compared; questions with the same content and
golds are the same data, whatever file they came from; the same messages are the same prompt, whoever they are for
(``prompt.digest``); and more samples, or those of other seeds, estimate the same accuracy."""


def protocol_differences(a: Protocol, b: Protocol) -> tuple[str, ...]:
    """The fields in which two protocols differ although they should not, as ``key: this and that``."""
    unlike = _differences("", asdict(a), asdict(b))
    return tuple(f"{key}: {this} and {that}" for key, this, that in unlike if not _is_expected(key, a, b))


def expected_differences(a: Protocol, b: Protocol) -> tuple[str, ...]:
    """The fields in which two protocols differ because their responders are asked and read differently."""
    found = {
        "prompt": (a.prompt.asked, b.prompt.asked),
        "extraction": (a.extraction, b.extraction),
        "decoding": (_decoding(a), _decoding(b)),
    }
    return tuple(f"{key}: {x} and {y}" for key, (x, y) in found.items() if x != y and _is_expected(key, a, b))


def _decoding(protocol: Protocol) -> str:
    used = protocol.decoding
    return "unknown" if used is None else f"temperature {used.temperature:g}, {used.max_tokens:,} tokens"


def _is_expected(key: str, a: Protocol, b: Protocol) -> bool:
    """A base gets its own prompt and reading; a file's prompt is not known, nor how a file or baseline was decoded."""
    asked = {a.prompt.asked, b.prompt.asked}
    if len(asked) == 1:
        return False
    if key == "extraction":
        return "none" in asked or {a.extraction, b.extraction} == {"tag", "whole"}
    if key == "decoding":
        return None in (a.decoding, b.decoding)
    return key.partition(".")[0] == "prompt"


def _differences(key: str, a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    if a == b or key in NOT_COMPARED:
        return []
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        names = {each: f"{key}.{each}" if key else each for each in sorted({*a, *b})}
        return [found for each, name in names.items() for found in _differences(name, a.get(each), b.get(each))]
    return [(key, a, b)]
