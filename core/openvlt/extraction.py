"""The one rule that finds the answer in a response, for data, reward and benchmark alike.

1. Thinking is cut off first: only what follows the last closing think tag counts; if it never ends, nothing does.
2. The last complete answer tag, across newlines.
3. Else the content of the last box, braces matched: ``\\boxed{}``, ``\\fbox{}``, or the box of GLM-V and LLaVA-CoT.
4. Else, if the caller accepts phrases, the last statement of an answer ("the answer is", a heading, ``####``), else an
   answer that stands for itself: the bold last line, a first line before its explanation, a letter that ends the text.

A response whose last answer tag is never closed is *unparsed*: no earlier tag or box was the final answer.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from openvlt.records import Completion, Format, Trace

Rule: TypeAlias = Literal["tag", "boxed", "phrase", "none"]

LONGEST = 200_000
"""Characters read of a response, its last ones; beyond what any model writes, and a bound on the work."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{|<\|begin_of_box\|>|<CONCLUSION>")
_CLOSINGS = {"<|begin_of_box|>": "<|end_of_box|>", "<CONCLUSION>": "</CONCLUSION>"}
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_PHRASE = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!false )(?:answer|result)[*_]{0,3}\s{0,9}"
    r"(?:(?:is|are|(?:should|must|would) be)(?![a-z])|=|:)"
    r"|(?:correct|right|best|my) (?:option|choice)[*_]{0,3}\s{0,3}(?:is(?![a-z])|[=:])"
    r"|^[#*_]{0,6}[ \t*]{0,9}(?:final )?answer[ \t*:]{0,9}$|^####(?!#)"
    r"|(?:答案|结果|正确的?选项)[*_]{0,3}\s{0,9}(?:应?[是为选](?!否)|等于|[:：])[:：]?"
    r"|(?<![不没别能请])(?<!不[应该可要])[选選][择擇]?[:：]?(?=[ *(（]{0,4}[A-J](?![A-Za-z]))",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(r'"(?:final_)?answer"[ \t]{0,9}:[ \t]{0,9}(?:"([^"\\\n]{1,500})"|(-?\d[\d.]{0,50}))')
_STATED = re.compile(r"[ \t]*([^\n]*?)(?:\.(?=\s|$)|。|$)", re.MULTILINE)
_BEFORE = re.compile(r"[\s:：*_]*")
_MARKS = " \t*_"
_ALONE = re.compile(
    r"[*(\[]{0,3}(?:option |choice )?[A-J][*)\].:]{0,4}|[A-J][.):] [^\n]{1,60}|(?:yes|no|true|false)[.,!]?"
    r"|(?:\*\*)?(?:[a-z]? ?= ?)?[-\u2212+$\\(\d.][^\n]{0,40}",
    re.IGNORECASE,
)
_LAST_LETTER = re.compile(
    r"(?:\(([A-J])\)|\b[Oo]ption ([A-J]) is (?:the )?(?:correct|right|best)(?: (?:answer|option|choice|one))?"
    r"|^(?:(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore),? )?(?:(?:I|we)(?: would|'d)? (?:choose|pick|select|go with) )?"
    r"(?:[Oo]ption )?([A-J]))[*\s.]{0,9}$"
)
_YES_NO = re.compile(r"(?:yes|no)(?=[,.;:!])[^\n]*", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:or|either|not|and|cannot|never|wrong|incorrect|fig(?:ure)?|compare|rules? out"
    r"|(?:exclud|eliminat|contradict|reject)[a-z]{1,5}|\w{1,9}n['’]t)\b",
    re.IGNORECASE,
)


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
        format: names the think and the answer tag.
        accept_phrases: also accept "the answer is ..." and the like if there is neither tag nor box.
    """
    begin = len(response) - len(after_thinking(response, format))
    if (thinks := response.rfind(f"<{format.think}>", begin)) >= 0:
        return Extraction(None, "none", thinks, f"<{format.think}> is never closed")
    opening, closing = _tags(format.answer)
    if (tag := _last(opening, response, begin)) is not None:
        end = closing.search(response, tag.end())
        if end is None:
            return Extraction(None, "none", tag.start(), f"<{format.answer}> is never closed")
        return _found(response[tag.end() : end.start()], "tag", tag.start())
    if (box := _last(_BOX, response, begin)) is not None:
        content = _boxed(response, box)
        if content is None:
            return Extraction(None, "none", box.start(), f"{box.group()} is never closed")
        return _found(content, "boxed", box.start())
    stated = _stated(response, begin) if accept_phrases else None
    if stated is not None:
        return stated
    return Extraction(None, "none", -1, f"there is no <{format.answer}> and no \\boxed{{}}")


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


def _stated(response: str, begin: int) -> Extraction | None:
    """The answer that prose states, or that stands for itself; None if there is none."""
    if (phrase := _last(_PHRASE, response, begin)) is not None:
        stated = _STATED.match(response, _BEFORE.match(response, phrase.end()).end())  # type: ignore[union-attr]
        if stated is not None and (answer := stated.group(1).strip(_MARKS)):
            return _found(answer, "phrase", phrase.start())
    if (quoted := _last(_JSON, response, begin)) is not None:
        return _found(quoted.group(1) or quoted.group(2), "phrase", quoted.start())
    text = response[begin:].strip()
    lines = [line.strip() for line in text.split("\n")]
    last = lines[-1]
    if len(lines) > 1 and len(last) > 4 and last.startswith("**") and last.endswith("**") and "**" not in last[2:-2]:
        return _found(last[2:-2], "phrase", response.rfind(last))
    if (len(lines) == 1 or (len(lines) > 2 and not lines[1])) and _ALONE.fullmatch(lines[0]):
        return _found(lines[0].strip(_MARKS), "phrase", begin)
    if (letter := _LAST_LETTER.search(last)) and not _HEDGE.search(last.rpartition(". ")[2]):
        return _found(next(filter(None, letter.groups())), "phrase", response.rfind(last))
    return _found(lines[0], "phrase", begin) if _YES_NO.fullmatch(lines[0]) else None


@lru_cache(maxsize=16)
def _tags(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    name = re.escape(name)
    return re.compile(rf"<[ \t]{{0,3}}{name}[ \t]{{0,3}}>"), re.compile(
        rf"<[ \t]{{0,3}}/[ \t]{{0,3}}{name}[ \t]{{0,3}}>"
    )


def _last(pattern: re.Pattern[str], text: str, begin: int) -> re.Match[str] | None:
    matches = deque(pattern.finditer(text, begin), maxlen=1)
    return matches[0] if matches else None


def _found(text: str, rule: Rule, start: int) -> Extraction:
    answer = text.strip()
    return Extraction(answer, rule, start) if answer else Extraction(None, "none", start, "the answer is empty")


def _boxed(text: str, box: re.Match[str]) -> str | None:
    """The content of a box, None if it is never closed; escaped braces do not count."""
    if closing := _CLOSINGS.get(box.group()):
        end = text.find(closing, box.end())
        return None if end < 0 else text[box.end() : end]
    depth = 1
    for brace in _BRACE.finditer(text, box.end()):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[box.end() : brace.start()]
    return None
