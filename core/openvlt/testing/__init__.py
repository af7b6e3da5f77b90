"""A kit for the authors of plugins: checks for each kind of component, material to try them on, a scripted backend.

Each name is imported at its first use. `openvlt.testing.pytest_plugin`, which pytest loads by itself, offers fixtures.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openvlt.testing.engines import request as request
    from openvlt.testing.findings import Failed as Failed, Finding as Finding
    from openvlt.testing.material import (
        Material as Material,
        claim as claim,
        claims as claims,
        examples as examples,
        image as image,
        judged as judged,
        policy as policy,
        read as read,
    )
    from openvlt.testing.plugins import check_plugin as check_plugin
    from openvlt.testing.scripted import Scripted as Scripted
    from openvlt.testing.suites import (
        check_backend as check_backend,
        check_benchmark as check_benchmark,
        check_captioner as check_captioner,
        check_fact as check_fact,
        check_filter as check_filter,
        check_source as check_source,
        check_teacher as check_teacher,
        check_trainer as check_trainer,
        check_verifier as check_verifier,
        examine as examine,
    )
    from openvlt.testing.trainers import MadeJob as MadeJob

SCRIPTED = Path(__file__).with_name("scripted.py")
"""The scripted backend as a one-file plugin: ``openvlt --plugin FILE``."""

_HOMES = {
    "engines": ("request",),
    "findings": ("Failed", "Finding"),
    "material": ("Material", "claim", "claims", "examples", "image", "judged", "policy", "read"),
    "plugins": ("check_plugin",),
    "scripted": ("Scripted",),
    "suites": (
        "check_backend", "check_benchmark", "check_captioner", "check_fact", "check_filter", "check_source",
        "check_teacher", "check_trainer", "check_verifier", "examine",
    ),
    "trainers": ("MadeJob",),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["SCRIPTED", *_HOME_OF]  # noqa: PLE0604

if not TYPE_CHECKING:  # to a type checker a name that is not listed above is an error

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'openvlt.testing' has no attribute {name!r}")
        value = getattr(import_module(f"openvlt.testing.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
