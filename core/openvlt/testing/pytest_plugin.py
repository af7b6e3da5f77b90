"""Fixtures for the tests of plugins; pytest loads this module by its entry point, and it imports nothing of openvlt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openvlt.records import Example
    from openvlt.registry import Registry


@pytest.fixture
def openvlt_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of its own for runs, cached values and images, and no switch that the user has set."""
    home = tmp_path / "openvlt-home"
    monkeypatch.setenv("OPENVLT_HOME", str(home))
    for name in ("OPENVLT_PLUGINS", "OPENVLT_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def openvlt_registry(openvlt_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registry]:
    """Makes a registry of the built-in plugins, the scripted backend, and the modules it is given, and no others."""

    def made(*plugins: ModuleType, files: Sequence[Path] = ()) -> Registry:
        from openvlt.registry import Registry
        from openvlt.testing import SCRIPTED

        monkeypatch.setenv("OPENVLT_PLUGINS", ",".join(["openvlt", *(module.__name__ for module in plugins)]))
        return Registry.discover([SCRIPTED, *files], plugins)

    return made


@pytest.fixture
def openvlt_examples() -> list[Example]:
    """Nine examples of different types, with none, one and two images."""
    from openvlt.testing import examples

    return examples()


@pytest.fixture(scope="session")
def openvlt_policy() -> Path:
    """The folder of the tiny policy that openvlt brings, a vision-language model for CPUs."""
    from openvlt.testing import policy

    return policy()
