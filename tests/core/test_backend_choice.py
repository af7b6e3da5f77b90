"""Which backend a model runs on when the recipe leaves it open."""

from __future__ import annotations

import pytest

from openvlt import Model
from openvlt.engines.backend_choice import choose_backend, first_installed
from openvlt.errors import PluginError
from openvlt.registry import Registry

GB = 10**9


@pytest.mark.parametrize(
    ("model", "installed", "size", "backend"),
    [
        (Model(id="m", url=("http://a/v1",)), {"vllm"}, None, "openai"),
        (Model(id="m"), {"vllm"}, 14 * GB, "vllm"),
        (Model(id="m"), {"vllm"}, None, "vllm"),
        (Model(id="m"), {"vllm"}, GB, "hf"),
        (Model(id="m"), set(), 14 * GB, "hf"),
    ],
)
def test_endpoints_then_vllm_for_large_models_then_hf(
    model: Model, installed: set[str], size: int | None, backend: str
) -> None:
    assert choose_backend(model, installed, size)[0] == backend


def test_of_several_the_first_counts_whose_packages_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    several = ({"use": "vllm", "eager": True}, "hf")
    registry = Registry.discover()
    for present, chosen in ((True, several[0]), (False, "hf")):
        monkeypatch.setattr(
            "openvlt.engines.backend_choice.is_installed", lambda name, there=present: there or name != "vllm"
        )
        spec, reason = first_installed(several, registry)
        assert spec == chosen
        assert reason == "it is the first of vllm, hf that is installed"


def test_a_backend_nobody_has_is_named() -> None:
    with pytest.raises(PluginError, match="no backend 'vlm'"):
        first_installed(("vlm", "hf"), Registry.discover())
