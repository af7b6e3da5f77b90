"""From questions and responses to judged rows: one verdict for each scoring of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openvlt.bench.responses import Response
from openvlt.errors import DataError
from openvlt.extraction import extract
from openvlt.interfaces import Benchmark
from openvlt.records import Claim, Example, Format, Judged, Rejected, Row, Trace, Verdict
from openvlt.registry import Built, Registry
from openvlt.verification import Judge

BARE = 60
"""Characters at most of a one-line reply that is taken as nothing but the answer."""

UNANSWERED = "no response"


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
    examples: Sequence[Example], responses: Mapping[str, Response], judge: Judge, format: Format, *, phrases: bool
) -> list[Row]:
    """Judge every question's response by every scoring.

    Args:
        examples: the questions.
        responses: by id; a question without one is unanswered, and wrong whatever the scoring.
        judge: runs the verifiers, by scoring.
        format: names the answer tag.
        phrases: see `openvlt.Benchmark.phrases`.

    Returns:
        One row a question, in order, each with one judged trace.
    """
    traces = [trace_of(responses.get(example.id), format, phrases=phrases) for example in examples]
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


def trace_of(response: Response | None, format: Format, *, phrases: bool) -> Trace:
    """A response with the answer found in it, or with the one that was extracted elsewhere."""
    if response is None:
        return Trace(think="", answer=None, raw="")
    cut = response.finish_reason == "length"
    answer = response.extraction
    if answer is None:
        answer = answer_in(response.text, format, phrases=phrases, bare=phrases and not cut)
    return Trace(
        think="",
        answer=answer,
        raw=response.text,
        finish_reason=response.finish_reason,
        prompt_tokens=response.prompt_tokens,
        completion_tokens=response.completion_tokens,
    )


def answer_in(text: str, format: Format, *, phrases: bool, bare: bool) -> str | None:
    """The answer the embedded rule finds; a short reply of one line may be nothing but the answer.

    Args:
        text: all of the response.
        format: names the answer tag.
        phrases: accept "the answer is ...".
        bare: accept a one-line reply of at most `BARE` characters as the answer.
    """
    found = extract(text, format, phrases=phrases)
    if found.answer is None and found.start < 0 and bare:
        line = text.strip()
        return line if line and len(line) <= BARE and "\n" not in line else None
    return found.answer


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
