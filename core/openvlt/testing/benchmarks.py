"""What benchmarks must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from openvlt import results
from openvlt.extraction import Reading
from openvlt.interfaces import Benchmark
from openvlt.records import Example, Rejected, Verdict
from openvlt.testing.findings import FAILED, Probe, of
from openvlt.testing.material import FORMAT, Material, image

_PROMPTS = ("messages", "base_messages")
_GOLD = "a gold answer that nobody wrote"


def benchmark(probe: Probe[Benchmark], material: Material) -> None:
    """Prompts that do not depend on the gold answer, scorings, baselines and figures."""
    component = probe.component
    _check_claims(probe)
    source = component.source
    rows = probe.call("source.examples", lambda: list(islice(source.examples(component.split), material.rows)))
    if rows is FAILED or isinstance(rows, Rejected):
        return
    questions: list[Example] = [row for row in rows if isinstance(row, Example)]
    if not questions:
        probe.wrong("results", f"Its source has no question in the split '{component.split}'.")
        return
    chosen = probe.call("choose", lambda: list(component.choose(iter(questions))))
    if chosen is not FAILED and not {each.id for each in chosen} <= {each.id for each in questions}:
        probe.wrong("ids", "`choose` yields questions that are not the source's.", "Yield some of those it is given.")
    asked = _stored(chosen if chosen is not FAILED and chosen else questions)[:10]
    calls: dict[str, Callable[[Benchmark], Any]] = {}
    for example in asked:
        for method in _PROMPTS:
            calls[f"{method} for '{example.id}'"] = of(method, example, FORMAT, check=results.check_messages)
        for name in component.baselines():
            calls[f"baseline {name} on '{example.id}'"] = of("baselines", check=_guesser(name, example))
        calls[f"judge_extraction for '{example.id}'"] = of("judge_extraction", example, "It is red.", check=_judged)
        calls[f"judge_score for '{example.id}'"] = of("judge_score", example, "red", check=_judged)
    unread = Example(id="unread", question="", answer="")  # as a row is that the source rejects
    scored = [*((example, Verdict.correct()) for example in asked), (unread, Verdict.incorrect())]
    calls["aggregate"] = of("aggregate", scored, check=results.check_figures)
    found = probe.laws(calls)
    for example in asked:
        blank = replace(example, answer=_GOLD)
        for method in _PROMPTS:
            without = probe.call(method, lambda: getattr(component, method)(blank, FORMAT))  # noqa: B023
            if FAILED not in (without, found[f"{method} for '{example.id}'"]) and _GOLD in repr(without):
                probe.wrong("claims", f"Its prompt for '{example.id}' shows the gold answer.", "Leave it out.")
    known = {key for example in questions for key in example.metadata}
    for key in (*component.breakdown, *filter(None, [component.clusters]), *component.excluded_from_score):
        if key not in known:
            probe.wrong("claims", f"No question has the metadata '{key}' that it names.", "Let the source set it.")


def _check_claims(probe: Probe[Benchmark]) -> None:
    component = probe.component
    if component.source.splits and component.split not in component.source.splits:
        probe.wrong("claims", f"Its split '{component.split}' is none of its source's.", "Name one of its splits.")
    if not (isinstance(component.scorings, Mapping) and component.scorings):
        probe.wrong("claims", "It has no scorings.", "Let `scorings` map a name to the name of a verifier.")
    if component.reading not in Reading.__args__:  # type: ignore[attr-defined]
        probe.wrong("claims", f"Its reading is '{component.reading}'.", "Use tag, phrase, anywhere or whole.")


def _guesser(name: str, example: Example) -> Callable[[Any], str]:
    return lambda baselines: results.check_guess(baselines[name](example))


def _judged(found: Any) -> Any:
    return None if found is None else results.check_messages(found)


def _stored(examples: list[Example]) -> list[Example]:
    """The examples with images as they are in a store."""
    return [replace(each, images=tuple(image("red") for _ in each.images)) for each in examples]
