"""A place among the tokens of one answer."""

from __future__ import annotations

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable


class Cursor:
    """Looks at tokens and takes them, one after the other.

    Args:
        tokens: of one answer.
        start: where the cursor stands at first.
    """

    def __init__(self, tokens: list[Token], start: int = 0) -> None:
        self._tokens = tokens
        self._place = start
        self._depth = 0
        self._bars = 0

    @property
    def place(self) -> int:
        return self._place

    def peek(self, ahead: int = 0) -> Token:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else END

    def next(self) -> Token:
        token = self.peek()
        self._place += 1
        return token

    def at(self, *texts: str) -> bool:
        token = self.peek()
        return token.kind in {"op", "command"} and token.text in texts

    def take(self, *texts: str) -> bool:
        if self.at(*texts):
            self._place += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Unreadable(f"{text} is missing")

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > limits.NESTING:
            raise TooLarge(f"nested deeper than {limits.NESTING}")
