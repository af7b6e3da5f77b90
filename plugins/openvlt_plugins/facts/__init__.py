"""Facts about examples, by which filters choose."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_facts(register: Register) -> None:
    register(
        "pass_rate",
        "openvlt_plugins.facts.pass_rates:PassRate",
        summary="share of correct samples of the policy, or of another teacher",
    )
    register(
        "text_only_pass_rate",
        "openvlt_plugins.facts.pass_rates:TextOnlyPassRate",
        summary="the same without the images: what needs no look at them",
    )
