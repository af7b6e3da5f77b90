"""From questions and responses to judged rows: one verdict for each scoring of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from openvlt.bench.responses import Response
from openvlt.errors import DataError
from openvlt.extraction import extract
from openvlt.interfaces import Benchmark
from openvlt.records import Claim, Example, Format, Judged, Rejected, Row, Trace, Verdict
from openvlt.registry import Built, Registry
from openvlt.verification import VerifierRunner

BARE = 60
"""Characters at most of a one-line reply that is taken as nothing but the answer."""

UNANSWERED = "no response"

Reading: TypeAlias = Literal["tag", "phrase", "whole"]
"""How the answer is found in a response: the tag or box; also a phrase or a bare line; or else the whole reply."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a benchmark that are asked.

    Attributes:
        examples: in the order of the data.
        rejected: rows of the data that cannot be asked, with the reason.
    """

    examples: tuple[Example, ...]
    rejected: tuple[Rejected, ...]


def read_questions(benchmark: Benchmark, limit: int | None = None) -> Questions:
    """Read the questions of a benchmark without touching their images.

    Raises:
        DataError: there is no data, its columns are not the benchmark's, or an id stands twice.
    """
    rejected: list[Rejected] = []

    def good() -> Iterator[Example]:
        seen: set[str] = set()
        for item in benchmark.source.examples(benchmark.split):
            if isinstance(item, Rejected):
                rejected.append(item)
                continue
            if item.id in seen:
                raise DataError(f"The data has the id '{item.id}' twice.", "Remove one of the two rows.")
            seen.add(item.id)
            yield item

    chosen = list(benchmark.choose(good()))
    return Questions(tuple(chosen[:limit]), tuple(rejected))


def verifiers_of(benchmark: Benchmark, registry: Registry, format: Format) -> dict[str, Built]:
    """The verifier behind each scoring."""
    return {
        scoring: registry.build("verifier", verifier, format=format, where=f"scoring '{scoring}'")
        for scoring, verifier in benchmark.scorings.items()
    }


def score(
    examples: Sequence[Example],
    responses: Mapping[str, Response],
    judge: VerifierRunner,
    format: Format,
    reading: Reading,
) -> list[Row]:
    """Judge every question's response by every scoring.

    Args:
        examples: the questions.
        responses: by id; a question without one is unanswered, and wrong whatever the scoring.
        judge: runs the verifiers, by scoring.
        format: names the answer tag.
        reading: how the answer is found.

    Returns:
        One row a question, in order, each with one judged trace.
    """
    traces = [trace_of(responses.get(example.id), format, reading) for example in examples]
    claims = [
        Claim(trace=trace, example=example)
        for trace, example in zip(traces, examples, strict=True)
        if _is_answered(responses.get(example.id))
    ]
    verdicts = iter(judge.verdicts(claims))
    rows = []
    for trace, example in zip(traces, examples, strict=True):
        response = responses.get(example.id)
        found = next(verdicts) if _is_answered(response) else dict.fromkeys(judge.tallies, _without(response))
        rows.append(Row(example=example, judged=(Judged(trace=trace, verdicts=found),)))
    return rows


def trace_of(response: Response | None, format: Format, reading: Reading) -> Trace:
    """A response with the answer found in it, or with the one that was extracted elsewhere."""
    if response is None:
        return Trace(think="", answer=None, raw="")
    answer = response.extraction
    if answer is None:
        answer = answer_in(response.text, format, reading, cut=response.finish_reason == "length")
    return Trace(
        think="",
        answer=answer,
        raw=response.text,
        finish_reason=response.finish_reason,
        prompt_tokens=response.prompt_tokens,
        completion_tokens=response.completion_tokens,
    )


def answer_in(text: str, format: Format, reading: Reading, *, cut: bool = False) -> str | None:
    """The answer in a response.

    Args:
        text: all of it.
        format: names the answer tag.
        reading: ``tag``: the embedded rule (last answer tag, else last box); ``phrase``: else what follows "the answer
            is", else a reply of one line of at most `BARE` characters; ``whole``: else all of the reply.
        cut: the token limit ended it, so it is never nothing but the answer.
    """
    found = extract(text, format, accept_phrases=reading == "phrase")
    line = text.strip()
    if found.answer is not None or found.start >= 0 or cut or not line or reading == "tag":
        return found.answer
    return line if reading == "whole" or (len(line) <= BARE and "\n" not in line) else None


def unknown_ids(examples: Iterable[Example], responses: Mapping[str, Response]) -> list[str]:
    """Ids of responses to questions the data does not have.

    Raises:
        DataError: not one response is for a question of the data.
    """
    known = {example.id for example in examples}
    unknown = [id for id in responses if id not in known]
    if responses and len(unknown) == len(responses):
        raise DataError(
            f"None of the {len(unknown)} responses is for a question of the data: its ids are like "
            f"{', '.join(sorted(known)[:3])}, those of the responses like {', '.join(unknown[:3])}.",
            "Name the benchmark, split and data the responses were made for.",
        )
    return unknown


def _is_answered(response: Response | None) -> bool:
    return response is not None and not response.failed


def _without(response: Response | None) -> Verdict:
    return Verdict.unparsed(UNANSWERED) if response is None else Verdict.error(response.failed)
