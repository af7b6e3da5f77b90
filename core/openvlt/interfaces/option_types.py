"""Types of options that many components have, with their bounds."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from annotated_types import Ge, Gt, Le

from openvlt.interfaces.component import Option

Samples: TypeAlias = Annotated[int, Ge(1), Option("chains per example", unit="samples", affects_output=False)]
Temperature: TypeAlias = Annotated[float, Ge(0), Option("sampling temperature; 0 is greedy")]
TopP: TypeAlias = Annotated[float, Gt(0), Le(1), Option("nucleus mass")]
MaxTokens: TypeAlias = Annotated[int, Ge(1), Option("longest reply", unit="tokens")]
Seed: TypeAlias = Annotated[int, Ge(0), Option("of everything random in it")]
