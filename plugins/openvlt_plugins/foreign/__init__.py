"""Trainers of other environments, which a team trusts already: verl and EasyR1."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_trainers(register: Register) -> None:
    for name, target, summary in (
        ("verl", "verl:Verl", "GRPO by verl, in an environment of its own, on the recipe's rewards"),
        ("easyr1", "easyr1:EasyR1", "GRPO by EasyR1, in an environment of its own, on the recipe's rewards"),
    ):
        register(name, f"openvlt_plugins.foreign.{target}", summary=summary, requires=("pyarrow",))
