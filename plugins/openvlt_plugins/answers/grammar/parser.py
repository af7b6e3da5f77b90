"""Statements: what an answer is made of above arithmetic, from labels and units to sets, intervals and prose."""

from __future__ import annotations

import re
from fractions import Fraction

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.expressions import Expressions, number
from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable, clean, joined_thousands, tokenize
from openvlt_plugins.answers.grammar.tree import (
    EXPRESSIONS,
    Call,
    Group,
    Join,
    Matrix,
    Node,
    Num,
    Phrase,
    Quantity,
    Ratio,
    Relation,
    Words,
)
from openvlt_plugins.answers.grammar.vocabulary import (
    CURRENCIES,
    FILLERS,
    FUNCTIONS,
    GLUED_UNITS,
    JOINS,
    LETTER_UNITS,
    NUMBER_WORDS,
    RELATIONS,
    SCALES,
    SEPARATORS,
    SQUARED,
    UNITS,
)

_PLAIN_NUMBER = re.compile(r"(-?)(\d{1,30}(?:\.\d{1,30})?)", re.ASCII)
_COMPASS = frozenset("NSEW")
_CLOSING = frozenset(")]}")
Unit = tuple[tuple[str, int], ...]


def parse(text: str, *, thousands: bool = True) -> Node:
    """Read an answer.

    Args:
        text: the extracted answer or the gold.
        thousands: True reads ``1,000`` as one number, False as two.

    Returns:
        The tree; `Words` or a `Phrase` if it is text or has text in it.

    Raises:
        TooLarge: it passes a limit.
        Unreadable: it is neither mathematics nor words.
    """
    if plain := _PLAIN_NUMBER.fullmatch(text):
        # most answers are: nothing else needs to be looked at
        value = number(plain.group(2))
        return Num(-value.value, value.decimals) if plain.group(1) else value
    cleaned = clean(text)
    tokens = tokenize(joined_thousands(cleaned, commas=thousands))
    if not tokens:
        raise Unreadable("it is empty")
    try:
        return Parser(list(tokens)).whole()
    except Unreadable:
        if not any(_is_prose(token) or token.text in _COMPASS for token in tokens):
            raise
        if len(tokens) > limits.PHRASE:
            return Words(" ".join(cleaned.casefold().split()))
        return _phrase(tokens)


