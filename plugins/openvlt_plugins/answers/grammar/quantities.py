"""Quantities: number words, currencies, units and counted nouns."""

from __future__ import annotations

from abc import ABC
from fractions import Fraction

from openvlt_plugins.answers.grammar.expressions import Expressions, negated
from openvlt_plugins.answers.grammar.modifiers import counts
from openvlt_plugins.answers.grammar.tokens import END, Unreadable
from openvlt_plugins.answers.grammar.tree import EXPRESSIONS, Call, Node, Num, Quantity, Unit
from openvlt_plugins.answers.grammar.vocabulary import (
    CURRENCIES,
    FILLERS,
    FUNCTIONS,
    GLUED_UNITS,
    LETTER_UNITS,
    NUMBER_WORDS,
    PARTS,
    RELATIONS,
    SCALES,
    SEPARATORS,
    SMALLER,
    SQUARED,
    UNITS,
)

_EXTENTS = ("old", "long", "wide", "high", "tall", "deep")


class Quantities(Expressions, ABC):
    """The rules of values with units."""

    def quantity(self) -> Node:
        """A value with its unit, if it has one: ``5 cm``, ``$5``, ``5 apples``, ``2 h 30 min``."""
        value = self._value()
        while isinstance(value, Quantity) and (rest := self._smaller(value.unit)) is not None:
            value = Quantity(Call("+", (value.value, rest)), value.unit)
        return value

    def _value(self) -> Node:
        if self._is_word("minus", "negative") and (self.peek(1).kind == "number" or self._spells(1)):
            self.next()
            value = self._value()
            if isinstance(value, Quantity):
                return Quantity(Call("neg", (value.value,)), value.unit)
            return Call("neg", (value,))
        negative = self.at("-") and self.peek(1).kind != "word"
        sign = self.peek(int(negative)).text
        if sign in CURRENCIES and self.peek(1 + negative).kind in {"number", "op"}:
            self._position += 1 + negative
            value = self._scaled(self.sum())
            if self._is_word(sign):
                self.next()
            return Quantity(Call("neg", (value,)) if negative else value, ((CURRENCIES[sign], 1),))
        value = self._with_part(self._scaled(self._spelled() or self.sum()))
        sign = self.peek().text
        if sign in CURRENCIES and isinstance(value, EXPRESSIONS) and self.take(sign):
            return Quantity(value, ((CURRENCIES[sign], 1),))
        return self._with_unit(value)

    def _with_unit(self, value: Node) -> Node:
        if isinstance(value, Call) and value.op == "neg" and isinstance(below := value.args[0], Call):
            value = Call("deg", (negated(below.args[0]),)) if below.op == "deg" else value
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
            unit = self._temperature() or unit
        return Quantity(value, unit) if unit else value

    def _smaller(self, unit: Unit) -> Node | None:
        """The continuation in a smaller unit, as 30 minutes after 2 hours, converted to `unit`."""
        start = self._position
        name, power = unit[0]
        if power == 1 and len(unit) == 1 and name in SMALLER:
            self._take_word("and")
            if name == "hour" and self.peek().kind == "number" and self._is_word("m", ahead=1):
                value = self._number()  # 2h 30m: metres do not follow hours
                self.next()
                return Call("/", (value, Num(Fraction(60))))
            if self.peek().kind == "number":
                value = self._value()
                smaller, ratio = SMALLER[name]
                if isinstance(value, Quantity) and value.unit == ((smaller, 1),):
                    return Call("/", (value.value, Num(Fraction(ratio))))
        self._position = start
        return None

    # Numbers in words.

    def _is_word(self, *texts: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind == "word" and token.text in texts

    def _take_word(self, text: str) -> bool:
        found = self._is_word(text)
        self._position += found
        return found

    def _spells(self, ahead: int) -> bool:
        return self.peek(ahead).kind == "word" and self.peek(ahead).text.lower() in NUMBER_WORDS

    def _spelled(self) -> Node | None:
        """An integer in words, such as twenty-one or two hundred and five."""
        if not self._spells(0):
            return None
        total, part = 0, NUMBER_WORDS[self.next().text.lower()]
        room = 10 if part >= 20 else 1
        while True:
            joined = (room == 10 and self.at("-")) or (room > 10 and self._is_word("and"))
            name = self.peek(joined).text.lower() if self.peek(joined).kind == "word" else ""
            if 0 < NUMBER_WORDS.get(name, 0) < room:
                part += NUMBER_WORDS[name]
                room = 10 if NUMBER_WORDS[name] >= 20 else 1
            elif not joined and name == "hundred" and part < 100:
                part, room = part * 100, 100
            elif not joined and name in SCALES and SCALES[name] >= 1000:
                total, part, room = total + part * SCALES[name], 0, min(SCALES[name], 1000)
            else:
                return Num(Fraction(total + part))
            self._position += 1 + joined

    def _scaled(self, value: Node) -> Node:
        """The value times a scale after it (2.5 million), or divided by the name of a part (two thirds)."""
        while self.peek().kind == "word" and self.peek().text.lower() in SCALES:
            value = Call("*", (value, Num(Fraction(SCALES[self.next().text.lower()]))))
        hyphen = self.at("-")
        name = self.peek(hyphen).text
        # Two third parties are not two thirds.
        adjective = not (hyphen or name.endswith("s")) and self.peek(1).kind == "word" and value != Num(Fraction(1))
        if isinstance(value, Num) and name in PARTS and not adjective:
            self._position += hyphen
            value = Call("/", (value, Num(Fraction(PARTS[self.next().text]))))
        return value

    def _with_part(self, value: Node) -> Node:
        """The value and a part after it: two and a half, one and three quarters."""
        if not (isinstance(value, Num) and self._is_word("and")):
            return value
        count, part = self.peek(1).text.lower(), PARTS.get(self.peek(2).text)
        times = 1 if count in {"a", "an"} else NUMBER_WORDS.get(count)
        if not (times and part):
            return value
        self._position += 3
        return Num(value.value + Fraction(times, part))

    # Units.

    def _bearing(self) -> None:
        """Skip the T of a true bearing, as in 212 degrees T."""
        if self.peek().text == "T" and self.peek().kind == "word":
            self.next()

    def _temperature(self) -> Unit:
        if self._is_word("C", "F", "Celsius", "celsius", "Fahrenheit", "fahrenheit"):
            return (("degC" if self.next().text[0] in "Cc" else "degF", 1),)
        return ()

    def at_unit(self) -> bool:
        token = self.peek()
        name = token.text
        if token.kind == "command":
            return name == "Omega" and self._ends_value(1) and self._tokens[self._position - 1].kind == "number"
        if name in UNITS and (len(name) > 1 or not name.isascii()):
            return not self._at_total()
        if name in GLUED_UNITS or (name.lower() in SQUARED and self.peek(1).kind == "word"):
            return True
        if name not in LETTER_UNITS:
            return False
        before = self._tokens[self._position - 1]
        if not (
            token.roman or (self._ends_value(1) and (token.spaced or (name in "mghslL" and before.kind == "number")))
        ):
            return False
        return token.roman or self._plain_value()

    def _ends_value(self, ahead: int) -> bool:
        """True if only a power, a slash with a unit, or the end of the item follows a unit of one letter."""
        token = self.peek(ahead)
        if token.text in {"^", "**"}:
            length = 3 if self.peek(ahead + 1).text == "-" else 2
            while self.peek(ahead + 1).text == "{" and self.peek(ahead + length).text != "}" and length < 5:
                length += 1
            return self._ends_value(ahead + length + (length > 2))
        if token.kind == "word" and token.text in UNITS and self.peek(ahead + 1).text == "^":
            return self._ends_value(ahead + 1)
        if token.text == "/" and self.peek(ahead + 1).text in UNITS:
            return self._ends_value(ahead + 2)
        if token.kind == "number" and self.peek(ahead + 1).text in UNITS:
            return True
        if token.kind == "word" and token.text in _EXTENTS:
            return self.peek(ahead + 1) is END
        return token is END or token.text in {",", ";", ")", "]", "and", "or", "\\\\"} or token.text in RELATIONS

    def _plain_value(self) -> bool:
        """True if no variable or sum before the cursor could include the letter."""
        for token in reversed(self._tokens[: self._position]):
            if token.text in {",", ";", "=", ":", "is", "approx", "and", "or", "(", "["}:
                return True
            if token.kind == "word" and len(token.text) > 1 and token.text in UNITS:
                continue
            if token.kind == "word" and token.text not in FUNCTIONS and token.text != "pi":
                return False
            if token.text in {"+", "^"} or (token.text == "-" and token.spaced):
                return False
        return True

    def _unit(self, value: Node) -> Unit:
        powers: dict[str, int] = {}
        sign, any_unit = 1, False
        while True:
            if (any_unit and self.at("/", "per")) or (self._is_word("per") and self.peek(1).text in UNITS):
                self.next()
                sign = -1
            elif any_unit and self.at("cdot", "times", "*") and self.peek(1).text in UNITS:
                self.next()
            elif not self.at_unit() and not (any_unit and self.peek().text in UNITS and self.peek(1).text == "^"):
                break
            name, power = self._unit_name()
            if name == "ms" and power < 0:  # m s^-1 written together, not per millisecond
                powers["m"], name = powers.get("m", 0) + sign, "s"
            powers[name] = powers.get(name, 0) + sign * power
            any_unit = True
        if not any_unit:
            return self._noun(value)
        if self._is_word(*_EXTENTS):
            self.next()
        self._skip_total()
        return tuple(sorted((name, power) for name, power in powers.items() if power))

    def _skip_total(self) -> None:
        """Skip the words of a total, as in 18 in all."""
        self._position += 2 if self._at_total() else int(self._is_word("altogether", "overall"))

    def _at_total(self) -> bool:
        return self._is_word("in") and self._is_word("all", "total", ahead=1)

    def _unit_name(self) -> tuple[str, int]:
        token = self.next()
        name, power = token.text, 1
        if name in GLUED_UNITS:
            return GLUED_UNITS[name]
        if name.lower() in SQUARED:
            power, name = SQUARED[name.lower()], self.next().text
        if name not in UNITS:
            raise Unreadable(f"{name!r} is not a unit")
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
        """A counted noun, as in ``15 apples``: the words that end the item are the unit."""
        self._skip_total()
        if not isinstance(value, Num) and not (isinstance(value, Call) and value.op in {"/", "neg"}):
            return ()
        words: list[str] = []
        while self.peek(len(words)).kind == "word" and self.peek(len(words)).text.lower() not in SEPARATORS:
            words.append(self.peek(len(words)).text.casefold())
        ends = self.peek(len(words))
        if not words or len(words) > 4 or max(map(len, words)) < 3 or not (ends is END or ends.text in {",", ";"}):
            return ()
        if words[0] in FILLERS or not counts(words):
            return ()
        self._position += len(words)
        return ((" ".join(word.removesuffix("s") for word in words), 1),)
