"""Compares two trees: by shape first, then by value, and by symbols only if asked to."""

from __future__ import annotations

from collections.abc import Sequence

from openvlt_plugins.answers.comparison.equations import same_equation, zero_side
from openvlt_plugins.answers.comparison.expressions import Expressions
from openvlt_plugins.answers.comparison.policy import Policy
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
    """Decides whether an answer says what the gold says.

    Args:
        policy: how strict to be.
        deep: False leaves what needs the symbolic tier undecided (None); True decides everything.

    Attributes:
        tier: the most expensive tier that was needed: ``text``, ``number``, ``structure``, ``algebra``, ``symbolic``.
    """

    def __init__(self, policy: Policy, *, deep: bool = False) -> None:
        super().__init__(policy, deep=deep)

    def same(self, gold: Node, said: Node) -> Truth:
        """Whether `said` says what `gold` says; None if that takes more and `deep` is False.

        Raises:
            TooLarge: a value passes a limit.
        """
        if gold == said and not self.policy.reduced:
            plain = "text" if isinstance(gold, Words) else "number"
            self.reached("structure" if isinstance(gold, Group | Join | Relation) else plain)
            return True
        return self._same(solutions(gold), solutions(said))

    def _same(self, gold: Node, said: Node) -> Truth:
        if isinstance(gold, Words | Phrase) or isinstance(said, Words | Phrase):
            return self._phrases(gold, said)
        if (pairs := self._labelled_lists(gold, said)) is not None:
            return pairs
        if isinstance(gold, Relation) or isinstance(said, Relation) or interval(gold) or interval(said):
            return self._relations(gold, said)
        gold, said = _single(gold), _single(said)
        if isinstance(gold, Group | Join | Matrix) or isinstance(said, Group | Join | Matrix):
            self.reached("structure")
            return self._shapes(gold, said)
        if isinstance(gold, Ratio) or isinstance(said, Ratio):
            self.reached("structure")
            return self._ratios(gold, said)
        if isinstance(gold, Quantity) or isinstance(said, Quantity):
            return self.quantities(gold, said)
        return self.expressions(gold, said)

    # Words.

    def _phrases(self, gold: Node, said: Node) -> Truth:
        if isinstance(gold, Words) or isinstance(said, Words):
            self.reached("text")
            return isinstance(gold, Words) and isinstance(said, Words) and gold.text == said.text
        golds, saids = phrase_parts(gold), phrase_parts(said)
        return len(golds) == len(saids) and every(self.same(g, s) for g, s in zip(golds, saids, strict=True))

    # Labels and relations.

    def _labelled_lists(self, gold: Node, said: Node) -> Truth:
        """Lists of labelled values, matched by label, or against a tuple in the labels' alphabetical order."""
        golds, saids = by_label(gold), by_label(said)
        if golds is None and saids is None:
            return None
        self.reached("structure")
        if golds is None or saids is None:
            named, bare = (golds, labelled(said).value) if saids is None else (saids, labelled(gold).value)
            if not isinstance(bare, Group) or bare.opening == "{":
                return False
            return self._in_label_order(named or {}, bare, swapped=golds is None)
        if len(golds) != len(saids):
            return False
        if golds.keys() == saids.keys():
            return every(self.same(golds[label], saids[label]) for label in golds)
        pairs = zip(golds.items(), saids.items(), strict=True)
        return every(labels_agree(g[0], s[0]) and self.same(g[1], s[1]) for g, s in pairs)

    def _in_label_order(self, named: dict[Node, Node], group: Group, *, swapped: bool) -> Truth:
        if len(group.items) != len(named):
            return False
        names = list(named)
        if all(hasattr(name, "name") for name in names):
            names.sort(key=lambda name: getattr(name, "name", ""))
        pairs = [(named[name], item) for name, item in zip(names, group.items, strict=True)]
        return every(self.same(*(pair[::-1] if swapped else pair)) for pair in pairs)

    def _relations(self, gold: Node, said: Node) -> Truth:
        golds, saids = labelled(gold), labelled(said)
        if golds.label is not None and saids.label is not None:
            if labels_agree(golds.label, saids.label):
                return self.same(golds.value, saids.value)
            if not (symbols(golds.value) and symbols(saids.value)):
                self.reached("structure")
                return False
        elif (golds.value, saids.value) != (gold, said) and not (
            isinstance(golds.value, Relation) or isinstance(saids.value, Relation)
        ):
            return self.same(golds.value, saids.value)
        self.reached("structure")
        if is_equation(gold) and is_equation(said):
            return self._equations(gold, said)
        return self._inequalities(gold, said)

    def _equations(self, gold: Node, said: Node) -> Truth:
        assert isinstance(gold, Relation) and isinstance(said, Relation)
        if len(gold.sides) != len(said.sides):
            return False
        if len(gold.sides) > 2:
            return every(self.same(g, s) for g, s in zip(gold.sides, said.sides, strict=True))
        if not all(isinstance(side, EXPRESSIONS) for side in (*gold.sides, *said.sides)):
            straight = every(self.same(g, s) for g, s in zip(gold.sides, said.sides, strict=True))
            return straight if straight is not False else False
        self.reached("algebra")
        return self.proportional(zero_side(gold)[1], zero_side(said)[1], signed=False)

    def _inequalities(self, gold: Node, said: Node) -> Truth:
        one, other = interval(gold), interval(said)
        if one and other:
            return one[0] == other[0] and self.same(one[1], other[1])
        if one and isinstance(said, Group | Join):
            return self.same(one[1], said)
        if other and isinstance(gold, Group | Join):
            return self.same(gold, other[1])
        if not (isinstance(gold, Relation) and isinstance(said, Relation)):
            return False
        if len(gold.sides) != 2 or len(said.sides) != 2:
            pairs = zip(gold.sides, said.sides, strict=False)
            return gold.ops == said.ops and every(self.same(g, s) for g, s in pairs)
        (op, a), (other_op, b) = zero_side(gold), zero_side(said)
        return op == other_op and self.proportional(a, b, signed=op != "!=")

    def proportional(self, one: Node, other: Node, *, signed: bool) -> Truth:
        """Whether two expressions are one another's multiple."""
        found = same_equation(one, other, signed=signed)
        if found is not None or not self.deep:
            return found
        return self.symbolic_ratio(one, other, signed=signed)

    # Sets, intervals, lists, matrices, ratios.

    def _shapes(self, gold: Node, said: Node) -> Truth:
        if isinstance(gold, Join) and isinstance(said, Join):
            return gold.op == said.op and self._matched(gold.parts, said.parts)
        if isinstance(gold, Matrix) and isinstance(said, Matrix):
            sizes = [[len(row) for row in matrix.rows] for matrix in (gold, said)]
            rows = zip(gold.rows, said.rows, strict=False)
            return sizes[0] == sizes[1] and every(self._ordered(g, s) for g, s in rows)
        if not (isinstance(gold, Group) and isinstance(said, Group)):
            return False
        if len(gold.items) != len(said.items) and "{" not in {gold.opening, said.opening}:
            return False
        if {gold.opening, said.opening} <= {"{", ""} and "{" in {gold.opening, said.opening}:
            return self._matched(gold.items, said.items)
        if not self._same_brackets(gold, said):
            return False
        if self.policy.order == "free" and gold.closing in {"", "]"}:
            return self._matched(gold.items, said.items)
        return self._ordered(gold.items, said.items)

    def _same_brackets(self, gold: Group, said: Group) -> bool:
        """Brackets tell intervals and sets apart; a bare list also stands for a tuple."""
        brackets = {gold.opening + gold.closing, said.opening + said.closing}
        return len(brackets) == 1 or self.policy.brackets == "loose" or brackets == {"", "()"}

    def _ordered(self, golds: Sequence[Node], saids: Sequence[Node]) -> Truth:
        if len(golds) != len(saids):
            return False
        return every(self.same(g, s) for g, s in zip(golds, saids, strict=True))

    def _matched(self, golds: Sequence[Node], saids: Sequence[Node]) -> Truth:
        """Whether every gold item is among the said ones and every said one among the gold ones."""
        if not golds or not saids:
            return len(golds) == len(saids)
        if max(len(golds), len(saids)) > ITEMS:
            return len(golds) == len(saids) and self._ordered(golds, saids)
        table = [[self.same(g, s) for s in saids] for g in golds]
        rows = every(any_of(row) for row in table)
        return rows if rows is False else every([rows, *(any_of(column) for column in zip(*table, strict=True))])

    def _ratios(self, gold: Node, said: Node) -> Truth:
        """Proportions: 1:2 is 2:4 and 1/2, but 2:1 is not 2; with a zero in it, or as clock times, part by part."""
        if isinstance(gold, Ratio) and isinstance(said, Ratio):
            if len(gold.parts) != len(said.parts):
                return False
            straight = self._ordered(gold.parts, said.parts)
            if straight is not False or _may_be_clock(gold) or "0" in _texts(gold, said):
                return straight
            firsts = gold.parts[0], said.parts[0]
            rest = zip(gold.parts[1:], said.parts[1:], strict=True)
            return every(self.same(Call("*", (g, firsts[1])), Call("*", (s, firsts[0]))) for g, s in rest)
        ratio, other = (gold, said) if isinstance(gold, Ratio) else (said, gold)
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


def _may_be_clock(ratio: Ratio) -> bool:
    """True if it could be a time of day: then it is not cancelled."""
    hour, *rest = _texts(ratio)
    return hour.isdigit() and int(hour) < 25 and all(part.isdigit() and 10 <= int(part) < 60 for part in rest)


def _texts(*ratios: Ratio) -> list[str]:
    return [str(getattr(part, "value", "?")) for ratio in ratios for part in ratio.parts]


def every(found: object) -> Truth:
    """All of several truths: False as soon as one is, else None if one is unknown."""
    unknown = False
    for truth in found:  # type: ignore[attr-defined]
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def any_of(truths: Sequence[Truth]) -> Truth:
    """Any of several truths: True if one is, else None if one is unknown."""
    return True if True in truths else None if None in truths else False
