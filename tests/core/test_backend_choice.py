"""Which backend a model runs on when the recipe leaves it open."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from openvlt import Model
from openvlt.engines.backend_choice import choose_backend, first_installed, keep_for_endpoints
from openvlt.errors import PluginError, UsageError
from openvlt.registry import Registry

GB = 10**9


PLUGIN = """
from dataclasses import dataclass
from openvlt import Backend, hookimpl

@dataclass(frozen=True)
class Theirs(Backend):
    def open(self, model, read): raise NotImplementedError

@dataclass(frozen=True)
class Large(Theirs):
    default_for = "large"

@dataclass(frozen=True)
class Served(Theirs):
    default_for = "endpoints"
    key: str = ""

@hookimpl
def register_backends(register):
    register("theirs", Theirs, summary="must be named")
    register("large", Large, summary="for large models")
    register("served", Served, summary="for endpoints")
    register("broken", "no_such_module:Broken", summary="cannot be imported")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "theirs.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture(params=[True, False], ids=["vllm", "no vllm"])
def vllm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether vLLM is installed."""
    installed = bool(request.param)
    found = importlib.util.find_spec
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: found(name if name != "vllm" else "json" if installed else "no_vllm")
    )
    return installed


def test_a_large_model_runs_on_vllm_if_it_is_installed(vllm: bool) -> None:
    for size in (14 * GB, None):
        expected = ("vllm", "it is installed and the model is large") if vllm else ("hf", "vllm is not installed")
        assert choose_backend(Model(id="m"), size, Registry.discover()) == expected


def test_endpoints_and_small_models_have_backends_of_their_own(vllm: bool) -> None:
    registry = Registry.discover()
    assert choose_backend(Model(id="m", url=("http://a/v1",)), None, registry) == ("openai", "it has a URL")
    assert choose_backend(Model(id="m"), GB, registry) == ("hf", "the model is small")


def test_a_third_party_backend_is_chosen_where_no_built_in_is(vllm: bool, plugin: Path) -> None:
    registry = Registry.discover([plugin])
    assert choose_backend(Model(id="m"), 14 * GB, registry)[0] == ("vllm" if vllm else "large")
    assert choose_backend(Model(id="m"), GB, registry)[0] == "hf"


def test_without_built_ins_a_third_party_backend_is_the_default(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_PLUGINS", "")
    registry = Registry.discover([plugin])
    assert choose_backend(Model(id="m", url=("http://a/v1",)), None, registry)[0] == "served"
    with pytest.raises(UsageError, match="No loaded plugin has a backend"):
        choose_backend(Model(id="m"), GB, registry)


def test_endpoints_replace_every_backend_but_one_that_asks_endpoints(plugin: Path) -> None:
    registry = Registry.discover([plugin])
    kept: tuple[Any, ...] = ("openai", {"use": "served", "key": "k"})
    for spec in kept:
        assert keep_for_endpoints(spec, registry) == spec
    for spec in (None, "hf", {"use": "vllm", "eager": True}, ("vllm", "hf"), "theirs"):
        assert keep_for_endpoints(spec, registry) is None


def test_of_several_the_first_counts_whose_packages_are_installed(vllm: bool) -> None:
    several = ({"use": "vllm", "eager": True}, "hf")
    spec, reason = first_installed(several, Registry.discover())
    assert spec == several[0 if vllm else 1]
    assert reason == "it is the first of vllm, hf that is installed"


def test_a_backend_that_does_not_exist_is_named() -> None:
    with pytest.raises(PluginError, match="no backend 'vlm'"):
        first_installed(("vlm", "hf"), Registry.discover())
