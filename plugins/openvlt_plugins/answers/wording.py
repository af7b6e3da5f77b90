"""Text without its dress: LaTeX and Markdown wrappers, case, white space and closing punctuation."""

from __future__ import annotations

import re
import unicodedata

_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|mbox|boxed|emph|operatorname)\s*\{([^{}]*)\}"
)
_SPACING = re.compile(r"\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle|limits)(?![A-Za-z])|~|\u200b|\ufeff")
_DOLLARS = re.compile(r"\$+|\\[()\[\]]")
_EMPHASIS = re.compile(r"(\*\*|__|`|\*)(.+)\1", re.DOTALL)


def undressed(text: str) -> str:
    """The text without math delimiters, font commands, spacing commands and Markdown emphasis."""
    text = _SPACING.sub(" ", _DOLLARS.sub(" ", text)).strip()
    if emphasis := _EMPHASIS.fullmatch(text):
        text = emphasis.group(2)
    for _ in range(4):
        text, count = _WRAPPER.subn(r" \1 ", text)
        if not count:
            break
    return " ".join(text.split())


def folded(text: str) -> str:
    """The undressed text in one case, with single spaces, plain quotes and no closing punctuation."""
    text = unicodedata.normalize("NFKC", undressed(text)).casefold()
    text = text.replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"')
    return " ".join(text.split()).strip(" .,;:!?'\"")
