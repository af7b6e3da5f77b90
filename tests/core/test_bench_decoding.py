"""What the options and presets of decoding mean, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openvlt.bench.decoding import find_presets, sampling_of
from openvlt.errors import UsageError
from openvlt.records import Sampling
from openvlt.store import digest


def test_the_default_is_greedy_and_does_not_cut() -> None:
    assert sampling_of(None, {}) == Sampling(max_tokens=16_384)


@pytest.mark.parametrize("name", find_presets())
def test_a_preset_says_where_its_numbers_are_from(name: str) -> None:
    sampling = sampling_of(name, {})
    assert sampling.temperature > 0 and sampling.max_tokens >= 16_384
    assert find_presets()[name].read_text().startswith("# ")


def test_an_option_replaces_a_value_of_a_preset(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("temperature: 0.5\ntop_k: 7\n")
    found = sampling_of(str(tmp_path / "mine.yaml"), {"temperature": 0.9, "n": 4})
    assert (found.temperature, found.top_k, found.n) == (0.9, 7, 4)


@pytest.mark.parametrize(
    ("preset", "given", "said"),
    [
        ("qwen3-vl", {}, "no decoding preset 'qwen3-vl'.*Did you mean 'qwen3-vl-"),
        ("temperatur: 1", {}, "the field 'temperatur'.*Did you mean 'temperature'"),
        ("temperature: hot", {}, "has temperature: 'hot'"),
        ("- 1", {}, "is no decoding preset"),
        (None, {"temperature": -1.0}, "has temperature: -1.0"),
        (None, {"temperature": 1.0, "top_p": 0.0}, "has top_p: 0.0"),
        (None, {"temperature": 1.0, "n": 0}, "has samples: 0"),
        (None, {"presence_penalty": float("nan")}, "has presence_penalty: nan"),
        ("n: 8", {}, "--samples has no effect"),
        (None, {"n": 8}, "--samples has no effect on greedy decoding.*or a preset"),
        (None, {"top_k": 5}, "--top-k has no effect"),
        (None, {"extra_body": {"top_p": 1}}, "has the field 'top_p'.*its own option"),
        (None, {"cuts": (32,), "max_tokens": 32}, "is not below the longest"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, preset: str | None, given: dict[str, Any], said: str) -> None:
    if preset is not None and " " in preset:
        (tmp_path / "mine.yaml").write_text(preset)
        preset = str(tmp_path / "mine.yaml")
    with pytest.raises(UsageError, match=said):
        sampling_of(preset, given)


def test_fields_that_were_added_leave_older_keys_as_they_are() -> None:
    """Else every reply would be asked for again, and samples be drawn with other seeds."""
    old = {
        "n": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 2048, "repetition_penalty": 1.0, "stop": [],
        "seed": 0,
    }  # fmt: skip
    assert digest(Sampling()) == digest(old)
    assert len({digest(Sampling()), digest(Sampling(presence_penalty=1.0)), digest(Sampling(cuts=(1,)))}) == 3
