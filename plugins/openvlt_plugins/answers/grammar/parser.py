"""Statements, the level above arithmetic: labels, relations, lists, sets, intervals, matrices and prose."""

from __future__ import annotations

import re

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.literals import in_digits, number
from openvlt_plugins.answers.grammar.modifiers import labels
from openvlt_plugins.answers.grammar.phrases import COMPASS, is_prose, phrase
from openvlt_plugins.answers.grammar.quantities import Quantities
from openvlt_plugins.answers.grammar.spelling import clean, joined_thousands
from openvlt_plugins.answers.grammar.tokens import END, Unreadable, tokenize
from openvlt_plugins.answers.grammar.tree import Group, Join, Matrix, Node, Num, Quantity, Ratio, Relation, Sym, Words
from openvlt_plugins.answers.grammar.vocabulary import FILLERS, FUNCTIONS, JOINS, RELATIONS, SEPARATORS

_PLAIN_NUMBER = re.compile(r"(-?)(\d{1,30}(?:\.\d{1,30})?)", re.ASCII)
_RANGE = re.compile(
    r"(?:from |从|(between ))?(\d{1,30}(?:\.\d{1,30})?) ?(?(1)and|(?:-|~|to|through|至|到))"
    r" ?(\d{1,30}(?:\.\d{1,30})?)( ?[A-Za-z]{1,20})?",
    re.ASCII,
)
_CLOSING = frozenset(")]}")


def parse(text: str, *, thousands: bool = True) -> Node:
    """Read an answer.

    Args:
        text: the extracted answer or the gold.
        thousands: True reads ``1,000`` as one number, False as two.

    Returns:
        The tree; `Words` or a `Phrase` if it is or contains text.

    Raises:
        TooLarge: it exceeds a limit.
        Unreadable: it is neither mathematics nor words.
    """
    if plain := _PLAIN_NUMBER.fullmatch(text):
        # The fast path, since most answers are plain numbers.
        value = number(plain.group(2))
        return Num(-value.value, value.decimals) if plain.group(1) else value
    cleaned = clean(in_digits(text) if not text.isascii() else text)
    if (ends := _RANGE.fullmatch(cleaned)) and (found := _range(*ends.groups()[1:])):
        return found
    tokens = tokenize(joined_thousands(cleaned, commas=thousands))
    if not tokens:
        raise Unreadable("it is empty")
    try:
        return Parser(list(tokens)).whole()
    except Unreadable:
        if not any(is_prose(token) or token.text in COMPASS for token in tokens):
            raise
        if len(tokens) > limits.PHRASE:
            return Words(" ".join(cleaned.casefold().split()))
        return phrase(tokens, lambda start: Parser(list(tokens), start))


def _range(low: str, high: str, unit: str | None) -> Node | None:
    """A range such as ``5-10`` or ``5 to 10 cm``, which is no difference; None if it does not ascend."""
    first, second = number(low), number(high)
    if first.value >= second.value:
        return None
    ends: tuple[Node, ...] = first, second
    if unit:
        measured = parse(f"1 {unit}")
        if not isinstance(measured, Quantity):
            return None
        ends = tuple(Quantity(end, measured.unit) for end in ends)
    return Group("-", ends, "-")


