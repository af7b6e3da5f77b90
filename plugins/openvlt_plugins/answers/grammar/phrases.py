"""Prose that contains mathematics, such as ``domain: [0, 2] and range: (1, 3)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable
from openvlt_plugins.answers.grammar.tree import Node, Phrase, Words
from openvlt_plugins.answers.grammar.vocabulary import FILLERS, FUNCTIONS

COMPASS = frozenset("NSEW")
_STOPS = frozenset({",", ";", ".", ":", "\\\\"})


class Reads(Protocol):
    """A parser at some position among the tokens."""

    @property
    def position(self) -> int: ...

    def one(self) -> Node: ...


def is_prose(token: Token) -> bool:
    """True for a word that cannot be a product of variables."""
    return token.kind == "word" and (len(token.text) > 1 or token.roman) and token.text not in FUNCTIONS


def phrase(tokens: list[Token], parser_at: Callable[[int], Reads]) -> Node:
    """Words and mathematics in order; words alone are `Words`."""
    parts: list[Node] = []
    words: list[str] = []
    position = 0
    while position < len(tokens):
        end, node = _longest(tokens, position, parser_at)
        if node is None:
            token = tokens[position]
            if token.kind != "word" and token.text not in _STOPS:
                # Without its operator or number a phrase would say something else.
                raise Unreadable(f"{token.text!r} is unexpected")
            if token.kind == "word" and token.text.casefold() not in FILLERS:
                words.append(token.text.casefold())
            position += 1
            continue
        if words:
            parts.append(Words(" ".join(words)))
            words = []
        parts.append(node)
        position = end
    if words:
        parts.append(Words(" ".join(words)))
    if not parts:
        parts = [Words(" ".join(token.text.casefold() for token in tokens))]
    return parts[0] if len(parts) == 1 else Phrase(tuple(parts))


def _longest(tokens: list[Token], start: int, parser_at: Callable[[int], Reads]) -> tuple[int, Node | None]:
    """The end and the tree of the relation that begins at a token; None if the token is a word or begins none."""
    first = tokens[start]
    stops = first.kind == "op" and first.text in _STOPS
    article = first.kind == "word" and first.spaced and _precedes_word(tokens, start)
    if is_prose(first) or stops or article or first.text in COMPASS:
        return start, None
    parser = parser_at(start)
    try:
        node = parser.one()
    except Unreadable:
        return start, None
    return parser.position, node


def _precedes_word(tokens: list[Token], position: int) -> bool:
    """True for a token before a word or the end, such as the article a."""
    after = tokens[position + 1] if position + 1 < len(tokens) else END
    return after.kind in {"word", "end"}
