"""The base of all kinds of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "source", "captioner", "teacher", "fact", "filter", "verifier", "benchmark", "backend", "trainer"
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Option:
    """Describes a component's field for ``openvlt describe``: ``Annotated[int, Ge(1), Option("...")]``.

    A value outside the bounds (`annotated_types`: `Ge`, `Gt`, `Le`, `Lt`, `Interval`) is refused when it is built.

    Attributes:
        text: what the option does, half a sentence.
        unit: unit of its value.
        affects_output: False if it cannot change a row's output (a URL, a concurrency, or a number of samples, which
            the keys of the samples contain anyway); it is then no part of the identity.
    """

    text: str
    unit: str = ""
    affects_output: bool = True


class Component:
    """Base of all kinds.

    Attributes:
        version: raise it when the same options may give another output; it is part of every cache key.
        removed: options that it had once, each with a sentence that says what to do instead.
        spec_keys: keys beside its options that a recipe may write, which the core reads.
    """

    version: ClassVar[str] = "1"
    removed: ClassVar[Mapping[str, str]] = {}
    spec_keys: ClassVar[tuple[str, ...]] = ()

    def code_modules(self) -> Sequence[str]:
        """Modules beside its own whose code its output depends on, such as that of a class which an option names.

        The identity covers them, and what they import from their own packages.
        """
        return ()
