"""Text stripped of LaTeX and Markdown, case, white space and closing punctuation."""

from __future__ import annotations

import re
import unicodedata

from openvlt_plugins.answers.grammar.modifiers import labels
from openvlt_plugins.answers.grammar.spelling import TIE, scripts

_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|mbox|boxed|emph|operatorname)\s*\{([^{}]*)\}"
)
_SPACING = re.compile(r"\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle|limits)(?![A-Za-z])|\u200b|\ufeff|" + TIE)
_SUBSCRIPT = re.compile(r"_\{\s?(\w{1,2})\s?\}")
_DOLLARS = re.compile(r"\$+|\\[()\[\]]")
_BOLD = re.compile(r"(?<![\w*])\*\*(?=\S)([^*\n]+)\*\*(?!\w)")
_TAGGED = re.compile(r"<(b|i|strong|em)>([^<>]{1,500})</\1>", re.IGNORECASE)
_EMPHASIS = re.compile(r"(\*\*|__|`|\*)(.+)\1", re.DOTALL)
_PUNCTUATION = str.maketrans("\u2019\u2018\u201c\u201d\u2212\u2013\u2010\u3001\u3002", "''\"\"---,.")
_OPENED = re.compile(r"\\(?:boxed|fbox|text) ?\{")
_FIRST_POINTS = re.compile(r"^[.!]+(?!\d)")
_LAST_MARKS = re.compile(r"\.+$|(?<![\d)])[!.]+$")
_BETWEEN = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
_LEAD_IN = re.compile(
    r"^(?:(?:so|therefore|thus|hence),? )?"
    r"(?:(?:(?:the|my) )?(?:(?:final|correct) )?(?:answer|result)(?: (?:is|would be)(?![\w'\u2019])|:):? ?"
    r"|(?:it|that|this) (?:is|equals) |there (?:is|are) |we (?:get|have|find) |exactly )?"
    r"(?:(?:a|the) (?:total|sum) of )?",
    re.IGNORECASE,
)
_CHINESE = re.compile(r"^(?:因此|所以|故)?[,，\s]*(?:最终)?(?:答案|结果)(?:是|为)?\s*[:：]?\s*|^(?:一共|总共|共)有?")
_NAMES = re.compile(r"^(?:the|its|their) ((?:[a-z'-]+ ){1,4})(?:is|are|was|were) (?=\S)", re.IGNORECASE)
"""The words before a value that is said of something: the colour is red."""


def without_lead_in(text: str) -> str:
    """The text without a lead-in such as "The answer is"."""
    bare = (_BOLD.sub(r"\1", text) if "**" in text else text).strip(" \n")
    if not bare.isascii():
        bare = _CHINESE.sub("", bare)
    return _LEAD_IN.sub("", bare) or text


def without_subject(text: str) -> str:
    """The text without the words that name what it is said of, as in "the colour is red"."""
    found = _NAMES.match(text)
    return text[found.end() :] if found and labels(found.group(1).casefold().split()) else text


def without_markup(text: str) -> str:
    """The text stripped of math delimiters, font and spacing commands, and Markdown emphasis."""
    if text.isascii() and text.replace(" ", "").isalnum():
        return " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", scripts(text)).translate(_PUNCTUATION)
    text = _TAGGED.sub(r"\2", text) if "</" in text else text
    text = _BOLD.sub(r"\1", _SPACING.sub(" ", _DOLLARS.sub(" ", text))).strip()
    if emphasis := _EMPHASIS.fullmatch(text):
        text = emphasis.group(2)
    opened = _OPENED.match(text) if text.endswith("}") else None
    if opened and closes_at_end(text, "{", "}"):
        text = text[opened.end() : -1]
    text = _SUBSCRIPT.sub(r"_\1", text)
    for _ in range(4):
        text, count = _WRAPPER.subn(r" \1 ", text)
        if not count:
            break
    return " ".join(text.split())


def closes_at_end(text: str, opening: str, closing: str) -> bool:
    """True if the first opening bracket is closed by the last character."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in opening) - (character in closing)
        if character in closing and depth == 0:
            return position == len(text) - 1
    return False


def folded(text: str) -> str:
    """The text stripped of LaTeX and Markdown, in one case, with single spaces and no closing punctuation."""
    text = " ".join(without_markup(text).casefold().split()).strip(" ,;:?'\"")
    return (
        _LAST_MARKS.sub("", _FIRST_POINTS.sub("", text)).lstrip(" ,;:?'\"").rstrip(" .,;:?'\"")
        if text[-1:] in "!." or text[:1] in "!."
        else text
    )


def squeezed(text: str) -> str:
    """The folded text without white space, except between two digits, where it separates them."""
    return _BETWEEN.sub("", folded(text))
