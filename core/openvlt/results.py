"""What components return is checked here, where it enters the core: types, finite numbers, ranges, lengths, images.

Each check returns what is used from then on, so that no later stage meets anything else.

Raises:
    WrongResult: it is not what the interface says, which is the component's fault; `Built.guarded` names it.
    Reject: data that no stage can store, such as a text with a lone surrogate, which is the row's fault.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, TypeVar, get_args

from openvlt.errors import Reject, WrongResult, printable
from openvlt.interfaces import Drop, FactValue, Keep
from openvlt.records import (
    MOST_DECIMALS,
    AnswerType,
    Completion,
    Example,
    Image,
    Judged,
    Message,
    NewImage,
    Rejected,
    Turn,
    Verdict,
)
from openvlt.records.claim import Cause, Status
from openvlt.store import decode, encode

T = TypeVar("T")

LONGEST = 1_000_000
"""Characters of a text; a longer one is a file in the wrong column, and every later stage would copy it."""

_STATUSES, _CAUSES = get_args(Status), (None, *get_args(Cause))


def check_type(found: Any, expected: type[T], what: str) -> T:
    """What a method returned, if it is of a type; `what` completes "not ...": ``a Trace``."""
    if not isinstance(found, expected):
        raise WrongResult(f"it returned {type(found).__name__}, not {what}")
    return found


def check_made(found: Any, record_type: Any) -> Any:
    """A caption, trace or reply as it is read again once it is stored; any other would be an error of every later run.

    Args:
        found: what a method returned; `Rejected` is kept.
        record_type: what it should be, such as `Trace` or ``str | None``.
    """
    if isinstance(found, Rejected):
        return Rejected(id="", reason=printable(found.reason), transient=bool(found.transient))
    try:
        return decode(record_type, encode(found))
    except (ValueError, TypeError, RecursionError, AttributeError):
        name, returned = getattr(record_type, "__name__", str(record_type)), type(found).__name__
        how = "has a value that cannot be stored" if name == returned else f"is no {name}"
        raise WrongResult(f"it returned {returned}, which {how}") from None


def check_callable(found: Any) -> Any:
    """A function that a component makes."""
    if not callable(found):
        raise WrongResult(f"it yielded {type(found).__name__}, which cannot be called")
    return found


def check_example(found: Any) -> Example:
    """An example of a source, of a filter or of a benchmark."""
    example = check_type(found, Example, "an Example")
    for name in ("id", "question", "answer"):
        _check_text(name, getattr(example, name))
    if not example.id:
        raise Reject("empty id")
    if example.unit is not None:
        _check_text("unit", example.unit)
    if not isinstance(example.choices, tuple | list):
        raise WrongResult(f"it returned an example whose choices are {type(example.choices).__name__}, not texts")
    for choice in example.choices:
        _check_text("choice", choice)
    if not isinstance(example.history, tuple):
        raise WrongResult(f"it returned an example whose history is {type(example.history).__name__}, no tuple")
    for turn in example.history:
        if not isinstance(turn, Turn) or turn.role not in ("user", "assistant"):
            raise WrongResult("it returned an example whose history has what is no turn of a user or an assistant")
        _check_text("turn", turn.text)
    if not isinstance(example.images, tuple) or not all(isinstance(image, Image) for image in example.images):
        raise WrongResult("it returned an example whose images are no tuple of images")
    if example.answer_type is not None and example.answer_type not in get_args(AnswerType):
        raise WrongResult(
            f"it returned an example with the answer type {example.answer_type!r:.50}, which is none of "
            f"{', '.join(get_args(AnswerType))}"
        )
    if example.precision is not None and not _is_precision(example.precision):
        raise WrongResult(f"it returned an example whose precision is no whole number from 0 to {MOST_DECIMALS}")
    _check_metadata(example.metadata)
    return example if isinstance(example.choices, tuple) else replace(example, choices=tuple(example.choices))


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise WrongResult(f"it returned an example whose {name} is {type(value).__name__}, not text")
    if len(value) > LONGEST:
        raise Reject(f"{name} is longer than {LONGEST:,} characters")
    if "\0" in value:
        raise Reject(f"{name} contains a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Reject(f"{name} contains a lone surrogate") from None


def _is_precision(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DECIMALS


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, Mapping):
        raise WrongResult(f"it returned an example whose metadata is {type(metadata).__name__}, not a mapping")
    nested = False
    for name, value in metadata.items():
        _check_text("key of metadata", name)
        if isinstance(value, str):
            _check_text("value of metadata", value)
        nested = nested or not (value is None or isinstance(value, str | bool | float))
    if nested:
        try:
            decode(dict[str, Any], encode(dict(metadata)))
        except (ValueError, TypeError, RecursionError, AttributeError):
            raise Reject("metadata is not JSON") from None


def check_messages(found: Any) -> list[Message]:
    """A prompt: messages of text and of images that are in the store."""
    if isinstance(found, str | Mapping) or not isinstance(found, Iterable):
        raise WrongResult(f"it returned {type(found).__name__}, not a list of messages")
    prompt = list(found)
    if not prompt:
        raise WrongResult("it returned an empty prompt")
    for each in prompt:
        if not (isinstance(each, Message) and isinstance(each.role, str) and isinstance(each.content, tuple)):
            raise WrongResult(f"its prompt has {type(each).__name__}, which is no message")
        if not all(isinstance(part, str | Image) for part in each.content):
            raise WrongResult("its prompt has a part that is neither text nor image")
        if any(isinstance(part, NewImage) for part in each.content):
            raise WrongResult("its prompt has an image that is not in the store; use those of the example")
    return prompt


def check_replies(found: Any, samples: Sequence[int]) -> list[Sequence[Completion] | Rejected]:
    """The replies of an engine: for each request as many completions as it has samples, or `Rejected`.

    Args:
        found: what `generate` returned.
        samples: how many each request wants.
    """
    replies = list(check_type(found, Iterable, "a list of replies"))
    if len(replies) != len(samples):
        raise WrongResult(f"it returned {len(replies)} replies to {len(samples)} requests")
    return [_check_reply(reply, count) for reply, count in zip(replies, samples, strict=True)]


def _check_reply(reply: Any, count: int) -> Sequence[Completion] | Rejected:
    if isinstance(reply, Rejected):
        return replace(reply, reason=printable(reply.reason), transient=bool(reply.transient))
    if isinstance(reply, str) or not isinstance(reply, Iterable):
        raise WrongResult(f"it returned {type(reply).__name__} for a request, not a list of completions")
    completions = list(reply)
    if len(completions) != count or not all(isinstance(each, Completion) for each in completions):
        raise WrongResult(f"it did not return {count} completions for a request")
    return [check_made(each, Completion) for each in completions]


def check_pair(found: Any) -> tuple[Example, Any]:
    """What a trace filter yields for a row: its example, and the decision."""
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Example):
        return found
    raise WrongResult(f"it yielded {type(found).__name__}, not an example with a decision")


def check_kept(found: Any, judged: Sequence[Judged]) -> tuple[Judged, ...] | Drop:
    """A decision of a trace filter.

    Args:
        found: what it returned.
        judged: the traces it chose from, whose answers it must not change.
    """
    if isinstance(found, Drop):
        return Drop(printable(found.reason))
    if not isinstance(found, Sequence) or not all(isinstance(each, Judged) for each in found):
        raise WrongResult(f"it returned {type(found).__name__}, neither a list of judged traces nor a Drop")
    known, answers = {id(each) for each in judged}, {each.trace.answer for each in judged}
    if all(id(each) in known for each in found):
        if len({id(each) for each in found}) < len(found):
            raise WrongResult("it kept a trace twice")
        return tuple(found)
    kept: tuple[Judged, ...] = check_made(tuple(found), tuple[Judged, ...])
    if any(each.trace.answer not in answers for each in kept):
        raise WrongResult("it changed an answer; a filter may rewrite the reasoning alone")
    # each as often as it was given, and else once
    if Counter(map(encode, kept)) - (Counter(map(encode, judged)) | Counter({encode(each) for each in kept})):
        raise WrongResult("it kept a trace twice")
    return kept


def check_loaded(found: Any) -> Example:
    """An example that a component has made of one that was loaded: its images are in the store, and it has a gold."""
    example = check_example(found)
    if any(isinstance(image, NewImage) for image in example.images):
        raise WrongResult("it returned an example with an image that is not in the store; use those of the example")
    if not example.answer.strip() and not example.metadata.get("unlabelled"):
        raise WrongResult("it returned an example with an empty gold answer")
    return example


def check_decision(found: Any) -> Keep | tuple[Example, Drop]:
    """A decision of an example filter; a kept example can be stored."""
    if isinstance(found, Keep):
        return Keep(check_loaded(found.example))
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Example) and isinstance(found[1], Drop):
        return found[0], Drop(printable(found[1].reason))
    raise WrongResult(f"it returned {type(found).__name__}, neither a Keep nor an example with a Drop")


def check_drop(found: Any) -> Drop | None:
    """A decision of a filter that asks."""
    if found is None or isinstance(found, Drop):
        return found and Drop(printable(found.reason))
    raise WrongResult(f"it returned {type(found).__name__}, neither None nor a Drop")


def check_fact(found: Any) -> FactValue | None:
    """The value of a fact; None if the example has none."""
    if found is not None and not isinstance(found, bool | int | float | str):
        raise WrongResult(f"it returned {type(found).__name__}, which is neither a number nor a text")
    if isinstance(found, float) and not math.isfinite(found):
        raise WrongResult(f"it returned {found}, which is no finite number")
    if isinstance(found, str):
        try:
            _check_text("value", found)
        except Reject as reject:
            raise WrongResult(f"its {reject.reason}") from None
    return found


def check_verdicts(found: Any, count: int, allowed: tuple[float, float]) -> list[Verdict]:
    """The verdicts of one call of a verifier.

    Args:
        found: what it returned.
        count: claims it was given.
        allowed: lowest and highest score.
    """
    if not isinstance(found, Sequence) or len(found) != count:
        what = f"{len(found)} verdicts" if isinstance(found, Sequence) else type(found).__name__
        raise WrongResult(f"it returned {what} for {count} claims")
    return [_check_verdict(verdict, allowed) for verdict in found]


def _check_verdict(verdict: Any, allowed: tuple[float, float]) -> Verdict:
    if not isinstance(verdict, Verdict):
        raise WrongResult(f"it returned {type(verdict).__name__} instead of a Verdict")
    if verdict.status not in _STATUSES or verdict.cause not in _CAUSES:
        raise WrongResult(f"it returned the status {verdict.status!r} and the cause {verdict.cause!r}")
    score = verdict.score
    if score is not None and type(score) is not float:
        if not isinstance(score, Real):
            raise WrongResult(f"it returned the score {score!r}")
        score = float(score)
    if score is not None and not (math.isfinite(score) and allowed[0] <= score <= allowed[1]):
        raise WrongResult(f"it returned the score {score:g}, outside its range {allowed[0]:g} to {allowed[1]:g}")
    if score is not verdict.score or not _is_plain(verdict):
        verdict = replace(verdict, score=score, reason=encodable(verdict.reason), tier=encodable(verdict.tier))
        try:
            encode(verdict)
        except (ValueError, TypeError, RecursionError, AttributeError):
            raise WrongResult("it returned a verdict whose detail is not JSON") from None
    found: Verdict = verdict
    return found


def _is_plain(verdict: Verdict) -> bool:
    reason, tier = verdict.reason, verdict.tier
    return not verdict.detail and isinstance(reason, str) and isinstance(tier, str) and (reason + tier).isascii()


def encodable(text: Any) -> str:
    """The text without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else printable(text)


