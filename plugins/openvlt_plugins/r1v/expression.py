"""Arithmetic on numbers and one-letter variables, built with SymPy and never evaluated as code."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|(sqrt|pi|[a-z])|([-+*/^()]))")
_DEEPEST = 30
_LARGEST_POWER = 99


class Unreadable(Exception):
    """The text is not arithmetic."""


def vanishes(text: str) -> bool:
    """Whether an expression simplifies to zero; letters side by side are multiplied.

    Raises:
        Unreadable: it is not arithmetic.
    """
    import sympy

    reader = _Reader(text)
    value = reader.sum()
    if reader.peek():
        raise Unreadable(text)
    return bool(sympy.simplify(value) == 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if not found:
                raise Unreadable(text)
            self._tokens.append(found.group().strip())
            place = found.end()
        self._depth = 0

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def sum(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable("nested too deep")
        total = self._product()
        while self.peek() in {"+", "-"}:
            sign = 1 if self._tokens.pop(0) == "+" else -1
            total += sign * self._product()
        self._depth -= 1
        return total

    def _product(self) -> Any:
        result = self._power()
        while self.peek() and self.peek() not in {"+", "-", ")"}:
            if self.peek() in {"*", "/"}:
                divides = self._tokens.pop(0) == "/"
                factor = self._power()
                result = result / factor if divides else result * factor
            else:
                result *= self._power()
        return result

    def _power(self) -> Any:
        if self.peek() == "-":
            self._tokens.pop(0)
            return -self._power()
        base = self._atom()
        if self.peek() == "^":
            self._tokens.pop(0)
            exponent = self._power()
            if not exponent.is_number or abs(exponent) > _LARGEST_POWER:
                raise Unreadable("a power out of range")
            return base**exponent
        return base

    def _atom(self) -> Any:
        import sympy

        token = self._tokens.pop(0) if self._tokens else ""
        if token == "(":
            value = self.sum()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise Unreadable("a bracket is not closed")
            return value
        if token == "sqrt":
            return sympy.sqrt(self._atom())
        if token == "pi":
            return sympy.pi
        if token.isalpha() and len(token) == 1:
            return sympy.Symbol(token)
        if token[:1].isdigit() or token[:1] == ".":
            return sympy.Rational(token.rstrip("."))
        raise Unreadable(token)
