"""The one rule that finds the answer in a response, for data, reward and benchmark alike.

1. The last complete answer tag, across newlines.
2. Else the content of the last ``\\boxed{}``, braces matched.
3. Else, if the caller accepts phrases, the text after the last phrase such as "the answer is".

A response whose last answer tag is never closed is *unparsed*: no earlier tag or box was the final answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from openvlt.records import Completion, Format, Trace

Rule: TypeAlias = Literal["tag", "boxed", "phrase", "none"]

_PHRASE = re.compile(r"(?:answer|result)\s*(?:is|:|=)\s*:?[ \t]*(?=\S)", re.IGNORECASE)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SENTENCE_END = re.compile(r"\.(?=\s|$)|\n|$")


@dataclass(frozen=True, slots=True)
class Extraction:
    """The answer of a response.

    Attributes:
        answer: the text, trimmed; None if there is none.
        rule: the rule that found it.
        start: offset in the response of the answer's tag, box or phrase.
        reason: why there is no answer.
    """

    answer: str | None
    rule: Rule
    start: int = -1
    reason: str = ""


def extract(response: str, format: Format, *, accept_phrases: bool = False) -> Extraction:
    """Find the answer in a response.

    Args:
        response: the model's whole output.
        format: names the answer tag.
        accept_phrases: also accept "the answer is ..." if there is neither tag nor box.
    """
    opening, closing = f"<{format.answer}>", f"</{format.answer}>"
    start = response.rfind(opening)
    if start >= 0:
        end = response.find(closing, start)
        if end < 0:
            return Extraction(None, "none", start, f"{opening} is never closed")
        return _found(response[start + len(opening) : end], "tag", start)
    start = response.rfind("\\boxed{")
    if start >= 0:
        content = _braced(response, start + len("\\boxed"))
        if content is None:
            return Extraction(None, "none", start, "\\boxed{ is never closed")
        return _found(content, "boxed", start)
    if accept_phrases and (matches := list(_PHRASE.finditer(response))):
        last = matches[-1]
        stop = _SENTENCE_END.search(response, last.end())
        return _found(response[last.end() : stop.start() if stop else None], "phrase", last.start())
    return Extraction(None, "none", -1, f"there is no {opening} and no \\boxed{{}}")


def parse(completion: Completion, format: Format, *, sample: int = 0) -> Trace:
    """Split a reply into reasoning, explanation and answer, which is None if there is none.

    The reasoning is the text before the last closing think tag, whether or not an opening tag precedes it: a chat
    template may have put that into the prompt. Without a closing tag it is everything before the answer.
    """
    found = extract(completion.text, format)
    before = completion.text if found.start < 0 else completion.text[: found.start]
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


def _found(text: str, rule: Rule, start: int) -> Extraction:
    answer = text.strip()
    return Extraction(answer, rule, start) if answer else Extraction(None, "none", start, "the answer is empty")


def _braced(text: str, start: int) -> str | None:
    """The text between the brace at `start` and its match, None if it has none; escaped braces do not count."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start + 1 : brace.start()]
    return None
