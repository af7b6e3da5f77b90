"""What filters and verifiers must keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

from openvlt import results
from openvlt.errors import WrongResult
from openvlt.interfaces import (
    AnswerVerifier,
    AskingExampleFilter,
    AskingTraceFilter,
    AskingVerifier,
    Drop,
    ExampleFilter,
    Keep,
    LookingExampleFilter,
    LookingTraceFilter,
    LookingVerifier,
    TraceFilter,
    Verifier,
)
from openvlt.records import Claim, Completion, Example, Judged, Rejected, Verdict
from openvlt.testing.data import untouched
from openvlt.testing.findings import FAILED, Probe, of
from openvlt.testing.material import HOSTILE, Material, claim, judged, read

_BOUND = 1.0
"""Seconds of CPU time of a call in the calling process that bounded work never takes."""


def filter(probe: Probe[TraceFilter | ExampleFilter], material: Material) -> None:
    """One decision on each row, in order; answers never change."""
    component = probe.component
    needs = component.needs
    if not (isinstance(needs, tuple) and all(isinstance(name, str) for name in needs)):
        probe.wrong("claims", f"Its needs are {needs!r}.", "Let `needs` be a tuple of names.")
    elif isinstance(component, AskingTraceFilter | AskingExampleFilter):
        is_of_traces = isinstance(component, AskingTraceFilter)
        subjects: Sequence[Any] = material.all_claims() if is_of_traces else material.examples
        asking(probe, subjects, material, results.check_drop)
    else:
        with untouched(probe, material.examples):
            if isinstance(component, TraceFilter):
                _trace_filter(probe, material)
            elif isinstance(component, LookingExampleFilter):
                _looking_filter(probe, material)
            else:
                _example_filter(probe, material)


def _trace_filter(probe: Probe[Any], material: Material) -> None:
    rows = [(example, judged(example)) for example in material.examples]
    rows.append((material.examples[0], []))
    before = deepcopy(rows)
    looks = isinstance(probe.component, LookingTraceFilter)
    method = "look" if looks else "choose"
    calls: dict[str, Callable[[Any], Any]] = {
        f"{method} {'at' if looks else 'among'} {len(found)} traces of '{example.id}'": of(
            method, example, found, *[read] * looks, check=_kept(found)
        )
        for example, found in rows
    }
    if not looks:
        calls["choose_all"] = lambda each: _decided(each.choose_all(iter(rows)), [example for example, _ in rows])
    found = probe.laws(calls)
    most = max(len(traces) for _, traces in rows)
    kept_by = {what: found[what] for what in calls if isinstance(found[what], tuple)}
    told = probe.call("keeps_at_most", lambda: results.check_size(probe.component.keeps_at_most(1, most)))
    if isinstance(told, int) and (beyond := next((what for what, each in kept_by.items() if len(each) > told), None)):
        probe.wrong("claims", f"{beyond} keeps more than `keeps_at_most`, {told}.", "Let it say the most, or leave it.")
    if not probe.component.keeps_incorrect:
        kept = [each for what in calls if isinstance(found[what], tuple) for each in found[what]]
        if any(isinstance(each, Judged) and not each.is_correct for each in kept):
            probe.wrong("claims", "It keeps incorrect traces, but keeps_incorrect is False.", "Remove keeps_incorrect.")
    if rows != before:
        probe.wrong("purity", "It changes what it is given.", "Return a new list, and use dataclasses.replace.")


def _kept(traces: Sequence[Judged]) -> Callable[[Any], Any]:
    return lambda found: results.check_kept(found, traces)


def _decided(found: Any, examples: Sequence[Example]) -> list[Any]:
    """The decisions on all rows.

    Raises:
        WrongResult: they are not one for each row, in order.
    """
    decisions = list(found)
    if [getattr(each[0], "id", None) for each in decisions] != [example.id for example in examples]:
        what = f"{len(decisions)} decisions on {len(examples)} rows"
        raise WrongResult(f"it yielded {what}, or not in the order of the rows")
    return decisions


def _example_filter(probe: Probe[Any], material: Material) -> None:
    examples, before = list(material.examples), deepcopy(list(material.examples))
    facts = material.all_facts(probe.component.needs)

    def decide(each: ExampleFilter) -> list[Any]:
        decisions = [results.check_decision(made) for made in each.decide(iter(examples), facts)]
        return _decided([(_of(made), made) for made in decisions], examples)

    def values(key: str) -> set[str]:
        return {example.source if key == "source" else str(example.metadata.get(key, "")) for example in examples}

    found = probe.laws({
        "decide": decide, "decide on no rows": lambda each: list(each.decide(iter(()), facts)),
        "keeps_at_most": of("keeps_at_most", values, check=results.check_size),
    })  # fmt: skip
    told, decisions = found["keeps_at_most"], found["decide"]
    kept = sum(isinstance(made, Keep) for _, made in decisions) if isinstance(decisions, list) else 0
    if isinstance(told, int) and kept > told:
        probe.wrong("claims", f"It keeps {kept} examples, and `keeps_at_most` says {told}.", "Let it say the most.")
    if examples != before:
        probe.wrong("purity", "It changes the examples it is given.", "Keep dataclasses.replace(example, ...).")
    if probe.component.row_by_row:
        probe.call("decide", lambda: _check_reading(probe, examples, facts))


def _check_reading(probe: Probe[Any], examples: Sequence[Example], facts: Any) -> None:
    taken: list[Example] = []

    def rows() -> Iterator[Example]:
        for example in examples:
            taken.append(example)
            yield example

    for count, _ in enumerate(probe.component.decide(rows(), facts), 1):
        if len(taken) > count:
            problem = f"It reads {len(taken)} examples before decision {count}, but row_by_row is True."
            probe.wrong("claims", problem, "Remove `row_by_row`.")
            return


def _looking_filter(probe: Probe[Any], material: Material) -> None:
    facts = material.all_facts(probe.component.needs)
    probe.laws({
        f"look at '{example.id}'": of("look", example, facts, read, check=results.check_drop)
        for example in material.examples
    })  # fmt: skip


def _of(decision: Keep | tuple[Example, Drop]) -> Example:
    return decision.example if isinstance(decision, Keep) else decision[0]


def asking(probe: Probe[Any], subjects: Sequence[Any], material: Material, decision: Callable[[Any], Any]) -> None:
    """A prompt or a decision for each subject, and a decision for each reply."""

    def asked(found: Any) -> Any:
        is_prompt = isinstance(found, Iterable) and not isinstance(found, str | Mapping)
        return results.check_messages(found) if is_prompt else decision(found)

    calls = {
        f"messages for {_named(subject)}, number {number}": of("messages", subject, check=asked)
        for number, subject in enumerate(subjects)
    }
    prompted = (subject for subject in subjects if isinstance(_first(probe, subject, asked), list))
    if (subject := next(prompted, None)) is not None:  # no reply is read where the model was not asked
        for number, reply in enumerate(material.replies):
            what = f"parse of reply {number}, {reply[:30]!r}"
            calls[what] = of("parse", Completion(text=reply), subject, check=decision)
    found = probe.laws(calls)
    parsed = [found[what] for what in calls if what.startswith("parse") and found[what] is not FAILED]
    if parsed and all(isinstance(each, Rejected) for each in parsed):
        probe.wrong(
            "results", f"It reads none of {len(parsed)} replies: {parsed[0].reason}.",
            "Try it on Material(replies=...) with a reply that it can read.",
        )  # fmt: skip


def _first(probe: Probe[Any], subject: Any, asked: Callable[[Any], Any]) -> Any:
    return probe.call(f"messages for {_named(subject)}", lambda: asked(probe.component.messages(subject)))


def _named(subject: Claim | Example) -> str:
    return f"a response to '{subject.example.id}'" if isinstance(subject, Claim) else f"'{subject.id}'"


def verifier(probe: Probe[Verifier], material: Material) -> None:
    """Verdicts with scores in the range; equal claims get equal ones."""
    component, claims = probe.component, material.all_claims()
    low, high = component.range
    if not low < high:
        probe.wrong("claims", f"Its range is {component.range}.", "Let `range` be the lowest and the highest score.")
        return

    def one(found: Any) -> Verdict:
        return results.check_verdicts([found], 1, component.range)[0]

    if isinstance(component, AskingVerifier):
        asking(probe, claims, material, one)
        return
    if isinstance(component, LookingVerifier):
        with untouched(probe, [each.example for each in claims]):
            probe.laws({
                f"look at response {number}, to '{each.example.id}'": of("look", each, read, check=one)
                for number, each in enumerate(claims)
            })  # fmt: skip
        return
    calls = {
        f"verify of response {number}, to '{each.example.id}'": of("verify", each, check=one)
        for number, each in enumerate(claims)
    }
    groups = {each.group: [other for other in claims if other.group == each.group] for each in claims}
    for name, group in groups.items():
        calls[f"verify_group of {len(group)} responses to '{name}'"] = of(
            "verify_group", group, check=partial(results.check_verdicts, count=len(group), allowed=component.range)
        )
    found = probe.laws(calls)
    if not component.grouped:
        _check_groups(probe, groups, claims, found)
    if isinstance(component, AnswerVerifier):
        _answer(probe, component, material)
    if component.inline:
        _bounded(probe, component, material)


def _check_groups(probe: Probe[Any], groups: Any, claims: Sequence[Claim], found: Any) -> None:
    alone = dict(zip(map(id, claims), found.values(), strict=False))
    for name, group in groups.items():
        together = found[f"verify_group of {len(group)} responses to '{name}'"]
        if isinstance(together, list) and together != [alone[id(each)] for each in group]:
            probe.wrong("claims", "verify_group and verify disagree, but grouped is False.", "Set `grouped = True`.")


def _answer(probe: Probe[Any], component: AnswerVerifier, material: Material) -> None:
    right = [claim(example, f"<answer>{example.answer}</answer>") for example in material.examples]
    what = "verify of a gold answer"
    verdicts = [probe.call(what, partial(component.verify, each)) for each in right]
    if component.context_free:
        for each, verdict in zip(right, verdicts, strict=True):
            other = replace(each.example, id="other", question="Another question?", images=(), metadata={}, source="x")
            moved = probe.call("verify", lambda: component.verify(replace(each, example=other)))  # noqa: B023
            if FAILED not in (verdict, moved) and verdict != moved:
                probe.wrong("claims", "Its verdict depends on more than the answer, but context_free is True.",
                            "Remove `context_free`.")  # fmt: skip


def _bounded(probe: Probe[Any], component: Verifier, material: Material) -> None:
    """What runs in the calling process takes bounded work, whatever the response."""
    example = material.examples[0]
    for text in HOSTILE:
        each = claim(example, f"<think>so</think><answer>{text}</answer>", is_correct=True)
        started = time.thread_time()
        if not isinstance(component, AnswerVerifier):
            probe.call("verify of a hostile response", lambda: component.verify(each))  # noqa: B023
        elif each.answer is not None:
            probe.call("quick of a hostile answer", lambda: component.quick(each.answer or "", each))  # noqa: B023
        if (took := time.thread_time() - started) > _BOUND:
            problem = f"It takes {took:.1f} s for the answer {text[:20]!r}..., but inline is True."
            probe.wrong("claims", problem, "Bound its work, or remove `inline`.")
            return
