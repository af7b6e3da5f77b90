"""Compares two trees: by structure, then by value, and symbolically only if asked to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openvlt_plugins.answers.budget import spend
from openvlt_plugins.answers.comparison.equations import same_equation, zero_side
from openvlt_plugins.answers.comparison.expressions import Expressions
from openvlt_plugins.answers.comparison.shapes import (
    by_label,
    interval,
    is_equation,
    labelled,
    labels_agree,
    phrase_parts,
    solutions,
)
from openvlt_plugins.answers.grammar.limits import ITEMS
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
    symbols,
)

Truth = bool | None


class Comparison(Expressions):
    """Decides whether an answer is equal to the gold.

    Args:
        policy: how strict to be.
        deep: True decides everything; False returns None where the symbolic tier would be needed.

    Attributes:
        tier: the most expensive tier that was needed: ``text``, ``number``, ``structure``, ``algebra``, ``symbolic``.
    """

    def same(self, gold: Node, given: Node) -> Truth:
        """Whether `given` is equal to `gold`; None if only the symbolic tier could tell and `deep` is False.

        Raises:
            TooLarge: a value passes a limit.
        """
        spend(10)
        if gold == given and not self.policy.reduced:
            plain = "text" if isinstance(gold, Words) else "number"
            self.reached("structure" if isinstance(gold, Group | Join | Relation) else plain)
            return True
        return self._same(solutions(self.exact(gold)), solutions(self.exact(given)))

    def _same(self, gold: Node, given: Node) -> Truth:
        if isinstance(gold, Words | Phrase) or isinstance(given, Words | Phrase):
            return self._phrases(gold, given)
        if (pairs := self._labelled_lists(gold, given)) is not None:
            return pairs
        if isinstance(gold, Relation) or isinstance(given, Relation) or interval(gold) or interval(given):
            return self._relations(gold, given)
        gold, given = _single(gold), _single(given)
        if isinstance(gold, Group | Join | Matrix) or isinstance(given, Group | Join | Matrix):
            self.reached("structure")
            return self._shapes(gold, given)
        if isinstance(gold, Ratio) or isinstance(given, Ratio):
            self.reached("structure")
            return self._ratios(gold, given)
        if isinstance(gold, Quantity) or isinstance(given, Quantity):
            return self.quantities(gold, given)
        return self.expressions(gold, given)

    # Words.

    def _phrases(self, gold: Node, given: Node) -> Truth:
        if isinstance(gold, Words) or isinstance(given, Words):
            self.reached("text")
            return isinstance(gold, Words) and isinstance(given, Words) and gold.text == given.text
        golds, givens = phrase_parts(gold), phrase_parts(given)
        return len(golds) == len(givens) and every(self.same(a, b) for a, b in zip(golds, givens, strict=True))

    # Labels and relations.

    def _labelled_lists(self, gold: Node, given: Node) -> Truth:
        """Lists of labelled values, matched by label, or against a tuple in the labels' alphabetical order."""
        golds, givens = by_label(gold), by_label(given)
        if golds is None and givens is None:
            return None
        self.reached("structure")
        if golds is None or givens is None:
            named, bare = (golds, labelled(given).value) if givens is None else (givens, labelled(gold).value)
            if not isinstance(bare, Group) or bare.opening == "{":
                return False
            return self._in_label_order(named or {}, bare, swapped=golds is None)
        if len(golds) != len(givens):
            return False
        if golds.keys() == givens.keys():
            return every(self.same(golds[label], givens[label]) for label in golds)
        pairs = zip(golds.items(), givens.items(), strict=True)
        return every(labels_agree(a[0], b[0]) and self.same(a[1], b[1]) for a, b in pairs)

    def _in_label_order(self, named: dict[Node, Node], group: Group, *, swapped: bool) -> Truth:
        if len(group.items) != len(named):
            return False
        names = list(named)
        if all(hasattr(name, "name") for name in names):
            names.sort(key=lambda name: getattr(name, "name", ""))
        pairs = [(named[name], item) for name, item in zip(names, group.items, strict=True)]
        return every(self.same(*(pair[::-1] if swapped else pair)) for pair in pairs)

    def _relations(self, gold: Node, given: Node) -> Truth:
        golds, givens = labelled(gold), labelled(given)
        if golds.label is not None and givens.label is not None:
            if labels_agree(golds.label, givens.label):
                return self.same(golds.value, givens.value)
            if not (symbols(golds.value) and symbols(givens.value)):
                self.reached("structure")
                return False
        elif (golds.value, givens.value) != (gold, given) and not (
            isinstance(golds.value, Relation) or isinstance(givens.value, Relation)
        ):
            return self.same(golds.value, givens.value)
        self.reached("structure")
        if is_equation(gold) and is_equation(given):
            return self._equations(gold, given)
        return self._inequalities(gold, given)

    def _equations(self, gold: Node, given: Node) -> Truth:
        assert isinstance(gold, Relation) and isinstance(given, Relation)
        if len(gold.sides) != len(given.sides):
            return False
        if len(gold.sides) > 2 or not all(isinstance(side, EXPRESSIONS) for side in (*gold.sides, *given.sides)):
            return every(self.same(a, b) for a, b in zip(gold.sides, given.sides, strict=True))
        self.reached("algebra")
        return self.proportional(zero_side(gold)[1], zero_side(given)[1], signed=False)

    def _inequalities(self, gold: Node, given: Node) -> Truth:
        one, other = interval(gold), interval(given)
        if one and other:
            return one[0] == other[0] and self.same(one[1], other[1])
        if one and isinstance(given, Group | Join):
            return self.same(one[1], given)
        if other and isinstance(gold, Group | Join):
            return self.same(gold, other[1])
        if not (isinstance(gold, Relation) and isinstance(given, Relation)):
            return False
        if len(gold.sides) != 2 or len(given.sides) != 2:
            pairs = zip(gold.sides, given.sides, strict=False)
            return gold.ops == given.ops and every(self.same(a, b) for a, b in pairs)
        (op, a), (other_op, b) = zero_side(gold), zero_side(given)
        return op == other_op and self.proportional(a, b, signed=op != "!=")

    def proportional(self, one: Node, other: Node, *, signed: bool) -> Truth:
        """Whether two expressions are multiples of each other."""
        found = same_equation(one, other, signed=signed)
        if found is not None or not self.deep:
            return found
        return self.symbolic_ratio(one, other, signed=signed)

    # Sets, intervals, lists, matrices, ratios.

    def _shapes(self, gold: Node, given: Node) -> Truth:
        if isinstance(gold, Join) and isinstance(given, Join):
            return gold.op == given.op and self._matched(gold.parts, given.parts)
        gold, given = _as_matrix(gold, given), _as_matrix(given, gold)
        if isinstance(gold, Matrix) and isinstance(given, Matrix):
            sizes = [[len(row) for row in matrix.rows] for matrix in (gold, given)]
            rows = zip(gold.rows, given.rows, strict=False)
            return sizes[0] == sizes[1] and every(self._ordered(a, b) for a, b in rows)
        if not (isinstance(gold, Group) and isinstance(given, Group)):
            return False
        if len(gold.items) != len(given.items) and "{" not in {gold.opening, given.opening}:
            return False
        if {gold.opening, given.opening} <= {"{", ""} and "{" in {gold.opening, given.opening}:
            if gold.opening == "" and self.policy.braces == "fixed":
                return self._ordered(gold.items, given.items)
            return self._matched(gold.items, given.items)
        if not self._same_brackets(gold, given):
            return False
        if self.policy.order == "free" and gold.closing in {"", "]"}:
            return self._matched(gold.items, given.items)
        return self._ordered(gold.items, given.items)

    def _same_brackets(self, gold: Group, given: Group) -> bool:
        """Brackets distinguish intervals from sets; a list without brackets may also be a tuple."""
        brackets = {gold.opening + gold.closing, given.opening + given.closing}
        allowed = self.policy.brackets
        return len(brackets) == 1 or allowed == "loose" or (allowed == "strict" and brackets == {"", "()"})

    def _ordered(self, golds: Sequence[Node], givens: Sequence[Node]) -> Truth:
        if len(golds) != len(givens):
            return False
        return every(self.same(a, b) for a, b in zip(golds, givens, strict=True))

    def _matched(self, golds: Sequence[Node], givens: Sequence[Node]) -> Truth:
        """Whether each gold item equals some given item, and each given item some gold item."""
        if not golds or not givens:
            return len(golds) == len(givens)
        if max(len(golds), len(givens)) > ITEMS:
            return len(golds) == len(givens) and self._ordered(golds, givens)
        return all_matched([[self.same(a, b) for b in givens] for a in golds])

    def _ratios(self, gold: Node, given: Node) -> Truth:
        """Proportions: 1:2 is 2:4 and 1/2, but 2:1 is not 2; those with a zero, and clock times, part by part."""
        if isinstance(gold, Ratio) and isinstance(given, Ratio):
            if len(gold.parts) != len(given.parts):
                return False
            direct = self._ordered(gold.parts, given.parts)
            if direct is not False or _may_be_clock(gold) or "0" in _texts(gold, given):
                return direct
            firsts = gold.parts[0], given.parts[0]
            rest = zip(gold.parts[1:], given.parts[1:], strict=True)
            return every(self.same(Call("*", (a, firsts[1])), Call("*", (b, firsts[0]))) for a, b in rest)
        ratio, other = (gold, given) if isinstance(gold, Ratio) else (given, gold)
        if not isinstance(ratio, Ratio) or len(ratio.parts) != 2 or not isinstance(other, EXPRESSIONS):
            return False
        if isinstance(other, Num) and other.decimals is None:
            return False
        if _may_be_clock(ratio):
            return isinstance(other, Call) and other.op == "/" and self._ordered(ratio.parts, other.args)
        return self.same(Call("/", ratio.parts), other)


