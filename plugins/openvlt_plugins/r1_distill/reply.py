"""Reads the reply of a model that reasons in a `<think>` block.

- The reasoning ends at the *last* closing tag; tags within it, from nested or repeated blocks, are taken out.
- The opening tag is often written by the chat template and then not part of the reply; its absence means nothing.
- A block that is opened after the last closing tag, or no closing tag at all, is reasoning that never ended.
- A reply that the token limit cut is no trace, even if it holds a box already: it was not done.
- The answer is looked for behind the reasoning alone: a box or tag within it was a thought, not an answer.
"""

from __future__ import annotations

import re

from openvlt import Completion, Format, Reject, Trace, extract

OPENING, CLOSING = "<think>", "</think>"

_WRAPPED = re.compile(r"\$([^$]+)\$|\*\*([^*]+)\*\*|\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}")
_TAGS = re.compile("</?think>")
_FORMAT = Format()


def read(completion: Completion) -> Trace:
    """Split a reply into reasoning, explanation and answer.

    The explanation is the prose behind the reasoning, its box replaced by what it holds, as in the published traces of
    OpenVLThinker. A reply without an answer is a trace whose answer is None.

    Raises:
        Reject: the reply was cut by the token limit, or its reasoning never ends.
    """
    if completion.finish_reason == "length":
        raise Reject("cut by the token limit")
    think, closing, rest = completion.text.rpartition(CLOSING)
    if not closing or OPENING in rest:
        raise Reject("the think block is never closed")
    found = extract(rest, _FORMAT, accept_phrases=True)
    explanation = rest
    if found.answer is not None and found.rule == "tag":
        explanation = rest[: found.start]
    elif found.answer is not None and found.rule == "boxed":
        explanation = _unboxed(rest, found.start, found.answer)
    return Trace(
        think=_TAGS.sub("", think).strip(),
        explanation=explanation.strip(),
        answer=None if found.answer is None else _unwrapped(found.answer),
        raw=completion.text,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )


def _unboxed(text: str, start: int, content: str) -> str:
    """Replace the box that begins at `start` by its content."""
    end = text.index("}", text.index(content, start + len("\\boxed{")) + len(content))
    return text[:start] + content + text[end + 1 :]


def _unwrapped(answer: str) -> str:
    """Take an answer out of the bold, math or text marks that enclose all of it."""
    while whole := _WRAPPED.fullmatch(answer):
        inner = next(group for group in whole.groups() if group is not None).strip()
        if not inner:
            break
        answer = inner
    return answer
