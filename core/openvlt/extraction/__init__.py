"""The one rule that finds the answer in a response, for data, reward and benchmark alike.

1. Thinking is cut off first: only what follows the last closing think tag counts; if it never ends, nothing does.
   With a format's ``answer_in_think``, a tag or a box within it counts where nothing is found after it.
2. The last complete answer tag, across newlines.
3. Else the content of the last box, braces matched: ``\\boxed{}``, ``\\fbox{}``, or the box of GLM-V and LLaVA-CoT.
4. Else what the caller's reading allows: nothing (``tag``); the last statement of an answer, or one that stands for
   itself (``phrase``); else also the last readable answer in prose (``anywhere``); or all of the text (``whole``).
   ``phrase`` and ``anywhere`` at last take a response that is one short line and no sentence.

A response whose last answer tag is never closed is *unparsed*: no earlier tag or box was the final answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from openvlt.extraction.prose import is_bare, last_answer
from openvlt.extraction.stated import last_match, statement
from openvlt.records import Completion, Example, Format, Trace

Reading: TypeAlias = Literal["tag", "phrase", "anywhere", "whole"]
"""What counts as the answer of a response without answer tag and box."""

Rule: TypeAlias = Literal["tag", "boxed", "phrase", "prose", "whole", "none"]

LONGEST = 200_000
"""Characters read of a response, its last ones; beyond what any model writes, and a bound on the work."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{|<\|begin_of_box\|>|<CONCLUSION>")
_CLOSINGS = {"<|begin_of_box|>": "<|end_of_box|>", "<CONCLUSION>": "</CONCLUSION>"}
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Extraction:
    """The answer of a response.

    Attributes:
        answer: the text, trimmed; None if there is none.
        rule: the rule that found it.
        start: offset in the response of the answer's tag, box or phrase.
        end: offset behind its tag or box.
        reason: why there is no answer.
    """

    answer: str | None
    rule: Rule
    start: int = -1
    reason: str = ""
    end: int = -1


def extract(
    response: str,
    format: Format,
    *,
    reading: Reading = "tag",
    example: Example | None = None,
    cut: bool = False,
) -> Extraction:
    """Find the answer in a response.

    Args:
        response: the model's whole output.
        format: names the think and the answer tag.
        reading: what else counts if there is neither tag nor box.
        example: the question; ``anywhere`` looks for one of its choices, or a value of its answer type. Its gold is
            never read.
        cut: the token limit ended the response, so an answer counts only where it is marked or stated.
    """
    begin = len(response) - len(after_thinking(response, format))
    thinks = response.rfind(f"<{format.think}>", begin)
    if thinks >= 0:
        found = Extraction(None, "none", thinks, f"<{format.think}> is never closed")
    else:
        found = (
            _marked(response, begin, len(response), format)
            or _in_prose(response, begin, reading, example, cut)
            or Extraction(None, "none", -1, f"there is no <{format.answer}> and no \\boxed{{}}")
        )
    if format.answer_in_think and found.answer is None and (thinks >= 0 or found.start < 0):
        first, last = max(0, len(response) - LONGEST), len(response) if thinks >= 0 else begin
        return _marked(response, first, last, format) or found
    return found


def gold_in(text: str, format: Format) -> str:
    """The gold answer in a cell that holds it as a response would, within an answer tag; else the whole cell."""
    found = extract(text, format).answer if "<" in text and format.answer in text else None
    return text if found is None else found


def after_thinking(response: str, format: Format) -> str:
    """What follows the last closing think tag; the whole response if there is none."""
    last = response[-LONGEST:]
    return last.rpartition(f"</{format.think}>")[2]


def parse(completion: Completion, format: Format, *, sample: int = 0) -> Trace:
    """Split a reply into reasoning, explanation and answer, which is None if there is none.

    The reasoning is the text before the last closing think tag, whether or not an opening tag precedes it: a chat
    template may have put that into the prompt. Without a closing tag it is everything before the answer.
    """
    found = extract(completion.text, format)
    before = completion.text if found.start < 0 or found.answer is None else completion.text[: found.start]
    think, closing, rest = before.rpartition(f"</{format.think}>")
    if not closing:
        think, rest = rest, ""
    return Trace(
        think=think.replace(f"<{format.think}>", "").strip(),
        explanation=rest.strip(),
        answer=found.answer,
        raw=completion.text,
        sample=sample,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )


@lru_cache(maxsize=16)
def _tags(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    name = re.escape(name)
    return re.compile(rf"<[ \t]{{0,3}}{name}[ \t]{{0,3}}>"), re.compile(
        rf"<[ \t]{{0,3}}/[ \t]{{0,3}}{name}[ \t]{{0,3}}>"
    )


def _marked(response: str, begin: int, end: int, format: Format) -> Extraction | None:
    """The content of the last answer tag, else of the last box; None if there is neither."""
    opening, closing = _tags(format.answer)
    if (tag := last_match(opening, response, begin, end)) is not None:
        closed = closing.search(response, tag.end(), end)
        if closed is None:
            return Extraction(None, "none", tag.start(), f"<{format.answer}> is never closed")
        return _found(response[tag.end() : closed.start()], "tag", tag.start(), closed.end())
    if (box := last_match(_BOX, response, begin, end)) is not None:
        ends = _closing(response, box, end)
        if ends is None:
            return Extraction(None, "none", box.start(), f"{box.group()} is never closed")
        return _found(response[box.end() : ends[0]], "boxed", box.start(), ends[1])
    return None


def _in_prose(response: str, begin: int, reading: Reading, example: Example | None, cut: bool) -> Extraction | None:
    """What the reading allows beside tags and boxes."""
    if reading in ("phrase", "anywhere") and (stated := statement(response, begin)) is not None:
        return _found(stated[0], "phrase", stated[1])
    if cut:
        return None
    if reading == "anywhere" and (said := last_answer(response[begin:], example)) is not None:
        return _found(said, "prose", begin) if said else Extraction(None, "none", -1, "its prose gives no answer")
    text = response[begin:].strip()
    if text and (reading == "whole" or (reading in ("phrase", "anywhere") and is_bare(text, example))):
        return _found(text, "whole", begin)
    return None


def _found(text: str, rule: Rule, start: int, end: int = -1) -> Extraction:
    answer = text.strip()
    return (
        Extraction(answer, rule, start, end=end) if answer else Extraction(None, "none", start, "the answer is empty")
    )


def _closing(text: str, box: re.Match[str], last: int) -> tuple[int, int] | None:
    """Where the content of a box and the box end, None if it is never closed; escaped braces do not count."""
    if closing := _CLOSINGS.get(box.group()):
        end = text.find(closing, box.end(), last)
        return None if end < 0 else (end, end + len(closing))
    depth = 1
    for brace in _BRACE.finditer(text, box.end(), last):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return brace.span()
    return None
