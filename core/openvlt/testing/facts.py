"""What facts must keep."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args, get_type_hints

from openvlt import results
from openvlt.errors import WrongResult
from openvlt.interfaces import AskingFact, Fact, FactValue, SampledFact
from openvlt.testing.choices import asking
from openvlt.testing.data import program
from openvlt.testing.findings import Probe, of
from openvlt.testing.material import Material, judged


def fact(probe: Probe[Fact], material: Material) -> None:
    """Values that can be kept, of the type that the method declares."""
    component: Any = probe.component
    if isinstance(component, AskingFact):
        asking(probe, material.examples, material, _value(component.parse))
    elif isinstance(component, SampledFact):
        _sampled(probe, material)
    else:
        rows = [(example,) for example in material.examples]
        program(probe, "values", material.examples, rows, _value(component.value))


def _sampled(probe: Probe[Any], material: Material) -> None:
    rows = [(example, judged(example)) for example in material.examples]
    rows.append((material.examples[0], []))
    before, value = deepcopy(rows), _value(probe.component.rate)
    calls = {f"shown of '{example.id}'": of("shown", example, check=results.check_loaded) for example, _ in rows}
    for example, found in rows:
        calls[f"rate of {len(found)} chains for '{example.id}'"] = of("rate", example, found, check=value)
    probe.laws(calls)
    if rows != before:
        probe.wrong("purity", "It changes what it is given.", "Use dataclasses.replace(example, ...).")


def _value(method: Callable[..., Any]) -> Callable[[Any], FactValue | None]:
    """Checks a value, also by what a method says that it returns."""
    try:
        declared = get_type_hints(method).get("return", FactValue)
    except NameError:  # a name that is imported for type checkers alone
        declared = FactValue
    kinds = set(get_args(declared) or (declared,)) & {*get_args(FactValue)}
    allowed = tuple(kinds | ({int} if float in kinds else set())) or get_args(FactValue)

    def checked(found: Any) -> FactValue | None:
        value = results.check_fact(found)
        if value is not None and not isinstance(value, allowed):
            raise WrongResult(f"it returned {value!r:.50}, but declares {declared}")
        return value

    return checked
