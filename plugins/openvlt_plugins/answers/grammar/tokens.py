"""The tokens of a cleaned answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge


class Unreadable(Exception):
    """The text is not mathematics that this grammar covers."""


@dataclass(frozen=True, slots=True)
class Token:
    """A lexical unit.

    Attributes:
        kind: ``number``, ``word`` (letters), ``command`` (after a backslash), ``op`` or ``end``.
        text: its characters; for a command, its name.
        spaced: True if white space precedes it.
        roman: True if it is upright (``\\text``, ``\\mathrm``): a unit or a word, never a product of variables.
    """

    kind: str
    text: str
    spaced: bool = False
    roman: bool = False


END = Token("end", "")

_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|mathrm|mathbf|mathit|mathsf|mathtt|mathbb|mathcal|boldsymbol|bm|mbox|hbox|rm|bf|boxed|fbox|emph|overline|underline|vec|overrightarrow|operatorname\*?|ensuremath)\s*\{([^{}]*)\}"
)
_SCANNER = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z0-9]))?)"
    r"|(?P<word>[^\W\d_]+)"
    r"|\\(?P<command>[A-Za-z]+|[{}|$%#&_])"
    r"|(?P<op>\*\*|<=|>=|!=|==|\\\\|->|[-+*/^_=<>(){}\[\]|!%:;,.'$&])"
)  # fmt: skip


def tokenize(text: str) -> list[Token]:
    """The tokens of a cleaned text.

    Raises:
        Unreadable: a character is not part of any token.
        TooLarge: a number has too many digits, or there are too many tokens.
    """
    tokens: list[Token] = []
    _scan(text, tokens, roman=False, depth=0)
    if len(tokens) > limits.TOKENS:
        raise TooLarge(f"more than {limits.TOKENS} tokens")
    return tokens


def _scan(text: str, tokens: list[Token], *, roman: bool, depth: int) -> None:
    if depth > limits.NESTING:
        raise TooLarge(f"nested deeper than {limits.NESTING}")
    position, spaced = 0, False
    while position < len(text):
        if upright := _TEXT.match(text, position):
            _scan(f" {upright.group(1)} ", tokens, roman=True, depth=depth + 1)
            position, spaced = upright.end(), True
            continue
        found = _SCANNER.match(text, position)
        if not found:
            raise Unreadable(f"{text[position]!r} has no meaning here")
        position = found.end()
        kind = found.lastgroup or ""
        if kind == "space":
            spaced = True
            continue
        if kind == "number" and sum(map(str.isdigit, found.group())) > limits.DIGITS:
            raise TooLarge(f"a number of more than {limits.DIGITS} digits")
        tokens.append(Token(kind, found.group(kind), spaced, roman))
        spaced = False
