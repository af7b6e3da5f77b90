"""The answer verifiers accept what says the same as the gold, and nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from answer_areas import AREAS
from answer_pairs import DIFFERENT, SAME

import openvlt
from openvlt import AnswerVerifier, Claim, Example, Trace, Verdict
from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.clock import Time
from openvlt_plugins.answers.lists import List
from openvlt_plugins.answers.math import Math
from openvlt_plugins.answers.multiple_choice import Choice
from openvlt_plugins.answers.number import Number
from openvlt_plugins.answers.words import Text, YesNo

DATA = Path(__file__).parents[3] / "shared" / "data"


def judge(gold: str, said: str, verifier: AnswerVerifier | None = None, **known: Any) -> Verdict:
    example = Example(id="1", question="?", answer=gold, **known)
    claim = Claim(trace=Trace(think="", answer=said, raw=said), example=example)
    return (verifier or Answer()).verify(claim)


def right(gold: str, said: str) -> bool:
    return judge(gold, said).status == "correct"


@pytest.mark.parametrize(("gold", "said"), SAME)
def test_accepts_every_spelling(gold: str, said: str) -> None:
    assert judge(gold, said).status == "correct"


@pytest.mark.parametrize(("gold", "said"), DIFFERENT)
def test_refuses_everything_else(gold: str, said: str) -> None:
    verdict = judge(gold, said)
    assert verdict.status in {"incorrect", "unparsed"}
    assert verdict.score == 0.0


@pytest.mark.parametrize("area", AREAS)
def test_an_area_and_its_near_misses(area: str) -> None:
    refused = [(case.gold, said) for case in AREAS[area] for said in case.same if not right(case.gold, said)]
    accepted = [(case.gold, said) for case in AREAS[area] for said in case.different if right(case.gold, said)]
    assert (refused, accepted) == ([], [])


def test_published_table_has_no_wrong_verdict() -> None:
    table = DATA.parent / "reference" / "benchmarks.md"
    if not table.is_file():
        pytest.skip("the table of published cases is not here")
    wrong = [
        (gold, said)
        for gold, said, equal in _published(table.read_text(encoding="utf-8"))
        if (judge(gold, said).status == "correct") != equal
    ]
    assert wrong == []


def _published(text: str) -> list[tuple[str, str, bool]]:
    long = {
        "digit 1 repeated 10^6 times": "1" * 10**6,
        "300-deep nested \\frac": "\\frac{1}{" * 300 + "1" + "}" * 300,
        "(empty string)": " ",
    }
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) > 10 and cells[0].lstrip("| ").isdigit() and cells[4] in {"yes", "no"}:
            gold, said = (cell.strip("`") if cell.startswith("`") else cell for cell in cells[2:4])
            rows.append((gold, long.get(cells[3].strip("`"), said), cells[4] == "yes"))
    return rows


POLICIES = [
    (Math(), Math(percent="strict"), "28\\%", "28"),
    (Math(digits=6), Math(digits=0), "\\sqrt{2}", "1.41421356"),
    (Math(rounded_gold=True), Math(), "50.27", "16\\pi"),
    (Math(), Math(reduced=True), "1/2", "2/4"),
    (Math(), Math(units="require"), "5 cm", "5"),
    (Math(units="ignore"), Math(), "5 cm", "5 m"),
    (Math(order="free"), Math(), "1, 2", "2, 1"),
    (Math(brackets="loose"), Math(), "[1, 2]", "(1, 2)"),
    (List(order="free"), List(), "[2014, 2016]", "2016, 2014"),
    (Number(tolerance=0.01), Number(), "100", "100.5"),
    (Number(precision=1), Number(), "51.04", "51.0"),
    (Number(truncate=True), Number(), "3", "3.9"),
    (Time(), Time(half="required"), "8:30 p.m.", "8:30"),
    (Time(year="optional"), Time(), "March 1, 2015", "March 1"),
]


@pytest.mark.parametrize(("lenient", "strict", "gold", "said"), POLICIES)
def test_policies_are_options(lenient: AnswerVerifier, strict: AnswerVerifier, gold: str, said: str) -> None:
    assert judge(gold, said, lenient).status == "correct"
    assert judge(gold, said, strict).status == "incorrect"


@pytest.mark.parametrize("said", ["5, or 6", "6 and, or 5", "6,,, and 5", "5,", "or, 5", "5 or"])
def test_odd_separators_end(said: str) -> None:
    assert judge("7", said).status == "incorrect"
    assert judge("5, 6", "5, and 6").status == "correct"


def test_precision_of_the_example_rounds() -> None:
    assert judge("1.2", "1.24", answer_type="float", precision=1).status == "correct"
    assert judge("1.2", "1.26", answer_type="float", precision=1).status == "incorrect"


def test_unit_of_the_example_counts() -> None:
    assert judge("5", "5 cm", unit="cm").status == "correct"
    assert judge("5", "50 mm", unit="cm").status == "correct"
    assert judge("5", "5 m", unit="cm").status == "incorrect"


SHAPES = ("red", "blue", "8/11", "red", "12 cm")


@pytest.mark.parametrize("said", ["C", "(c)", "C. 8/11", "8/11", "\\frac{8}{11}", "The answer is C", "Option C: 8/11"])
def test_choice_by_letter_or_content(said: str) -> None:
    assert judge("C", said, choices=SHAPES).status == "correct"
    assert judge("8/11", said, choices=SHAPES).status == "correct"


@pytest.mark.parametrize("said", ["B", "C or D", "A, B, C, D", "C. blue", "blue", "none", "cyan", "C and D", "ABCDE"])
def test_choice_refuses_others_and_soup(said: str) -> None:
    assert judge("C", said, choices=SHAPES).status == "incorrect"


LETTERS = ("a", "b", "c", "d", "none of them")
TIMES = ("2:50 P.M.", "2:10 P.M.", "11:55 A.M.")


@pytest.mark.parametrize(
    ("gold", "said", "choices"),
    [
        ("C", "C 8/11", SHAPES),
        ("C", "**(C)** 8/11", SHAPES),
        ("C", "\uff23\u30018/11", SHAPES),
        ("C", "C is the correct answer", SHAPES),
        ("C", '"C"', SHAPES),
        ("B", "a blue", SHAPES),
        ("B", "2:10 pm", TIMES),
        ("C", "C) $M$ and $T$", ("$L$ and $M$", "$K$ and $R$", "$M$ and $T$")),
        ("A, C", "AC", ()),
    ],
)
def test_choice_in_the_dresses_models_give_it(gold: str, said: str, choices: tuple[str, ...]) -> None:
    assert judge(gold, said, choices=choices).status == "correct"


@pytest.mark.parametrize(
    ("gold", "said", "choices"),
    [
        ("C", "(C)(B)", SHAPES),
        ("C", "C blue", SHAPES),
        ("C", "C is incorrect", SHAPES),
        ("B", "2:10 am", TIMES),
        ("A", "A, B, C, D, E", LETTERS),
        ("A, C", "A", ()),
        ("A, C", "ABC", ()),
    ],
)
def test_choice_with_something_else_beside_it(gold: str, said: str, choices: tuple[str, ...]) -> None:
    assert judge(gold, said, choices=choices).status == "incorrect"


SOUPS = (
    "(A) 10 (B) 12 (C) 14 (D) 16", "A. 10\nB. 12\nC. 14\nD. 16", "A. 10, B. 12", "(A) 10 or (B) 12", "A. 10 or B. 12",
    "(A) 10, or perhaps C", "(A) 10 or 14", "A: or B", "A. Or B. Or C.", "A, but B is also right", "(A) is wrong",
    "(A) 10 is wrong", "A. not 10", "A, no wait, C", "A. Actually C.", "The answer is (A) 10 or (B) 12.",
    "A: I guess, but it could be B", "(A) is not the answer",
)  # fmt: skip


@pytest.mark.parametrize("said", SOUPS)
def test_a_right_letter_in_front_hides_nothing_behind_it(said: str) -> None:
    assert judge("A", said, choices=("10", "12", "14", "16")).status == "incorrect"


# Without the choices nobody knows that 14 is one, or that "not 10" is none.
@pytest.mark.parametrize("said", sorted({*SOUPS} - {"(A) 10 or 14", "A. not 10", "(A) 10 is wrong"}))
def test_nor_does_it_where_the_choices_are_not_known(said: str) -> None:
    assert judge("A", said).status == "incorrect"


@pytest.mark.parametrize("said", ["A - 10", "A. 10, since it is even", "(A) 10.", "A: the smallest", "A) 10 cm"])
def test_what_stands_behind_a_letter_may_explain_it(said: str) -> None:
    assert judge("A", said, choices=("10", "12", "14", "16")).status == "correct"


def test_choices_with_one_content_are_one() -> None:
    assert judge("A", "D", choices=SHAPES).status == "correct"
    assert judge("D", "red", choices=SHAPES).status == "correct"


def test_gold_that_cannot_be_read_is_nobodys_fault() -> None:
    for verdict in (
        judge("\\frac{1}{", "1", Math()),
        judge("", "1", Math()),
        judge("many", "1", Number()),
        judge("green", "A", Choice(), choices=("red", "blue")),
        judge("perhaps", "yes", YesNo()),
        judge(" ", "x", Text()),
        judge("soon", "8:30", Time()),
        judge("[]", "1", List()),
    ):
        assert (verdict.status, verdict.score, verdict.cause) == ("bad_gold", None, "gold")


def test_verdict_names_the_tier_that_decided() -> None:
    pairs = {"text": ("7", "7"), "number": ("1/2", "0.5"), "structure": ("(1,2)", "(1,3)"), "algebra": ("x+y", "y+x")}
    assert {tier: judge(*pair).tier for tier, pair in pairs.items()} == {tier: tier for tier in pairs}
    assert judge("\\sin 2x", "2\\sin x\\cos x").tier == "symbolic"


def test_quick_leaves_symbols_to_the_worker_and_imports_no_sympy() -> None:
    code = (
        "import sys\n"
        "from openvlt import Claim, Example, Trace\n"
        "from openvlt_plugins.answers.answer import Answer\n"
        "def quick(gold, said):\n"
        "    trace = Trace(think='', answer=said, raw=said)\n"
        "    return Answer().quick(said, Claim(trace=trace, example=Example(id='', question='', answer=gold)))\n"
        "assert quick('1/2', '0.5').status == quick('(x+1)^2', 'x^2+2x+1').status == 'correct'\n"
        "assert quick(r'\\sin 2x', r'2\\sin x\\cos x') is None\n"
        "assert not {'sympy', 'pint', 'numpy'} & set(sys.modules), 'heavy import'\n"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True)


def _golds() -> list[tuple[str, dict[str, Any]]]:
    verse = json.loads((DATA / "mathverse/testmini_text_only.json").read_text(encoding="utf-8"))
    vision = (DATA / "mathvision/testmini.jsonl").read_text(encoding="utf-8").splitlines()
    vista = json.loads((DATA / "mathvista/testmini.json").read_text(encoding="utf-8")).values()
    found = [(row["answer"], {}) for row in verse]
    found += [(row["answer"], {"choices": tuple(row["options"])}) for row in map(json.loads, vision)]
    return found + [(row["answer"], {"choices": tuple(row["choices"] or ())}) for row in vista]


def _columns() -> list[dict[str, Any]]:
    """Every gold of the data, with what is known beside it, as the columns of a reward."""
    vista = json.loads((DATA / "mathvista/testmini.json").read_text(encoding="utf-8")).values()
    tables = json.loads((DATA / "tabmwp/problems_dev400.json").read_text(encoding="utf-8")).values()
    cases = map(json.loads, (DATA / "verifier/cases.jsonl").read_text(encoding="utf-8").splitlines())
    rows = [{"answer": gold, **known} for gold, known in _golds()] + [*vista, *tables]
    rows += [{**case, "answer": case["gold"]} for case in cases if case["gold"]]
    keys = ("answer", "choices", "answer_type", "precision", "unit")
    return [*{str(row): row for row in ({key: row.get(key) for key in keys} for row in rows)}.values()]


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("marked", ["<answer>{}</answer>", "\\boxed{{{}}}"])
def test_the_reward_of_every_real_gold_is_one(marked: str) -> None:
    rows = _columns()
    said = [marked.format(row["answer"]) for row in rows]
    known = {key: [row[key] for row in rows] for key in rows[0]}
    scores = openvlt.reward({"answer": 1.0})(prompts=["?"] * len(rows), completions=said, **known)
    assert [row for row, score in zip(rows, scores, strict=True) if score != 1.0] == []


@pytest.mark.skipif(not DATA.is_dir(), reason="the benchmarks' annotations are not here")
def test_every_real_gold_is_read_and_equals_itself_respelled() -> None:
    def respelled(gold: str) -> list[str]:
        latex = gold.replace("\\frac", "\\dfrac").replace("\\mathrm", "\\text").replace("^\\circ", "\u00b0")
        return [f" {gold}\n", latex, gold.replace("-", "\u2212"), gold.replace("(", "\\left(").replace(")", "\\right)")]

    refused = [
        (gold, said)
        for gold, known in {str(pair): pair for pair in _golds()}.values()
        for said in respelled(gold)
        if judge(gold, said, **known).status != "correct"
    ]
    # one MathVista question lists (a) to (e) out of order: "(b)" is a letter and another choice's content
    assert {gold for gold, _ in refused} <= {"(b)"}


def test_same_verdict_whoever_asks() -> None:
    claim = Claim(
        trace=Trace(think="", answer="0.5", raw="0.5"), example=Example(id="1", question="?", answer="\\frac12")
    )
    first = Answer().verify(claim)
    assert Answer().verify(replace(claim, group="other")) == first == Math().verify(claim)


@pytest.mark.parametrize(
    ("gold", "said", "status"),
    [
        ('["cat", "dog", "owl"]', "- cat\n- dog\n- owl", "correct"),
        ('["cat", "dog", "owl"]', "* **cat**\n* dog\n\n* owl\n", "correct"),
        ('["cat", "dog", "owl"]', "1. cat\n2. dog\n3. owl", "correct"),
        ('["cat", "dog", "owl"]', '```json\n["cat", "dog", "owl"]\n```', "correct"),
        ('["cat", "dog", "owl"]', "1. cat\n3. dog\n2. owl", "incorrect"),
        ('["cat", "dog", "owl"]', "- cat\n- dog\n- owl\n- cow", "incorrect"),
        ("[15, 3]", "1) 15\n2) 3", "correct"),
        ("[-15, -3]", "- 15\n- 3", "correct"),
        ("[15, 3]", "- 15\n- 3", "incorrect"),
        ("[1.15, 2.3]", "1.15\n2.3", "correct"),
        ("[15, 3]", "1.15\n2.3", "incorrect"),
    ],
)
def test_lists_in_markdown(gold: str, said: str, status: str) -> None:
    assert judge(gold, said, List()).status == status
