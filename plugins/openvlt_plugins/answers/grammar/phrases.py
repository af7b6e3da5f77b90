"""Prose with mathematics in it, such as ``domain: [0, 2] and range: (1, 3)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable
from openvlt_plugins.answers.grammar.tree import Node, Phrase, Words
from openvlt_plugins.answers.grammar.vocabulary import FILLERS, FUNCTIONS

COMPASS = frozenset("NSEW")


class Reads(Protocol):
    """A parser that stands somewhere among the tokens."""

    @property
    def place(self) -> int: ...

    def one(self) -> Node: ...


def is_prose(token: Token) -> bool:
    """True for a word that cannot be a product of variables."""
    return token.kind == "word" and (len(token.text) > 1 or token.roman) and token.text not in FUNCTIONS


def phrase(tokens: list[Token], parser_at: Callable[[int], Reads]) -> Node:
    """Words and mathematics in turn; words alone are `Words`."""
    parts: list[Node] = []
    words: list[str] = []
    place = 0
    while place < len(tokens):
        end, node = _longest(tokens, place, parser_at)
        if node is None:
            token = tokens[place]
            if token.kind == "word" and token.text.casefold() not in FILLERS:
                words.append(token.text.casefold())
            place += 1
            continue
        if words:
            parts.append(Words(" ".join(words)))
            words = []
        parts.append(node)
        place = end
    if words:
        parts.append(Words(" ".join(words)))
    if not parts:
        parts = [Words(" ".join(token.text.casefold() for token in tokens))]
    return parts[0] if len(parts) == 1 else Phrase(tuple(parts))


def _longest(tokens: list[Token], start: int, parser_at: Callable[[int], Reads]) -> tuple[int, Node | None]:
    """The relation that begins at a token and how far it goes; None if the token is a word or cannot begin one."""
    first = tokens[start]
    stops = first.kind == "op" and first.text in {",", ";", ".", ":"}
    article = first.kind == "word" and first.spaced and _lonely(tokens, start)
    if is_prose(first) or stops or article or first.text in COMPASS:
        return start, None
    parser = parser_at(start)
    try:
        node = parser.one()
    except Unreadable:
        return start, None
    return parser.place, node


def _lonely(tokens: list[Token], place: int) -> bool:
    """True for a letter between words, such as the article a."""
    after = tokens[place + 1] if place + 1 < len(tokens) else END
    return after.kind in {"word", "end"}
