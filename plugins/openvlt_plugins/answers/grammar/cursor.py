"""A position among the tokens of one answer."""

from __future__ import annotations

from openvlt_plugins.answers.budget import spend
from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable


class Cursor:
    """Peeks at tokens and consumes them one by one.

    Args:
        tokens: of one answer.
        start: the first token to read.
    """

    def __init__(self, tokens: list[Token], start: int = 0) -> None:
        self._tokens = tokens
        self._position = start
        self._depth = 0
        self._bars = 0
        self._no_points: set[int] = set()
        self.steps = 0

    @property
    def position(self) -> int:
        return self._position

    def peek(self, ahead: int = 0) -> Token:
        position = self._position + ahead
        return self._tokens[position] if position < len(self._tokens) else END

    def next(self) -> Token:
        token = self.peek()
        self._position += 1
        self.steps += 1
        spend()
        if self.steps > limits.STEPS:
            raise TooLarge(f"more than {limits.STEPS} steps to read")
        return token

    def at(self, *texts: str) -> bool:
        token = self.peek()
        return token.kind in {"op", "command"} and token.text in texts

    def take(self, *texts: str) -> bool:
        if self.at(*texts):
            self._position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Unreadable(f"{text} is missing")

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > limits.NESTING:
            raise TooLarge(f"nested deeper than {limits.NESTING}")
