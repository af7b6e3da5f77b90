"""Layouts of response files: how the files of each tool are recognised, and where in a row everything stands.

A new layout is a new entry of `LAYOUTS`. Everything in it is a path: ``a.b`` is a key of a mapping, ``a.*.b`` that of
each item of a list, ``a|b`` the first that is there. Where the paths were looked up is in ``docs/benchmarks.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from openvlt.errors import UsageError, closest

FIELDS = ("id", "response", "question", "extraction", "sample", "finish")
"""What ``--columns`` may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things stand in the rows of a file; an empty path means nowhere.

    Attributes:
        name: what the rows are, in messages.
        marks: what the first rows of such a file have.
        response: the text, the parts of one, or a list of texts, which are samples.
        id: of the question. Rows without one are matched by the columns of the data set, `position` or `question`.
        row: a row of the data set, with its columns; empty if they are beside the response.
        position: of the question in the data, from 0.
        question: the question or the whole prompt.
        gold: the gold answer, which tells questions with the same text apart.
        each: the samples of a row; `response`, `extraction`, `finish` and `usage` then stand in each of them.
        sample: what the samples of a question are ordered by, if not by their rows.
        extraction: the answer, if it was extracted from the response already.
        answer: the answer, of a row that has no response.
        finish: why the response ended.
        usage: a mapping with the numbers of tokens; empty if they are beside the response.
        error: what is there instead of a response.
        refusal: what an endpoint put in the place of a text that it refused to give.
        spelled: answer by code.
        blank: True if an empty text is no response.
        shown: what the rows of a file are and where things stand in them, in messages.
    """

    name: str
    marks: tuple[str, ...] = ()
    response: str
    id: str = ""
    row: str = ""
    position: str = ""
    question: str = ""
    gold: str = ""
    each: str = ""
    sample: str = ""
    extraction: str = ""
    answer: str = ""
    finish: str = "finish_reason"
    usage: str = ""
    error: str = ""
    refusal: str = ""
    spelled: Mapping[str, str] = field(default_factory=dict)
    blank: bool = False
    shown: str = ""


PLAIN = Layout(
    name="plain rows",
    id="id|pid|sample_index|index|question_id",
    response="response|prediction|value",
    question="question|query|prompt",
    extraction="extraction",
    answer="model_answer",
)
"""Rows in which the names of the columns alone tell what they are."""

LAYOUTS = (
    Layout(
        name="rows of openvlt",
        marks=("example.id", "traces|judged"),
        id="example.id",
        question="example.question",
        each="traces|judged.*.trace",
        response="raw",
        blank=True,
    ),
    Layout(
        name="output of the OpenAI batch API (responses)",
        marks=("custom_id", "response.body.output"),
        id="custom_id",
        response="response.body.output.*.content",
        finish="response.body.incomplete_details.reason",
        usage="response.body.usage",
        error="error|response.body.error",
    ),
    Layout(
        name="output of the OpenAI or vLLM batch API",
        marks=("custom_id", "response|error"),
        id="custom_id",
        each="response.body.choices",
        response="message.content|text",
        usage="response.body.usage",
        error="error|response.body.error",
        refusal="message.refusal",
    ),
    Layout(
        name="samples of inspect_ai",
        marks=("epoch", "target", "output"),
        id="id",
        question="input",
        each="output.choices",
        response="message.content",
        sample="epoch",
        finish="stop_reason",
        usage="output.usage",
        error="error|output.error",
    ),
    Layout(
        name="samples of lmms-eval",
        marks=("doc_id", "resps|filtered_resps"),
        row="doc",
        position="doc_id",
        question="input|arguments|doc.question",
        response="resps|filtered_resps",
    ),
    Layout(
        name="MathVerse's template",
        marks=("sample_index", "model_answer"),
        id="sample_index",
        question="question",
        response="model_answer",
        extraction="extraction",
    ),
    Layout(
        name="results of MathVista",
        marks=("pid", "response"),
        id="pid|id",
        question="question",
        response="response",
        extraction="extraction",
    ),
    Layout(
        name="results of MathVision",
        marks=("id", "response", "model_answer"),
        id="id",
        question="question",
        response="response",
        answer="model_answer",
    ),
    Layout(
        name="results of HallusionBench",
        marks=("set_id", "figure_id", "question_id", "model_prediction"),
        question="question",
        response="model_prediction",
        spelled={"0": "No", "1": "Yes", "2": "Uncertain"},
    ),
    Layout(
        name="a table of VLMEvalKit",
        marks=("index", "prediction"),
        id="id|pid|sample_index|index",
        question="question",
        response="prediction|response",
        extraction="res|extract",
    ),
    Layout(
        name="answers of LLaVA",
        marks=("question_id", "text"),
        id="question_id",
        question="prompt",
        response="text",
    ),
    Layout(
        name="answers of InternVL",
        marks=("question_id|questionId", "answer"),
        id="question_id|questionId",
        question="question",
        response="answer",
    ),
    Layout(
        name="rollouts of verl",
        marks=("input", "output", "score", "step"),
        question="input",
        gold="gts",
        response="output",
    ),
    Layout(
        name="generations of EasyR1",
        marks=("prompt", "output", "ground_truth", "score"),
        question="prompt",
        gold="ground_truth",
        response="output",
    ),
    Layout(
        name="results of ms-swift",
        marks=("response", "messages"),
        id="id",
        question="messages",
        response="response",
    ),
    Layout(
        name="answers by id",
        marks=("id", "value"),
        id="id",
        response="value",
    ),
    PLAIN,
)
"""In the order in which they are tried; the last fits every file."""


def recognise(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> Layout:
    """The layout of a file.

    Args:
        rows: its first rows.
        columns: paths by field (`FIELDS`), which replace those of the layout; an empty one means that the file does not
            have it.

    Raises:
        UsageError: a column is not in the rows.
    """

    def found(path: str) -> bool:
        return any(reach(row, path) is not None for row in rows)

    layout = next(each for each in LAYOUTS if all(map(found, each.marks)))
    if columns:
        if missing := next((path for path in columns.values() if path and not found(path)), ""):
            known = list(dict.fromkeys(name for row in rows for name in row))
            raise UsageError(f"--columns names '{missing}', which the first rows do not have.", closest(missing, known))
        each = "" if "response" in columns else layout.each
        layout = replace(layout, name=f"{layout.name} with --columns", each=each, **columns)  # type: ignore[arg-type]
    paths = {
        "id": layout.id or layout.position, "samples": layout.each, "response": layout.response,
        "question": layout.question,
    }  # fmt: skip
    used = {
        name: next(filter(found, path.split("|")), path if name == "response" else "") for name, path in paths.items()
    }
    shown = ", ".join(f"{name}: {path}" for name, path in used.items() if path)
    return replace(layout, shown=f"{layout.name} ({shown})")


def parse_columns(text: str) -> dict[str, str]:
    """The columns that a user names, as in ``id=question_id,response=text``.

    Raises:
        UsageError: a part has no ``=``, or another field.
    """
    named = {}
    for part in text.split(","):
        name, equals, path = (each.strip() for each in part.partition("="))
        if not equals:
            raise UsageError(f"--columns has '{part}'.", "Write it as id=question_id,response=text.")
        if name not in FIELDS:
            raise UsageError(f"--columns names '{name}'.", closest(name, list(FIELDS)))
        named[name] = path
    return named


def reach(value: Any, path: str) -> Any:
    """What stands at a path; None if that is nothing, a null, an empty list, or NaN (an empty cell of pandas)."""
    if not path:  # not the unnamed column, where pandas writes its index
        return None
    for alternative in path.split("|"):
        found = _walk(value, alternative.split("."))
        if not (found is None or found == [] or found != found):  # noqa: PLR0124 - only NaN is unequal to itself
            return found
    return None


def _walk(value: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return value
    if steps[0] == "*":
        found = [_walk(each, steps[1:]) for each in value] if isinstance(value, list) else []
        return [each for each in found if each is not None]
    if not isinstance(value, Mapping):
        return None
    whole = ".".join(steps)  # a column may have dots in its name
    return value[whole] if whole in value else _walk(value.get(steps[0]), steps[1:])