def _single(node: Node) -> Node:
    """A set or list of one is its element."""
    return node.items[0] if isinstance(node, Group) and len(node.items) == 1 else node


def _as_matrix(node: Node, other: Node) -> Node:
    """Rows in brackets as a matrix, or a tuple as a column, where the other side is one."""
    if not isinstance(node, Group) or not isinstance(other, Matrix) or node.opening not in {"[", "("}:
        return node
    rows = [item.items for item in node.items if isinstance(item, Group) and item.opening in {"[", "("}]
    if len(rows) == len(node.items):
        return Matrix(tuple(rows))
    is_column = node.opening == "(" and not rows and all(len(row) == 1 for row in other.rows)
    return Matrix(tuple((item,) for item in node.items)) if is_column else node


def _may_be_clock(ratio: Ratio) -> bool:
    """True if it could be a time of day: then it is not cancelled."""
    hour, *rest = _texts(ratio)
    return hour.isdigit() and int(hour) < 25 and all(part.isdigit() and 10 <= int(part) < 60 for part in rest)


def _texts(*ratios: Ratio) -> list[str]:
    return [str(getattr(part, "value", "?")) for ratio in ratios for part in ratio.parts]


def every(truths: Iterable[Truth]) -> Truth:
    """All of several truths: False as soon as one is, else None if one is unknown."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def any_of(truths: Sequence[Truth]) -> Truth:
    """Any of several truths: True if one is, else None if one is unknown."""
    return True if True in truths else None if None in truths else False


def all_matched(table: Sequence[Sequence[Truth]]) -> Truth:
    """Whether every row and every column of a table of truths has a true entry."""
    return every([*map(any_of, table), *(any_of(column) for column in zip(*table, strict=True))])
