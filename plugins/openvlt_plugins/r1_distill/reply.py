"""Parses the reply of a model that reasons in a `<think>` block.

- The reasoning ends at the *last* closing tag; tags within it, from nested or repeated blocks, are removed.
- The opening tag may be missing from the reply, since the chat template often writes it.
- Reasoning is unfinished if there is no closing tag, or if a block is opened after the last one.
- A reply cut by the token limit is rejected, even if it has a box already.
- The answer is searched only after the reasoning: a box or tag within it is an intermediate thought.
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

    The explanation is the prose after the reasoning, with the box replaced by its content, as in OpenVLThinker's
    published traces. A reply without an answer becomes a trace whose answer is None.

    Raises:
        Reject: the reply was cut by the token limit, or its reasoning never ends.
    """
    if completion.finish_reason == "length":
        raise Reject("cut by the token limit")
    think, closing, rest = completion.text.rpartition(CLOSING)
    if not closing or OPENING in rest:
        raise Reject("the think block is never closed")
    found = extract(rest, _FORMAT, reading="phrase")
    explanation = rest
    if found.answer is not None and found.rule == "tag":
        explanation = rest[: found.start]
    elif found.answer is not None and found.rule == "boxed":
        explanation = rest[: found.start] + found.answer + rest[found.end :]
    return Trace(
        think=_TAGS.sub("", think).strip(),
        explanation=explanation.strip(),
        answer=None if found.answer is None else _unwrapped(found.answer),
        raw=completion.text,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )


def _unwrapped(answer: str) -> str:
    """Remove bold, math or text markup that encloses the whole answer."""
    while whole := _WRAPPED.fullmatch(answer):
        inner = next(group for group in whole.groups() if group is not None).strip()
        if not inner:
            break
        answer = inner
    return answer
