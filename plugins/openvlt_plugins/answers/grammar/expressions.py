"""Arithmetic: sums, products, powers, fractions, roots and functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction

from openvlt_plugins.answers.grammar.cursor import Cursor
from openvlt_plugins.answers.grammar.literals import number
from openvlt_plugins.answers.grammar.modifiers import denies
from openvlt_plugins.answers.grammar.tokens import END, Token, Unreadable
from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Quantity, Sym
from openvlt_plugins.answers.grammar.vocabulary import (
    CONSTANT_NAMES,
    FUNCTIONS,
    GREEK,
    INVERSE,
    SHORT_WORDS,
)

_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac"})
_BINOMIALS = frozenset({"binom", "dbinom", "tbinom"})
_TIMES = frozenset({"times", "cdot", "ast"})
_FACTORS = frozenset({*_FRACTIONS, *_BINOMIALS, *FUNCTIONS, *CONSTANT_NAMES, *GREEK, "angle", "triangle", "{", "lvert"})
_CALLABLE = frozenset("fghFGHP")
_BARS = frozenset({"lvert", "rvert", "vert", "|"})


class Expressions(Cursor, ABC):
    """The rules of arithmetic; subclasses add units and statements."""

    @abstractmethod
    def group(self) -> Node:
        """The contents of a pair of brackets; the cursor is at the opening one."""

    @abstractmethod
    def at_unit(self) -> bool:
        """True if a unit begins here."""

    # Sums and products.

    def sum(self) -> Node:
        self.deeper()
        terms = [self._signed()]
        while self.at("+", "-", "pm", "mp"):
            terms.append(self._signed())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Call("+", tuple(terms))

    def _signed(self) -> Node:
        if self.at("+", "-"):
            return self._after_sign(self._signed)
        if self.at("pm", "mp"):
            sign = self.next().text
            return Call(sign, (self._product(),))
        return self._product()

    def _product(self) -> Node:
        result, depth = self._power(), self._depth
        while True:
            if self.at(*_TIMES, "*"):
                self.next()
                result = _times(result, self._factor())
            elif self.take("/", "div"):
                self.deeper()
                result = _over(result, self._factor())
            elif self._begins_factor():
                result = _times(result, self._power())
            else:
                self._depth = depth
                return result

    def _factor(self) -> Node:
        return self._after_sign(self._factor) if self.at("+", "-") else self._power()

    def _after_sign(self, rest: Callable[[], Node]) -> Node:
        minus = self.next().text == "-"
        self.deeper()
        value = rest()
        self._depth -= 1
        return negated(value) if minus else value

    def _begins_factor(self) -> bool:
        token = self.peek()
        if token.kind == "number":
            before = self._tokens[self._position - 1]
            return before.kind == "op" and before.text in ")}]"
        if token.kind == "word":
            return self._is_symbolic(token) and not (self.at_unit() or self._at_compass() or self.at_union())
        if token.kind == "op":
            return token.text in "({" or (token.text == "|" and not self._bars)
        return token.kind == "command" and token.text in _FACTORS and not self.at_unit()

    def at_union(self) -> bool:
        """True at a letter U between brackets, which means the union of two sets."""
        if self.peek().text not in {"U", "u"} or self._position == 0:
            return False
        return self._tokens[self._position - 1].text in {")", "]", "}"} and self.peek(1).text in {"(", "[", "{"}

    def _at_compass(self) -> bool:
        """True at the letter of a bearing after degrees, as in N 34 degrees W or 212 degrees T."""
        before = {token.text for token in self._tokens[max(0, self._position - 3) : self._position]}
        return self.peek().text in {"N", "S", "E", "W", "T", "C", "F"} and bool(before & {"circ", "degree"})

    # Powers and postfix operators.

    def _power(self) -> Node:
        base = self._postfix(self._atom())
        if self.at("^", "**"):
            if self._degree_follows():
                return self._postfix(self._minutes(Call("deg", (base,))))
            self.next()
            return self._postfix(Call("^", (base, self.exponent())))
        return base

    def _postfix(self, value: Node) -> Node:
        depth = self._depth
        while True:
            self.deeper()
            if self.at("!") or (self.at("!=") and not self.peek().spaced):
                if self.take("!="):
                    self._position -= 1
                    self._tokens[self._position] = Token("op", "=")
                else:
                    self.next()
                value = Call("!", (value,))
            elif self.take("%"):
                value = Call("%", (value,))
            elif self.take("degree", "circ"):
                value = self._minutes(Call("deg", (value,)))
            else:
                self._depth = depth
                return value

    def _degree_follows(self) -> bool:
        """Consume ``^\\circ`` or ``^{\\circ}``, but not a unit letter after it."""
        texts = [self.peek(ahead).text for ahead in range(1, 4)]
        if texts[0] in {"circ", "degree"}:
            self._position += 2
        elif texts[0] == "{" and texts[1] in {"circ", "degree"} and texts[2] == "}":
            self._position += 4
        else:
            return False
        return True

    def _minutes(self, degrees: Call) -> Node:
        """Degrees, with the minutes of arc after them if there are any, as in 35 degrees 30'."""
        inner = degrees.args[0]
        if self.peek().kind == "number" and self.peek(1).text in {"'", "prime"} and isinstance(inner, Num):
            minutes = Fraction(self.next().text)
            self.next()
            return Call("deg", (Num(inner.value + minutes / 60),))
        return degrees

    def exponent(self) -> Node:
        """The exponent after ``^``: braces, brackets, or one signed value; powers associate to the right."""
        self.deeper()
        if self.take("-"):
            result = negated(self.exponent())
        else:
            base = self._postfix(self._atom())
            result = Call("^", (base, self.exponent())) if self.take("^", "**") else base
        self._depth -= 1
        return result

    # Atoms.

    def _atom(self) -> Node:
        token = self.peek()
        if token.kind == "number":
            return self._number()
        if token.kind == "word":
            return self._word()
        if (token.kind == "op" and token.text in "([{") or (token.kind == "command" and token.text == "{"):
            return self.group()
        if token.text in _BARS and token.kind in {"op", "command"}:
            return self._absolute()
        if token.kind == "command":
            return self._command()
        raise Unreadable(f"{token.text!r} cannot begin a value" if token is not END else "it ends unexpectedly")

    def _number(self) -> Node:
        value = number(self.next().text)
        if value.decimals is not None:
            return value
        if self.peek().kind == "number" and self.peek(1).text == "/" and self.peek(2).kind == "number":
            top, _, bottom = (self.next().text for _ in range(3))
            if not (mixed := _mixed(value, top, bottom)):
                raise Unreadable("two adjacent numbers")
            return mixed
        if self.peek().kind == "command" and self.peek().text in _FRACTIONS:
            return self._mixed_latex(value)
        return value

    def _mixed_latex(self, whole: Num) -> Node:
        """The mixed number of an integer and a proper fraction of integers after it; without one, the integer."""
        ahead = [self.peek(offset).text for offset in range(1, 7)]
        if ahead[0] == "{" and ahead[2:4] == ["}", "{"] and ahead[5] == "}":
            top, bottom, length = ahead[1], ahead[4], 7
        elif len(ahead[0]) == 2:
            top, bottom, length = ahead[0][0], ahead[0][1], 2
        else:
            return whole
        if not (mixed := _mixed(whole, top, bottom)):
            return whole
        self._position += length
        return mixed

    def _is_symbolic(self, token: Token) -> bool:
        text = token.text
        if text in FUNCTIONS or text.lower() in CONSTANT_NAMES or len(text) == 1:
            return True
        if len(text) <= 4 and text.isupper():
            return True
        attached = not token.spaced or (not self.peek(1).spaced and self.peek(1).kind == "op")
        letters = text.lower() not in SHORT_WORDS and not denies(text.lower())
        return len(text) <= 3 and not token.roman and attached and letters

    def _word(self) -> Node:
        token = self.next()
        text = token.text
        if text in FUNCTIONS:
            return self._function(FUNCTIONS[text])
        if text.lower() in CONSTANT_NAMES:
            return Sym(CONSTANT_NAMES[text.lower()])
        if len(text) == 1 or (len(text) <= 4 and text.isupper()):
            return self._symbol(text)
        self._position -= 1
        alone = len(self._tokens) == 1
        symbolic = not alone and self._is_symbolic(token)
        self._position += 1
        if not symbolic:
            raise Unreadable(f"{text!r} is a word")
        # A subscript or a power belongs to the last letter only.
        head = [Sym(letter) for letter in text[:-1]]
        last = self._postfix(self._symbol(text[-1]))
        if self.at("^", "**") and not self._degree_follows():
            self.next()
            last = Call("^", (last, self.exponent()))
        result: Node = head[0]
        for factor in [*head[1:], last]:
            result = _times(result, factor)
        return result

    def _symbol(self, name: str) -> Node:
        if self.take("_"):
            name += "_" + self._subscript()
        while self.take("'", "prime"):
            name += "'"
        if name.rstrip("'") in _CALLABLE and self.at("(") and self._names_only():
            return Call(f"{name}()", (self.group(),))
        return Sym(name)

    def _names_only(self) -> bool:
        """True if the brackets ahead contain only letters and numbers, so that this is f(x) and not a product."""
        texts: list[str] = []
        for ahead in range(1, 8):
            token = self.peek(ahead)
            if token.text == ")":
                return bool(texts)
            if token.kind not in {"word", "number"} and token.text != ",":
                return False
            texts.append(token.text)
        return False

    def _subscript(self) -> str:
        if self.take("{"):
            parts = []
            while not self.at("}"):
                if self.peek() is END:
                    raise Unreadable("} is missing")
                parts.append(self.next().text)
            self.next()
            return "".join(parts)
        return self.next().text

    def _absolute(self) -> Node:
        self.next()
        self._bars += 1
        inner = self.sum()
        self._bars -= 1
        if not self.take(*_BARS):
            raise Unreadable("| is missing")
        return Call("abs", (inner,))

    def _command(self) -> Node:
        token = self.next()
        name = token.text
        if name in _FRACTIONS:
            top = self.argument(split=True)
            return _over(top, self.argument(split=True))
        if name in FUNCTIONS:
            return self._function(FUNCTIONS[name])
        if name in CONSTANT_NAMES:
            return Sym(CONSTANT_NAMES[name])
        if name in _BINOMIALS:
            return _choose(self.argument(split=True), self.argument(split=True))
        if name in GREEK:
            return self._symbol("lambda" if name == "lamda" else name)
        if name in {"angle", "triangle"} and self.peek().kind in {"word", "number"}:
            return self._symbol(f"{name} {self.next().text}")
        if name in {"emptyset", "varnothing"}:
            return self.empty()
        raise Unreadable(f"\\{name} is unknown")

    @abstractmethod
    def empty(self) -> Node:
        """The empty set."""

    def argument(self, *, split: bool = False) -> Node:
        """The argument of a command: braces, brackets, or the next value (`split`: its first digit or letter)."""
        token = self.peek()
        if token.kind == "number" and split and len(token.text) > 1 and token.text.isdigit():
            self._tokens[self._position] = Token("number", token.text[1:])
            return number(token.text[0])
        if token.kind == "number":
            self.next()
            return number(token.text)
        if token.kind == "word" and split and not token.roman and len(token.text) == 2:
            self._tokens[self._position] = Token("word", token.text[1])
            return Sym(token.text[0])
        self.deeper()
        node = self._atom()
        self._depth -= 1
        return node

    def _function(self, name: str) -> Node:
        if name == "sqrt":
            return self._root()
        if name == "cbrt":
            return Call("root", (self.argument(), Num(Fraction(3))))
        base: Node | None = None
        if self.take("_"):
            base = self.argument()
        power = self.exponent() if self.take("^", "**") else None
        inverse = power == Num(Fraction(-1)) and name in INVERSE
        inner = self._operand()
        if name in {"lg", "log"}:
            result = Call("/", (Call("log", (inner,)), Call("log", (base or Num(Fraction(10)),))))
        elif name == "exp":
            result = Call("^", (Sym("e"), inner))
        else:
            result = Call(INVERSE[name] if inverse else "log" if name == "ln" else name, (inner,))
        return result if power is None or inverse else Call("^", (result, power))

    def _root(self) -> Node:
        degree: Node = Num(Fraction(2))
        if self.take("["):
            degree = self.sum()
            self.expect("]")
        return Call("root", (self.argument(), degree))

    def _operand(self) -> Node:
        """A function's argument; without brackets it includes all factors up to the next function or sign."""
        if self.at("("):
            inner = self.group()
            in_degrees = isinstance(inner, Quantity) and inner.unit == (("degree", 1),)
            return Call("deg", (inner.value,)) if isinstance(inner, Quantity) and in_degrees else inner
        self.deeper()
        result = self._power()
        self._depth -= 1
        while self._begins_factor() and not self.at("(") and self.peek().text not in FUNCTIONS:
            result = _times(result, self._power())
        return result


def _mixed(whole: Num, top: str, bottom: str) -> Num | None:
    """The mixed number of an integer and a proper fraction; None if the fraction is not one."""
    if not (top.isdigit() and bottom.isdigit() and 0 < int(top) < int(bottom)):
        return None
    return Num(whole.value + Fraction(int(top), int(bottom)))


def _choose(n: Node, k: Node) -> Node:
    """The binomial coefficient."""
    others = Call("+", (n, negated(k)))
    return Call("/", (Call("!", (n,)), Call("*", (Call("!", (k,)), Call("!", (others,))))))


def negated(value: Node) -> Node:
    """The value with the opposite sign."""
    return Num(-value.value, value.decimals) if isinstance(value, Num) else Call("neg", (value,))


def _times(one: Node, other: Node) -> Node:
    before = one.args if isinstance(one, Call) and one.op == "*" else (one,)
    return Call("*", (*before, other))


def _over(top: Node, bottom: Node) -> Node:
    return Call("/", (top, bottom))
