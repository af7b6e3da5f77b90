"""The options of the answer verifiers, as `answer` passes them on, and forms of answers that no option concerns."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest

from openvlt import Claim, Example, Trace, Verdict
from openvlt.registry import Registry
from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.reading import TieredVerifier


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("['24/7', '3.429']", "3.429", True),
        ('["24/7", "3.429"]', "\\frac{24}{7}", True),
        ("['24/7', '3.429']", "3", False),
        ("['Japan']", "japan", True),
        ("12", "12", True),
        ("[1, 2]", "1", False),
        ("['a', 1]", "a", False),
    ],
)
def test_any_of_several_golds_is_right_where_the_option_says_so(gold: str, said: str, right: bool) -> None:
    assert (judge(gold, said, {"golds": "any"}).status == "correct") == right
    assert judge("['24/7', '3.429']", said).status == "bad_gold"


def judge(gold: str, said: str, options: dict[str, Any] | None = None, **known: Any) -> Verdict:
    example = Example(**{"id": "1", "question": "", "answer": gold, **known})
    claim = Claim(trace=Trace(think="", answer=said, raw=said), example=example)
    verifier = Answer(**options or {})
    return verifier.quick(said, claim) or verifier.check(said, claim)


@pytest.mark.parametrize(
    ("option", "gold", "said", "known"),
    [
        ({"unevaluated": "refuse"}, "7006652", "1234 \\times 5678", {}),
        ({"unevaluated": "refuse"}, "4", "2+2", {"answer_type": "integer"}),
        ({"unevaluated": "refuse"}, "1, 4", "1, 2+2", {"answer_type": "list"}),
        ({"unevaluated": "refuse"}, "B", "2+2", {"choices": ("3", "4")}),
        ({"unevaluated": "refuse"}, "4", "\\sqrt{16}", {}),
        ({"unevaluated": "refuse"}, "x = 120", "5!", {}),
        ({"braces": "fixed"}, "2, 1", "\\{1, 2\\}", {}),
        ({"percent": "whole"}, "0.5%", "0.5", {}),
        ({"percent": "strict"}, "28%", "28", {"answer_type": "float"}),
        ({"percent": "strict"}, "28%, 3", "28, 3", {"answer_type": "list"}),
        ({"units": "require"}, "5 cm", "5", {"answer_type": "integer"}),
        ({"nouns": "known"}, "5", "5 apples", {}),
        ({"nouns": "known"}, "5", "5 apples", {"question": "How many pears are left?"}),
        ({"nouns": "known"}, "5", "5 apples", {"answer_type": "integer"}),
        ({"nouns": "known"}, "5, 6", "5 apples, 6", {"answer_type": "list"}),
        ({"nouns": "known"}, "B", "5 apples", {"choices": ("4", "5")}),
    ],
)
def test_an_option_reaches_every_verifier(option: dict[str, str], gold: str, said: str, known: dict[str, Any]) -> None:
    assert judge(gold, said, **known).status == "correct"
    assert judge(gold, said, option, **known).status == "incorrect"


@pytest.mark.parametrize(
    ("option", "gold", "said", "known"),
    [
        ({"unevaluated": "refuse"}, "7006652", "7.006652 \\times 10^6", {}),
        ({"unevaluated": "refuse"}, "7006652", "1234 \\times 5678 = 7006652", {}),
        ({"unevaluated": "refuse"}, "2^{10}", "2^{10}", {}),
        ({"unevaluated": "refuse"}, "0.75", "\\frac{3}{4}", {}),
        ({"unevaluated": "refuse"}, "2\\sqrt{3}", "\\sqrt{12}", {}),
        ({"unevaluated": "refuse"}, "12\\pi", "-(-12)\\pi", {}),
        ({"braces": "fixed"}, "2, 1", "\\{2, 1\\}", {}),
        ({"braces": "fixed"}, "\\{2, 1\\}", "1, 2", {}),
        ({"percent": "whole"}, "28%", "28", {}),
        ({"percent": "whole"}, "0.5%", "0.005", {}),
        ({"nouns": "known"}, "5", "5 red apples", {"question": "How many apples are left?"}),
        ({"nouns": "known"}, "5", "5 apples", {"unit": "apples"}),
        ({"nouns": "known"}, "5 apples", "5 apples", {}),
        ({"nouns": "known"}, "5", "5 cm", {}),
    ],
)
def test_what_an_option_leaves(option: dict[str, str], gold: str, said: str, known: dict[str, Any]) -> None:
    assert judge(gold, said, option, **known).status == "correct"


def test_every_shared_option_is_part_of_the_identity_and_of_every_verifier() -> None:
    registry, hints = Registry.discover(), get_type_hints(TieredVerifier)
    plain = registry.build("verifier", "answer").identity
    for option in fields(TieredVerifier):
        values = (0.5 if value is float else value for value in (*get_args(hints[option.name]), True))
        other = next(value for value in values if value != option.default)
        assert registry.build("verifier", {"use": "answer", option.name: other}).identity != plain
        for answer_type in ("choice", "integer", "float", "list", "expression", "relaxed"):
            claim = Claim(trace=Trace(think="", answer="2", raw=""), example=Example(
                id="1", question="", answer="2", answer_type=answer_type))  # fmt: skip
            routed = Answer(**{option.name: other}).route("2", claim)
            assert getattr(routed, option.name) == other


def test_a_verdict_depends_on_the_question_only_where_its_nouns_or_its_margin_count() -> None:
    assert Answer().context_free and Answer(margin=0.1).context_free
    assert not Answer(nouns="known").context_free and not Answer(margin="error").context_free


@pytest.mark.parametrize(
    ("margin", "gold", "said", "right", "known"),
    [
        (0.001, "2.0944", "2.095", True, {"answer_type": "float"}),
        (0.001, "2.0944", "2.096", False, {"answer_type": "float"}),
        (0.1, "0.3", "0.4", True, {}),
        (0.1, "0", "0.1", True, {}),
        (0.001, "1.571", "\\frac{\\pi}{2}", True, {}),
        (0.001, "\\frac{\\pi}{2}", "1.571", True, {}),
        (0.001, "1.6", "\\frac{\\pi}{2}", False, {}),
        (0.1, "21.5, 34", "21.45, 34", True, {}),
        (1.0, "B", "3.0005", False, {"choices": ("3.0001", "3.0002")}),
        ("error", "21.5", "21.45", True, {"metadata": {"error": "1e-1"}}),
        ("error", "21.5", "21.45", True, {"metadata": {"error": "1e-1,1e-2"}}),
        ("error", "21.5", "21.45", False, {"metadata": {"error": None}}),
        ("error", "21.5", "21.45", False, {"metadata": {"error": "inf"}}),
        ("error", "21.5", "21.45", False, {}),
    ],
)
def test_a_margin_is_an_absolute_error(
    margin: float | str, gold: str, said: str, right: bool, known: dict[str, Any]
) -> None:
    assert (judge(gold, said, {"margin": margin}, **known).status == "correct") == right


@pytest.mark.parametrize(
    ("gold", "said", "right", "known"),
    [
        ("6", "6 decades", False, {}), ("60 years", "6 decades", True, {}), ("6", "6 decades", True, {"unit": "decades"}),
        ("29", "29 kilo", False, {}), ("29", "29 kilos", True, {}), ("14", "~14", True, {}), ("5", "No. 5", False, {}),
        ("2/3", "two third parties", False, {}), ("2/3", "two thirds", True, {}), ("2/3", "two-third", True, {}),
        ("A", "2,3", False, {"choices": ("(2,3)", "4")}), ("A", "(2, 3)", True, {"choices": ("(2,3)", "[2,3]")}),
        ("6", "六个", True, {}), ("12", "十二", True, {}), ("2/3", "三分之二", True, {}), ("5 km", "五千米", True, {}),
        ("6", "六倍", False, {}), ("6", "第六", False, {}), ("6", "五个", False, {}), ("120", "一百二十", True, {}),
        ("18", "18 in all", True, {}), ("18", "18 people in total", True, {}), ("18", "19 in all", False, {}),
        ("50元", "￥50", True, {}), ("50 yen", "￥50", True, {}), ("50元", "50 yen", False, {}), ("50元", "￥51", False, {}),
        ("C", "C项", True, {}), ("C", "选C项", True, {}), ("C", "C项错误", False, {}), ("C", "D项", False, {}),
        ("\\frac{\\sqrt7}{3}", "\\sqrt7/3 = 0.8819...", True, {}), ("\\frac{\\sqrt7}{3}", "\\sqrt7/3 = 0.8919...", False, {}),
        ("8/9", "0.8819...", False, {}), ("8/9", "0.88...", True, {}), ("1/6", "0.1666...", True, {}),
        ("\\sqrt{2}", "1.41421356...", True, {}),
    ],
)  # fmt: skip
def test_forms_of_answers(gold: str, said: str, right: bool, known: dict[str, Any]) -> None:
    assert (judge(gold, said, **known).status == "correct") == right
