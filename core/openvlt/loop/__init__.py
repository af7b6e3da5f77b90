"""Carries out a recipe: load, caption, distill, verify, select, SFT, GRPO, bench, and around again."""

from openvlt.loop.loop import Loop, claim_name
from openvlt.loop.parts import Parts, build_parts
from openvlt.loop.plan import Planned, plan
from openvlt.loop.preflight import packages, preflight

__all__ = ["Loop", "Parts", "Planned", "build_parts", "claim_name", "packages", "plan", "preflight"]
