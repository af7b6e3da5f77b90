"""How the replies to a benchmark are decoded: presets by name, and the user's own values over theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from openvlt.errors import UsageError, closest
from openvlt.recipe import read_yaml
from openvlt.records import Sampling
from openvlt.store import decode

MAX_TOKENS = 16_384
"""Tokens of a reply, where the context allows; few reasoning models need more, and 2,048 cut many."""

OWN = frozenset({"model", "messages", "n", "stream", "seed", *(field.name for field in fields(Sampling))})
"""Fields of a request that have an option of their own, or that the backend sets."""

_SAMPLED = ("top_p", "top_k", "seed")
"""What has no effect on greedy decoding."""


def sampling_of(preset: str | None, given: Mapping[str, Any], max_tokens: int = MAX_TOKENS) -> Sampling:
    """How to decode; greedy and once by default.

    Args:
        preset: a name, or the path of a YAML file.
        given: fields of `Sampling` that the user names; they replace the preset's.
        max_tokens: the limit if neither has one.

    Raises:
        UsageError: there is no such preset, a value is out of range, or one has no effect.
    """
    sampling = _checked({"max_tokens": max_tokens, **(_read(preset) if preset else {}), **given}, "The command line")
    idle = [name for name in _SAMPLED if name in given and given[name] != getattr(Sampling(), name)]
    if sampling.temperature == 0 and (idle or sampling.n > 1):
        option = "samples" if sampling.n > 1 else idle[0].replace("_", "-")
        raise UsageError(
            f"--{option} has no effect on greedy decoding, which gives the same reply every time.",
            f"Remove it, or give a --temperature above 0{' or a preset (--decoding)' * (preset is None)}.",
        )
    if clash := OWN & sampling.extra_body.keys():
        raise UsageError(f"--extra-body has the field '{min(clash)}'.", "Set it by its own option.")
    if sampling.cuts and not max(sampling.cuts) < sampling.max_tokens:
        raise UsageError("A budget is not below the longest.", "Give different budgets, such as 2048,8192.")
    return sampling


def find_presets() -> dict[str, Path]:
    """The presets that come with openvlt, by name."""
    folder = Path(str(files("openvlt_tasks"))) / "decoding"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _read(preset: str) -> dict[str, Any]:
    known = find_presets()
    path = known.get(preset, Path(preset))
    if preset not in known and not path.is_file():
        raise UsageError(f"There is no decoding preset '{preset}'.", closest(preset, list(known)))
    values, _ = read_yaml(path, "decoding preset")
    if not isinstance(values, dict):
        raise UsageError(f"'{path}' is no decoding preset.", "Write fields such as 'temperature: 0.6'.")
    _checked(values, f"'{path}'")
    return values


def _checked(values: Mapping[str, Any], where: str) -> Sampling:
    names = [field.name for field in fields(Sampling)]
    if unknown := [name for name in values if name not in names]:
        raise UsageError(f"{where} has the field '{unknown[0]}'.", closest(str(unknown[0]), names))
    try:
        return decode(Sampling, json.dumps(values))
    except ValueError as error:
        from pydantic import ValidationError

        if not isinstance(error, ValidationError):
            raise
        first = error.errors()[0]
        name = "samples" if first["loc"][0] == "n" else first["loc"][0]
        raise UsageError(f"{where} has {name}: {first['input']!r}.", f"{first['msg']}.") from error