def check_guess(found: Any) -> str:
    """What a baseline of a benchmark answers."""
    guess = check_type(found, str, "text")
    try:
        guess.encode()
    except UnicodeEncodeError:
        raise WrongResult("it returned a text with a lone surrogate") from None
    return guess


def check_figures(found: Any) -> dict[str, float]:
    """Numbers by name: further figures of a benchmark, counts of an engine, metrics of a training; each is finite."""
    if not isinstance(found, Mapping):
        raise WrongResult(f"it returned {type(found).__name__}, not numbers by name")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Real) or isinstance(value, bool):
            raise WrongResult(f"it returned {value!r} for {name!r}, which is no number by name")
        if not math.isfinite(value):
            raise WrongResult(f"it returned {value:g} for '{name}', which is not finite")
    return {str(name): float(value) for name, value in found.items()}


def check_size(found: Any) -> int | None:
    """A number of rows; None if it is unknown."""
    if found is None or (type(found) is int and found >= 0):
        return found
    raise WrongResult(f"it returned {found!r}, neither a number of rows nor None")


def check_values(found: Any) -> Collection[str] | None:
    """All values of a key of the metadata; None if they are unknown."""
    if found is None:
        return None
    if isinstance(found, str) or not isinstance(found, Collection) or not all(isinstance(each, str) for each in found):
        raise WrongResult(f"it returned {found!r}, neither a collection of texts nor None")
    return found


def check_hours(found: Any) -> float | None:
    """Hours; None if they are unknown."""
    return None if found is None else _amounts({"hours": found})["hours"]


def check_memory(found: Any) -> dict[str, float]:
    """Bytes by what they are for; none if they are unknown."""
    return _amounts({} if found is None else found)


def _amounts(found: Any) -> dict[str, float]:
    amounts = check_figures(found)
    if below := next((name for name, amount in amounts.items() if amount < 0), None):
        raise WrongResult(f"it returned {amounts[below]:g} for '{below}', which is less than nothing")
    return amounts


def check_planned_gpus(found: Any) -> tuple[int, int]:
    """Numbers of machines, and of GPUs of each."""
    if isinstance(found, tuple) and [*map(type, found)] == [int, int] and found[0] > 0 and found[1] >= 0:
        return found
    raise WrongResult(f"it returned {found!r}, which are no numbers of machines and of GPUs of each")


def check_number(found: Any) -> int:
    """A number of processes, rows or the like."""
    if type(found) is not int or found < 0:
        raise WrongResult(f"it returned {found!r}, no whole number")
    return found


def check_note(found: Any) -> str:
    """Sentences for a plan, or an empty text."""
    return " ".join(check_type(found, str, "text").split())