class Parser(Expressions):
    """Reads the tokens of one answer as a statement."""

    def whole(self) -> Node:
        """The statement all tokens make up."""
        node = self.statement()
        if self.peek() is not END:
            raise Unreadable(f"{self.peek().text!r} is left over")
        return node

    def statement(self) -> Node:
        """Items set apart by commas, semicolons, ``and``, ``or`` or line breaks; one item stands for itself."""
        items = [self._item()]
        while self._separator():
            if self.peek() is END:
                break
            items.append(self._item())
        return items[0] if len(items) == 1 else Group("", tuple(items), "")

    def _separator(self) -> bool:
        start = self._place
        while self.at(",", ";", "\\\\", "&") or (self.peek().kind == "word" and self.peek().text.lower() in SEPARATORS):
            self.next()
        return self._place > start

    def _item(self) -> Node:
        label = self._label()
        if label is None:
            return self._relation()
        value = self._relation()
        return Relation(("=",), (Words(label), value))

    def _label(self) -> str | None:
        """Words before ``=``, ``:`` or ``is``, such as ``Surface Area =``."""
        words: list[str] = []
        ahead, wordy = 0, False
        while True:
            token = self.peek(ahead)
            if token.kind == "word" and (token.text != "is" or not words):
                wordy = wordy or (len(token.text) > 1 and token.text not in FUNCTIONS and not token.text.isupper())
                words.append(token.text)
            elif token.text == "." and token.kind == "op" and words:
                wordy = True
            else:
                break
            ahead += 1
        token = self.peek(ahead)
        if not wordy or token.text not in {"=", ":", "is"}:
            return None
        self._place += ahead + 1
        if token.text == "is":
            self.take(":")
        self.take("=")
        return " ".join(words).casefold()

    def _relation(self) -> Node:
        self.take("=", "approx")
        sides, ops = [self._join()], []
        while self.peek().text in RELATIONS and self.peek().kind in {"op", "command"}:
            ops.append(RELATIONS[self.next().text])
            sides.append(self._join())
        return Relation(tuple(ops), tuple(sides)) if ops else sides[0]

    def _join(self) -> Node:
        parts, op = [self._ratio()], ""
        while (self.peek().kind == "command" and self.peek().text in JOINS) or self._letter_union():
            op = JOINS.get(self.next().text, "cup")
            parts.append(self._ratio())
        return Join(op, tuple(parts)) if op else parts[0]

    def _letter_union(self) -> bool:
        if self.peek().text not in {"U", "u"} or self._place == 0:
            return False
        return self._tokens[self._place - 1].text in {")", "]", "}"} and self.peek(1).text in {"(", "[", "{"}

    def _ratio(self) -> Node:
        parts = [self._quantity()]
        while self.take(":"):
            parts.append(self._quantity())
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def one(self) -> Node:
        """One relation, from the cursor on."""
        return self._relation()

    # Values with units.

    def _quantity(self) -> Node:
        for sign, currency in CURRENCIES.items():
            negative = self.at("-") and self.peek(1).text == sign and self.peek(1).kind != "word"
            if (self.at(sign) or negative) and self.peek(1 + negative).kind in {"number", "op"}:
                self._place += 1 + negative
                value = self.sum()
                return Quantity(Call("neg", (value,)) if negative else value, ((currency, 1),))
        value = self._number_word() or self.sum()
        while self.peek().kind == "word" and self.peek().text.lower() in SCALES:
            value = Call("*", (value, Num(Fraction(SCALES[self.next().text.lower()]))))
        if isinstance(value, Call) and value.op == "deg":
            self._bearing()
            return Quantity(value.args[0], self._temperature() or (("degree", 1),))
        if not isinstance(value, EXPRESSIONS):
            return value
        unit = self._unit(value)
        if unit == (("percent", 1),):
            return Call("%", (value,))
        if unit == (("degree", 1),):
            self._bearing()
        return Quantity(value, unit) if unit else value

    def _number_word(self) -> Node | None:
        token = self.peek()
        if token.kind == "word" and token.text.lower() in NUMBER_WORDS:
            self.next()
            return Num(Fraction(NUMBER_WORDS[token.text.lower()]))
        return None

    def _bearing(self) -> None:
        """Drop the T of a true bearing, as in 212 degrees T."""
        if self.peek().text == "T" and self.peek().kind == "word":
            self.next()

    def _temperature(self) -> Unit:
        if self.peek().kind == "word" and self.peek().text in {"C", "F"}:
            return (("degC" if self.next().text == "C" else "degF", 1),)
        return ()

    def at_unit(self) -> bool:
        token = self.peek()
        name = token.text
        if token.kind == "command":
            return False
        if name in UNITS and len(name) > 1:
            return True
        if name in GLUED_UNITS or (name.lower() in SQUARED and self.peek(1).kind == "word"):
            return True
        if name not in LETTER_UNITS:
            return False
        before = self._tokens[self._place - 1]
        if not (
            token.roman or (self._ends_value(1) and (token.spaced or (name in "mghslL" and before.kind == "number")))
        ):
            return False
        return token.roman or self._plain_value()

    def _ends_value(self, ahead: int) -> bool:
        """True if a unit of one letter ends here: only a power, a slash with a unit, or the end of the item follows."""
        token = self.peek(ahead)
        if token.text in {"^", "**"}:
            skip = 3 if self.peek(ahead + 1).text == "{" else 1
            return self._ends_value(ahead + 1 + skip)
        if token.text == "/" and self.peek(ahead + 1).text in UNITS:
            return self._ends_value(ahead + 2)
        return token is END or token.text in {",", ";", ")", "]", "and", "or", "\\\\"} or token.text in RELATIONS

    def _plain_value(self) -> bool:
        """True if nothing before the cursor can be a variable or a sum the letter would be part of."""
        for token in reversed(self._tokens[: self._place]):
            if token.text in {",", ";", "=", "approx", "and", "or", "(", "["}:
                return True
            if token.kind == "word" and token.text not in FUNCTIONS and token.text != "pi":
                return False
            if token.text in {"+", "^"} or (token.text == "-" and token.spaced):
                return False
        return True

    def _unit(self, value: Node) -> Unit:
        powers: dict[str, int] = {}
        sign, any_unit = 1, False
        while True:
            if any_unit and (self.at("/", "per") or self.peek().text == "per"):
                self.next()
                sign = -1
            elif any_unit and self.at("cdot", "times", "*") and self.peek(1).text in UNITS:
                self.next()
            elif not self.at_unit():
                break
            name, power = self._unit_name()
            powers[name] = powers.get(name, 0) + sign * power
            any_unit = True
        if not any_unit:
            return self._noun(value)
        return tuple(sorted((name, power) for name, power in powers.items() if power))

    def _unit_name(self) -> tuple[str, int]:
        token = self.next()
        name, power = token.text, 1
        if name in GLUED_UNITS:
            return GLUED_UNITS[name]
        if name.lower() in SQUARED:
            power, name = SQUARED[name.lower()], self.next().text
        if name not in UNITS:
            raise Unreadable(f"{name!r} is no unit")
        if self.peek().text in SQUARED and self.peek().text.endswith("ed"):
            power = SQUARED[self.next().text]
        if self.take("^", "**"):
            exponent = self.exponent()
            if not isinstance(exponent, Num) or exponent.value.denominator != 1 or abs(exponent.value) > 9:
                raise Unreadable("a unit's power must be a small integer")
            power = int(exponent.value)
        elif self.peek().kind == "number" and not self.peek().spaced and self.peek().text in "23":
            power = int(self.next().text)
        return UNITS[name], power

    def _noun(self, value: Node) -> Unit:
        """What is counted, as in ``15 apples``: the words that end the item, the unit of themselves."""
        if not isinstance(value, Num) and not (isinstance(value, Call) and value.op in {"/", "neg"}):
            return ()
        words: list[str] = []
        while self.peek(len(words)).kind == "word" and self.peek(len(words)).text.lower() not in SEPARATORS:
            words.append(self.peek(len(words)).text.casefold())
        ends = self.peek(len(words))
        if not words or len(words) > 4 or max(map(len, words)) < 3 or not (ends is END or ends.text in {",", ";"}):
            return ()
        if words[0] in FILLERS or words[0] in SEPARATORS:
            return ()
        self._place += len(words)
        return ((" ".join(word.removesuffix("s") for word in words), 1),)

    # Brackets.

    def group(self) -> Node:
        opening = self.next()
        escaped = opening.kind == "command"
        kind = "{" if escaped else opening.text
        self.deeper()
        bars, self._bars = self._bars, 0
        if self.at("}", ")", "]") and kind == "{":
            self.next()
            return self.empty()
        inner = self.statement()
        if kind == "{" and self.take("|", "mid"):
            inner = self.statement()
        closing = self.next()
        if closing.text not in _CLOSING or (kind == "{") != (closing.text == "}"):
            raise Unreadable(f"{kind} is not closed")
        self._depth -= 1
        self._bars = bars
        items = inner.items if isinstance(inner, Group) and inner.opening == "" else (inner,)
        if kind == "{" and (escaped or len(items) > 1):
            return Group("{", items, "}")
        if len(items) == 1:
            return inner
        return Group(kind, items, closing.text)

    def empty(self) -> Node:
        return Group("{", (), "}")

    def _command(self) -> Node:
        if not self.at("begin"):
            return super()._command()
        self.next()
        name = self._subscript()
        if not name.endswith("matrix") and name != "array":
            raise Unreadable(f"{name} is not known")
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


def _is_prose(token: Token) -> bool:
    return token.kind == "word" and (len(token.text) > 1 or token.roman) and token.text not in FUNCTIONS


def _phrase(tokens: list[Token]) -> Node:
    """Words and mathematics in turn; words alone are `Words`."""
    parts: list[Node] = []
    words: list[str] = []
    place = 0
    while place < len(tokens):
        end, node = _longest(tokens, place)
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


def _longest(tokens: list[Token], start: int) -> tuple[int, Node | None]:
    """The relation that begins at a token and how far it goes; None if the token is a word or cannot begin one."""
    first = tokens[start]
    stops = first.kind == "op" and first.text in {",", ";", ".", ":"}
    article = first.kind == "word" and first.spaced and _lonely(tokens, start)
    if _is_prose(first) or stops or article or first.text in _COMPASS:
        return start, None
    parser = Parser(list(tokens), start)
    try:
        node = parser.one()
    except Unreadable:
        return start, None
    return parser.place, node


def _lonely(tokens: list[Token], place: int) -> bool:
    """True for a letter between words, such as the article a."""
    after = tokens[place + 1] if place + 1 < len(tokens) else END
    return after.kind in {"word", "end"}