class Parser(Quantities):
    """Reads the tokens of one answer as a statement."""

    def whole(self) -> Node:
        """The statement that all tokens form."""
        node = self.statement()
        if self.peek() is not END:
            raise Unreadable(f"{self.peek().text!r} is unexpected")
        return node

    def statement(self) -> Node:
        """Items separated by commas, semicolons, ``and``, ``or`` or line breaks; a single item is returned as it is."""
        items, start, either = [self._item()], self._position, True
        while self._separator():
            if self.peek() is END:
                break
            between = [token.text for token in self._tokens[start : self._position]]
            either = either and between == ["or"]
            items.append(self._item())
            if between == ["and"] and (both := _both(items[-2], items[-1])):
                items[-2:] = [both]
            start = self._position
        if len(items) == 1:
            return items[0]
        # What is joined by "or" has no order; solutions of one variable stay a list, to be read together.
        values = either and not any(isinstance(item, Relation) for item in items)
        return Group("{", tuple(items), "}") if values else Group("", tuple(items), "")

    def _separator(self) -> bool:
        start = self._position
        while self.at(",", ";", "\\\\", "&") or (self.peek().kind == "word" and self.peek().text.lower() in SEPARATORS):
            self.next()
        return self._position > start

    def _item(self) -> Node:
        label = self._label()
        if label is None:
            return self._point() or self._relation()
        value = self._relation()
        return Relation(("=",), (Words(label), value)) if label else value

    def _point(self) -> Node | None:
        """A named point, such as ``P(2, 3)``."""
        start, depth, name = self._position, self._depth, self.peek()
        if start in self._no_points:
            return None
        if name.kind == "word" and len(name.text) == 1 and name.text.isupper() and self.peek(1).text == "(":
            self.next()
            try:
                point = self.group()
            except Unreadable:
                point = self.empty()
            ends = self.peek() is END or self.at(",", ";", ")", "}", "\\\\") or self.peek().text in SEPARATORS
            if ends and isinstance(point, Group) and point.opening == "(" and not any(map(_is_symbol, point.items)):
                return Relation(("=",), (Sym(name.text), point))
            # Known from now on: read anew at each level, brackets would take time exponential in their depth.
            self._no_points.add(start)
            self._position, self._depth, self._bars = start, depth, 0
        return None

    def _label(self) -> str | None:
        """Words before ``=``, ``:``, ``is`` or ``are``, such as ``Surface Area =``."""
        words: list[str] = []
        ahead, wordy = 0, False
        while True:
            token = self.peek(ahead)
            if token.kind == "word" and (token.text not in {"is", "are"} or not words):
                wordy = wordy or (len(token.text) > 1 and token.text not in FUNCTIONS and not token.text.isupper())
                words.append(token.text)
            elif token.text in {".", "'"} and token.kind == "op" and words:
                wordy = wordy or token.text == "."
            else:
                break
            ahead += 1
        token = self.peek(ahead)
        if not wordy or token.text not in {"=", ":", "is", "are"} or not labels(list(map(str.lower, words))):
            return None
        self._position += ahead + 1
        if token.text in {"is", "are"}:
            self.take(":")
        self.take("=")
        return " ".join(word for word in map(str.casefold, words) if word not in FILLERS)

    def _relation(self) -> Node:
        self.take("=", "approx")
        sides, ops = [self._join()], []
        while self.peek().text in RELATIONS and self.peek().kind in {"op", "command"}:
            ops.append(RELATIONS[self.next().text])
            sides.append(self._join())
        return Relation(tuple(ops), tuple(sides)) if ops else sides[0]

    def _join(self) -> Node:
        parts, op = [self._ratio()], ""
        while (self.peek().kind == "command" and self.peek().text in JOINS) or self.at_union():
            op = JOINS.get(self.next().text, "cup")
            parts.append(self._ratio())
        return Join(op, tuple(parts)) if op else parts[0]

    def _ratio(self) -> Node:
        parts = [self.quantity()]
        while self.take(":"):
            parts.append(self.quantity())
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def one(self) -> Node:
        """One relation, from the cursor on."""
        return self._relation()

    # Brackets.

    def group(self) -> Node:
        opening = self.next()
        escaped = opening.kind == "command"
        bracket = "{" if escaped else opening.text
        self.deeper()
        bars, self._bars = self._bars, 0
        if self.at("}", ")", "]") and bracket == "{":
            self.next()
            return self.empty()
        builder = escaped and self.peek(1).text in {"|", "mid", ":"} and self.peek().text == self.peek(2).text
        self._position += 2 if builder else 0
        inner = self.statement()
        if bracket == "{" and self.take("|", "mid"):
            inner = self.statement()
        closing = self.next()
        if closing.text not in _CLOSING or (bracket == "{") != (closing.text == "}"):
            raise Unreadable(f"{bracket} is not closed")
        self._depth -= 1
        self._bars = bars
        items = inner.items if isinstance(inner, Group) and inner.opening == "" else (inner,)
        if builder and isinstance(inner, Relation):
            return inner
        if bracket == "{" and (escaped or len(items) > 1):
            return Group("{", items, "}")
        if len(items) == 1:
            return inner
        return Group(bracket, items, closing.text)

    def empty(self) -> Node:
        return Group("{", (), "}")

    def _command(self) -> Node:
        if not self.at("begin"):
            return super()._command()
        self.next()
        name = self._subscript()
        if (not name.endswith("matrix") and name != "array") or name in {"vmatrix", "Vmatrix"}:
            raise Unreadable(f"{name} is unknown")
        if name == "array" and self.at("{"):
            self._subscript()
        rows, row = [], [self._item()]
        while not self.take("end"):
            if self.take("\\\\"):
                rows.append(tuple(row))
                row = [] if self.at("end") else [self._item()]
            else:
                self.expect("&")
                row.append(self._item())
        self._subscript()
        return Matrix(tuple([*rows, tuple(row)] if row else rows))


def _is_symbol(node: Node) -> bool:
    return isinstance(node, Sym)


def _both(one: Node, other: Node) -> Relation | None:
    """A lower and an upper bound of one variable as one inequality; None for anything else."""
    bounds = [_bound(node) for node in (one, other)]
    low, high = (next((bound for bound in bounds if bound and bound[0] == end), None) for end in ("<", ">"))
    if not (low and high) or low[2] != high[2]:
        return None
    return Relation((low[1], high[1]), (low[3], low[2], high[3]))


def _bound(node: Node) -> tuple[str, str, Node, Node] | None:
    """The end of a variable that an inequality bounds (``<``: below), the relation, the variable and the bound."""
    if not isinstance(node, Relation) or len(node.ops) != 1 or node.ops[0] not in {"<", "<=", ">", ">="}:
        return None
    (left, right), op = node.sides, node.ops[0]
    if isinstance(right, Sym):
        return op[0], op.replace(">", "<"), right, left
    return (">" if op[0] == "<" else "<", op.replace(">", "<"), left, right) if isinstance(left, Sym) else None
