"""Extracts question, choices and gold answer from a human turn and its reply.

The turns were written to instruct a model: they contain image placeholders, hints how to answer, lettered choices and
answer lead-ins. These rules cover the formats of the configs made from MathV360K and the Cauldron:

1. `<image>` placeholders are removed.
2. Everything up to a line that begins with "Question:" is removed, and so is a line that begins with "Hint:".
3. Lines that instruct how to answer ("Answer with ...", "Answer the question ...", "Please answer ...") are removed.
4. Lettered lines "(A) ...", "A. ...", "A) ..." or "A: ..." in order from A are the choices, as are lettered parts
   after "Choices:" or "Options:" in one line; that heading is removed.
5. The gold is the text after the last "Answer:" or "The answer is", else the whole reply; a final full stop and,
   with choices, anything around the letter are removed.
6. A reply of more than 25 words without such a lead-in has no gold.
"""

from __future__ import annotations

import re

from openvlt import Reject

MAX_WORDS = 25

_QUESTION = re.compile(r"^\s*question:\s*", re.IGNORECASE | re.MULTILINE)
_INSTRUCTION = re.compile(
    r"^\s*(hint:|answer with\b|answer the question\b|please answer\b|please provide\b|answer:?\s*$).*$", re.IGNORECASE
)
_HEADING = re.compile(r"^\s*(choices|options):\s*", re.IGNORECASE | re.MULTILINE)
_LETTERED = re.compile(r"^\s*\(?([A-Z])[).:]\s*(\S.*?)\s*$")
_INLINE = re.compile(r"\(([A-Z])\)\s*(.*?)\s*(?=\([A-Z]\)|$)")
_LEAD_IN = re.compile(r"(?:^|\b)(?:answer:|(?:the |correct |final )*answer is:?)\s*", re.IGNORECASE)
_LETTER = re.compile(r"\(?([A-Z])[).:]?(?:\s.*)?", re.DOTALL)


def split_question(turn: str) -> tuple[str, tuple[str, ...]]:
    """The question of a human turn, and the contents of its choices, A first.

    Raises:
        Reject: there is no question.
    """
    text = turn.replace("<image>", "").strip()
    if heading := _QUESTION.search(text):
        text = text[heading.end() :]
    lines = [line for line in text.splitlines() if line.strip() and not _INSTRUCTION.match(line)]
    question, choices = _split(lines)
    if not question:
        raise Reject("the human turn has no question")
    return question, choices


def gold_answer(reply: str, choices: tuple[str, ...]) -> str:
    """The gold answer in a reply; for a choice its letter, unless the reply gives its content.

    Raises:
        Reject: the reply has no short answer.
    """
    lead_ins = list(_LEAD_IN.finditer(reply))
    answer = reply[lead_ins[-1].end() :] if lead_ins else reply
    answer = answer.strip().removesuffix(".").strip()
    if not answer:
        raise Reject("the reply is empty")
    if choices and answer not in choices and (letter := _LETTER.fullmatch(answer)):
        return letter.group(1)
    if len(answer.split()) > MAX_WORDS:
        raise Reject(f"the reply has no answer of at most {MAX_WORDS} words")
    return answer


def _split(lines: list[str]) -> tuple[str, tuple[str, ...]]:
    """Question and choices; letters that are not A, B, ... in order are part of the question."""
    for start, line in enumerate(lines):
        found = [_LETTERED.match(each) for each in lines[start:]]
        if len(found) > 1 and all(match and match[1] == chr(65 + at) for at, match in enumerate(found)):
            return _plain(lines[:start]), tuple(match[2] for match in found if match)
        if heading := _HEADING.match(line):
            inline = _INLINE.findall(" ".join([line[heading.end() :], *lines[start + 1 :]]))
            if len(inline) > 1 and [letter for letter, _ in inline] == [chr(65 + at) for at in range(len(inline))]:
                return _plain(lines[:start]), tuple(content for _, content in inline)
    return _plain(lines), ()


def _plain(lines: list[str]) -> str:
    return _HEADING.sub("", "\n".join(lines)).strip()
