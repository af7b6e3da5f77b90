"""Who is to blame when no verdict comes: runs verifiers in workers and turns their failures into verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from openvlt.interfaces import Verifier
from openvlt.records import Claim, Format, Trace, Verdict
from openvlt.registry import Built
from openvlt.verification.messages import Reply, Setup, Task
from openvlt.verification.pool import Failed, Pool

T = TypeVar("T")
Group = tuple[Claim, ...]


def is_builtin(built: Built) -> bool:
    """True for our own verifiers, whose quick look is bounded."""
    return built.entry.id.startswith("openvlt/")


def guarded(judge: Callable[[], T]) -> T | Verdict:
    """Call a verifier here; what it raises is an error of ours."""
    try:
        return judge()
    except Exception as error:  # noqa: BLE001 (the boundary to a component: an error of ours is a verdict, not a crash)
        return Verdict.error(f"{type(error).__name__}: {error}"[:500])


def guarded_group(verifier: Verifier, claims: Group) -> list[Verdict]:
    """Call a verifier on a group here; what it raises is an error of ours."""
    found = guarded(lambda: verifier.verify_group(claims))
    return [found] * len(claims) if isinstance(found, Verdict) else found


class Isolation:
    """Where verifiers work that are not trusted to be quick; its workers start when they are first needed.

    Args:
        verifiers: all that may come to work here.
        format: names the tags.
        workers: how many work at once.
    """

    def __init__(self, verifiers: Iterable[Built], format: Format, workers: int | None) -> None:
        self._verifiers = {built.identity: built for built in verifiers}
        self._format = format
        self._workers = workers
        self._pool: Pool | None = None
        self._sound: dict[tuple[str, str], bool] = {}
        self._lock = Lock()

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()

    def judge(self, built: Built, groups: Sequence[Group], how: str) -> list[list[Verdict]]:
        """The verdicts on the claims of each group, in order; `how` as in `Task`."""
        if not groups:
            return []
        tasks = [Task(verifier=built.identity, claims=tuple(map(_sendable, group)), how=how) for group in groups]
        results = self._running().run(tasks)
        return [
            list(result.verdicts) if isinstance(result, Reply) else [self._blame(built, group, result)] * len(group)
            for group, result in zip(groups, results, strict=True)
        ]

    def _running(self) -> Pool:
        with self._lock:
            if self._pool is None:
                specs = {key: {"use": built.entry.id, **built.options} for key, built in self._verifiers.items()}
                places = [built.entry.target.rpartition(":")[0] for built in self._verifiers.values()]
                files = tuple(sorted({place for place in places if place.endswith(".py")}))
                self._pool = Pool(Setup(verifiers=specs, files=files, format=self._format), self._workers)
            return self._pool

    def _blame(self, built: Built, group: Group, failed: Failed) -> Verdict:
        """The verdict where a worker gave none: the response's fault only if the verifier is sound without it."""
        if failed.how in {"stalled", "budget"}:
            return Verdict.timeout("system", failed.reason)
        if failed.how == "start" or not (is_builtin(built) or self._is_sound(built, group[0])):
            return Verdict.error(failed.reason)
        lowest = built.component.range[0]
        if failed.how == "timeout":
            return Verdict.timeout("response", failed.reason, lowest)
        return Verdict(status="error", score=lowest, reason=failed.reason, cause="response")

    def _is_sound(self, built: Built, claim: Claim) -> bool:
        """Whether a third party's verifier copes with the gold itself as the response; asked once a gold."""
        gold = claim.example.answer
        key = (built.identity, gold)
        if key not in self._sound:
            tag = self._format.answer
            trace = Trace(think="", answer=gold, raw=f"<{tag}>{gold}</{tag}>")
            control = Task(verifier=built.identity, claims=(_sendable(replace(claim, trace=trace)),))
            self._sound[key] = isinstance(self._running().run([control])[0], Reply)
        return self._sound[key]


def _sendable(claim: Claim) -> Claim:
    """The claim without lone surrogates, which UTF-8 cannot carry."""
    try:
        (claim.response + (claim.answer or "") + claim.example.answer).encode()
    except UnicodeEncodeError:
        trace = replace(claim.trace, raw=_mended(claim.trace.raw), think=_mended(claim.trace.think))
        trace = replace(trace, explanation=_mended(trace.explanation), answer=trace.answer and _mended(trace.answer))
        return replace(claim, trace=trace, example=replace(claim.example, answer=_mended(claim.example.answer)))
    return claim


def _mended(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
