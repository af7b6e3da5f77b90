"""What is wrong with a component, in its author's words, and the laws that all components obey."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from openvlt import results
from openvlt.errors import PASSING, OpenvltError, Reject, WrongResult
from openvlt.interfaces import Component
from openvlt.records import Rejected
from openvlt.registry.guard import place, told

C = TypeVar("C", bound=Component)
Rule: TypeAlias = Literal[
    "options", "identity", "exceptions", "results", "ids", "order", "determinism", "purity", "threads", "claims"
]
"""What was looked at; ``claims`` are what its class attributes say of it."""

FAILED = Rejected(id="", reason="an exception")
"""Stands for the result of a call that raised an exception, which is a finding."""
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: what was looked at.
        problem: one sentence: what the component does, on which input.
        remedy: one sentence: what to do.
    """

    rule: Rule
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.problem} {self.remedy}".strip()


class Failed(AssertionError):
    """A component does not keep what its interface promises.

    Args:
        who: the component.
        findings: what is wrong, at least one.
    """

    def __init__(self, who: str, findings: list[Finding]) -> None:
        super().__init__("\n".join([f"{who} fails {len(findings)} checks:", *(f"  - {each}" for each in findings)]))
        self.findings = findings


@dataclass
class Probe(Generic[C]):
    """Calls a component and keeps what is wrong with it, each thing once.

    Attributes:
        component: the component.
        findings: what is wrong so far.
    """

    component: C
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, rule: Rule, problem: str, remedy: str = "") -> None:
        """Remember a finding; of each rule and remedy the first is kept, for the others have the same cause."""
        if not any((each.rule, each.remedy) == (rule, remedy) for each in self.findings):
            self.findings.append(Finding(rule, problem, remedy))

    def call(self, what: str, call: Callable[[], Any]) -> Any:
        """The result of a call, `Rejected` where it raises `Reject`, `FAILED` where it fails, which is a finding.

        Args:
            what: the method and its input, for messages: ``parse of an empty reply``.
            call: calls it, and checks the result by `openvlt.results`.

        Raises:
            OpenvltError: the component says itself what is missing.
        """
        try:
            return call()
        except Reject as reject:
            return Rejected(id="", reason=str(reject.reason), transient=reject.transient)
        except WrongResult as error:
            self.wrong("results", f"{what}: {error}.", "Return what the interface says, or raise Reject.")
        except (OpenvltError, *PASSING):
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary: a component may raise anything
            function = getattr(type(self.component), what.split(maxsplit=1)[0], None)
            where = place(type(self.component).__module__, error, function)
            problem = f"{what} raises {told(error)}{where and f' ({where})'}."
            self.wrong("exceptions", problem, "Raise Reject('reason') to reject a row; a source yields Rejected.")
        return FAILED

    def laws(self, calls: Mapping[str, Callable[[C], Any]]) -> dict[str, Any]:
        """Make calls, and check that their results depend on nothing but their input.

        Args:
            calls: by what they are, for messages; each is given the component.

        Returns:
            The results.
        """
        before, others = self._state(), set(threading.enumerate())
        drawn = random.getstate()
        first = self._all(self.component, calls)
        if random.getstate() != drawn:
            self.wrong(
                "purity", "It draws from the random numbers of the whole process.", "Use random.Random(self.seed)."
            )
        random.seed(1)  # what is drawn from it without being noticed is now something else
        again = self._all(self.component, calls)
        random.setstate(drawn)
        self._compare("determinism", first, again, "when it is called again", "Let it depend on its input alone.")
        if self._state() != before:
            self.wrong("purity", "Its fields or class attributes change when it is called.", "Keep no state.")
        fresh = self._fresh()
        reverse = dict(reversed(list(calls.items())))
        after_others = self._all(fresh, reverse)
        self._compare("purity", first, after_others, "in another order of calls", "Keep no state between calls.")
        self._compare("threads", first, self._threaded(calls), "from several threads", "Share nothing between calls.")
        if started := set(threading.enumerate()) - others:
            self.wrong("threads", f"It leaves {len(started)} threads running.", "Start no threads: the core does.")
        return first

    def _all(self, component: C, calls: Mapping[str, Callable[[C], Any]]) -> dict[str, Any]:
        def made(what: str) -> Any:
            return self.call(what, lambda: calls[what](component))

        return {what: made(what) for what in calls}

    def _threaded(self, calls: Mapping[str, Callable[[C], Any]]) -> dict[str, Any]:
        """The results of all threads: of those that differ from each other, any that is not the first thread's."""
        names, interval = list(calls), sys.getswitchinterval()
        turns = [names[turn:] + names[:turn] for turn in range(min(_THREADS, len(names)))]

        def made(turn: list[str]) -> dict[str, Any]:
            return self._all(self.component, {name: calls[name] for name in turn})

        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                first, *others = pool.map(made, turns)
        finally:
            sys.setswitchinterval(interval)
        for other in others:
            first.update({name: other[name] for name in names if not same(other[name], first[name])})
        return first

    def _compare(self, rule: Rule, first: Mapping[str, Any], second: Mapping[str, Any], when: str, remedy: str) -> None:
        for what, result in first.items():
            if FAILED not in (result, second[what]) and not same(result, second[what]):
                problem = f"{what} gives another result {when}: {_shown(result)}, then {_shown(second[what])}."
                self.wrong(rule, problem, remedy)

    def _fresh(self) -> C:
        if not is_dataclass(self.component):
            return self.component
        given = {each.name: getattr(self.component, each.name) for each in fields(self.component) if each.init}
        return type(self.component)(**given)

    def _state(self) -> object:
        own = {
            name: value for name, value in vars(type(self.component)).items() if isinstance(value, dict | list | set)
        }
        try:
            return deepcopy((vars(self.component), own))
        except Exception:  # noqa: BLE001 - what cannot be copied is compared as it prints
            return repr((vars(self.component), own))


def of(method: str, *arguments: Any, check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A call of a method, whose result is checked."""
    return lambda each: check(getattr(each, method)(*arguments))


def typed(expected: type, what: str) -> Callable[[Any], Any]:
    """Checks the type of a result; see `openvlt.results.check_type`."""
    return lambda found: results.check_type(found, expected, what)


def same(one: object, other: object) -> bool:
    """True if two results are equal; what cannot be compared is compared as it prints."""
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - arrays, for example, have no single truth
        return repr(one) == repr(other)


def _shown(result: object) -> str:
    text = repr(result)
    return text if len(text) <= 120 else f"{text[:117]}..."
