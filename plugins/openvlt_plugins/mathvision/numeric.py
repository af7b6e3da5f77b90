"""The value of a numeric LaTeX expression, computed by a small parser.

MathVision's script converts answers to Python source and runs it. This parser computes the same values for all that the
script's grammar (latex2sympy2 1.9.1, ``PS.g4``) reads as a number; everything else (symbols, lists, relations) has no
value here, since there the script fails or finds no equality. The oddities of that grammar are kept: implicit
multiplication binds tighter than division, ``1 1/2`` is one half, and after a complete expression anything that follows
a closing bracket, ``&``, a line break, a prime or an index is ignored.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

MAX_LENGTH = 400
MAX_BITS = 4096
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"\s+|(?P<number>\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)|(?P<sign>[-+*/:^!(){}\[\]_&'.]|\\[{}\\]|(?<!\s)\\%)"
    r"|(?P<e>e(?=\s*\^))"
    r"|(?P<command>\\(?:frac|sqrt|pi|log|binom|sin|cos|tan|times|cdot|div|lfloor|rfloor|rceil|rightarrow|to))"
)
_BLANKS = re.compile(r"\\quad|\\qquad|\\,|~|\$|\\displaystyle|\\left(?![a-z])|\\right(?![a-z])")
_TIMES = {"*", "\\times", "\\cdot"}
_OVER = {"/", ":", "\\div"}
_CLOSING = {"(": ")", "{": "}", "[": "]", "\\{": "\\}", "\\lfloor": "\\rfloor"}
_ENDS = {")", "]", "}", "\\}", "&", "\\\\", "'", "_", "^", ".", "\\rfloor", "\\rceil", "\\rightarrow", "\\to"}
_NAMED = re.compile(r"(?:\s*[a-z]\s*=)+")
_FUNCTIONS = {"\\sin": math.sin, "\\cos": math.cos, "\\tan": math.tan}
_STARTS = {"(", "{", "[", "\\{", "\\lfloor", "\\frac", "\\sqrt", "\\pi", "\\log", "\\binom", "e", *_FUNCTIONS}


def number(text: str) -> float | None:
    """The value of an expression in lower case; None if the script does not read it as a number."""
    if len(text) > MAX_LENGTH:
        return None
    named = _NAMED.match(text)
    try:
        value = _Parser(text[named.end() :] if named else text).value()
    except (_NoNumber, ArithmeticError, ValueError):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _NoNumber(Exception):
    """The text is not an expression of numbers."""


class _Parser:
    """A recursive descent parser for one expression."""

    def __init__(self, text: str) -> None:
        text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
        self.tokens, self.position, self.depth = _tokens(_BLANKS.sub(" ", text)), 0, 0

    def value(self) -> float:
        value = self.sum()
        if self.next() is not None and self.next() not in _ENDS:
            raise _NoNumber
        return value

    def next(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.next()
        if token is None or (expected is not None and token != expected):
            raise _NoNumber
        self.position += 1
        return token

    def sum(self) -> float:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _NoNumber
        value = self.product()
        while self.next() in ("+", "-"):
            sign = self.take()
            value = value + self.product() if sign == "+" else value - self.product()
        self.depth -= 1
        return value

    def product(self) -> float:
        value = self.signed()
        while (sign := self.next()) in _TIMES or sign in _OVER:
            self.take()
            value = value * self.signed() if sign in _TIMES else value / self.signed()
        return value

    def signed(self) -> float:
        sign = 1
        while self.next() in ("+", "-"):
            sign = -sign if self.take() == "-" else sign
        value = self.run()
        return -value if sign < 0 else value

    def run(self) -> float:
        """Adjacent factors: implicit multiplication."""
        value = self.factor()
        while self.starts():
            value = value * self.factor()
        return value

    def starts(self) -> bool:
        token = self.next()
        return token is not None and (token in _STARTS or token[0].isdigit() or (token[0] == "." and len(token) > 1))

    def factor(self) -> float:
        value = self.atom()
        while self.next() == "^":
            self.take()
            value = _power(value, self.group() if self.next() == "{" else self.atom())
        while self.next() in ("!", "\\%"):
            value = _factorial(value) if self.take() == "!" else _plain(Fraction(value) / 100)
        return value

    def group(self) -> float:
        closing = _CLOSING[self.take()]
        value = self.sum()
        self.take(closing)
        return value

    def atom(self) -> float:
        token = self.next()
        if token in _CLOSING:
            value = self.group()
            return math.floor(value) if token == "\\lfloor" else value
        token = self.take()
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return _plain(Fraction(token.replace(",", "")))
        if token == "\\pi":
            return math.pi
        if token == "e":
            self.take("^")
            return math.exp(self.group() if self.next() == "{" else self.atom())
        return self.command(token)

    def command(self, name: str) -> float:
        if name == "\\frac":
            return self.braced() / self.braced()
        if name == "\\binom":
            return _choose(self.braced(), self.braced())
        if name == "\\sqrt":
            root = self.group() if self.next() == "[" else None
            value = self.braced()
            return math.sqrt(value) if root is None else _power(value, 1 / root)
        if name == "\\log":
            base = 10.0
            if self.next() == "_":
                self.take()
                base = self.group() if self.next() == "{" else self.atom()
            return math.log(self.argument(), base)
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](self.argument())
        raise _NoNumber

    def braced(self) -> float:
        if self.next() != "{":
            raise _NoNumber
        return self.group()

    def argument(self) -> float:
        return self.group() if self.next() == "(" else self.product()


def _tokens(text: str) -> list[str]:
    """The tokens up to the first invalid character, which becomes a token that no rule accepts."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return [*tokens, "?"]
        if match.lastgroup:
            tokens.append(match.group())
        position = match.end()
    return tokens


def _plain(value: Fraction) -> float:
    return value.numerator if value.denominator == 1 else value.numerator / value.denominator


def _power(base: float, exponent: float) -> float:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MAX_BITS:
        raise _NoNumber
    value = base**exponent
    if isinstance(value, complex):
        raise _NoNumber
    return float(value) if isinstance(value, float) else int(value)


def _factorial(value: float) -> float:
    if not isinstance(value, int) or not 0 <= value <= 500:
        raise _NoNumber
    return math.factorial(value)


def _choose(n: float, k: float) -> float:
    if not isinstance(n, int) or not isinstance(k, int) or max(n, k) > 500:
        raise _NoNumber
    return math.comb(n, k)
