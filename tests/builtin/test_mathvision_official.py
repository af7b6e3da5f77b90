"""MathVision's official scoring, rule by rule, as its published scripts have them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from openvlt import Claim, Example, Trace, Verdict
from openvlt_plugins.mathvision.cleaning import model_answer
from openvlt_plugins.mathvision.numeric import number
from openvlt_plugins.mathvision.official import MathVisionOfficial, equal


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        pytest.param("So I choose B.", "b", id="ends with a letter"),
        pytest.param("So I choose (B).", "b", id="ends with a letter in brackets"),
        pytest.param("B\nBecause ...", "b", id="begins with a letter on its own line"),
        pytest.param("(B)\nBecause ...", "b", id="begins with a letter in brackets"),
        pytest.param("(B) B\nBecause ...", "b", id="begins with both"),
        pytest.param("(C)", "c", id="only a letter in brackets"),
        pytest.param("The area is 12.", "12", id="number after the last 'is'"),
        pytest.param("It is clear that x is 3.5", "3.5", id="the last of several"),
        pytest.param("The answer is seven. I am sure.", "seven", id="phrase, to the end of the sentence"),
        pytest.param("so the final answer is 2x\nwell", "2x", id="phrase, to the end of the line"),
        pytest.param("the correct answer is {D}", "d", id="phrase, letter in braces"),
        pytest.param("the answer should be: D", "d", id="colon dropped"),
        pytest.param("a \\boxed{3} b \\boxed{4}", "4", id="last box"),
        pytest.param("The answer is 5, \\boxed{7}", "7", id="a box keeps the phrase from counting"),
        pytest.param("\\boxed{x = 12}", "12", id="after the last ="),
        pytest.param("\\boxed{\\pi \\approx 3.14}", "3.14", id="after the last approx"),
        pytest.param("\\boxed{12\\text{ cm}}", "12{cm}", id="text command dropped, its content stays"),
        pytest.param("\\boxed{45^\\circ}", "45", id="degrees dropped"),
        pytest.param("\\boxed{45^{\\circ}}", "45", id="braced degrees dropped"),
        pytest.param("\\boxed{7 km}", "7", id="km dropped"),
        pytest.param("\\boxed{7 units}", "7", id="units dropped"),
        pytest.param("\\boxed{12\\%}", "12", id="percent sign dropped"),
        pytest.param("\\boxed{3/4}", "\\frac{3}{4}", id="slash becomes a fraction"),
        pytest.param("\\boxed{0.5}", "\\frac{1}{2}", id="one half"),
        pytest.param("\\boxed{.5}", "\\frac{1}{2}", id="one half without its zero"),
        pytest.param("\\boxed{\\dfrac{3}{4}}", "\\frac{3}{4}", id="dfrac"),
        pytest.param("\\boxed{2\\sqrt3}", "2\\sqrt{3}", id="bare root"),
        pytest.param("\\boxed{\\frac12}", "\\frac12", id="a bare fraction stays"),
        pytest.param("\\boxed{\\frac12\\sqrt2}", "\\frac{1}{2}\\sqrt{2}", id="... unless there is a root"),
        pytest.param("\\boxed{\\left(3,-4\\right)}", "(3,-4)", id="left and right dropped"),
        pytest.param("", "", id="empty"),
    ],
)
def test_what_is_compared(response: str, answer: str) -> None:
    assert model_answer(response) == answer


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("60", "60", True),
        ("B", "b", True),
        ("11 ", "11", True),
        ("0.333", "\\frac{1}{3}", True),
        ("1.5", "\\frac{3}{2}", True),
        ("2.004", "2", True),
        ("2.006", "2", False),
        ("8\\sqrt{3}", "13.856", True),
        ("\\frac{\\pi}{2}", "1.57", True),
        ("1:2", "0.5", True),
        ("$12$", "12", True),
        ("1000", "1,000", True),
        ("2+4+3", "9", True),
        ("2^{10}", "1024", True),
        ("5!", "120", True),
        ("(3,-4)", "(3.00,-4)", True),
        ("(3,-4)", "(-4,3)", False),
        ("[0.5,1]", "[\\frac{1}{2},1]", True),
        ("(a,2)", "(a,2.0)", True),
        ("(1,\\infty)", "(1.0,\\infty)", True),
        ("(1,2)", "[1,2]", False),
        ("x", "y", False),
        ("", "", False),
        ("5", "", False),
        ("12cm", "12", False),
        ("69{degrees}", "69", False),
        ("28\\%", "28", False),
        ("10", "\\frac{10}{0}", False),
    ],
)
def test_equality(gold: str, answer: str, same: bool) -> None:
    assert equal(gold, answer) is same


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.50", 3.5),
        ("--3", 3),
        ("-3^2", -9),
        ("2^3^2", 64),
        ("1/2\\pi", 0.159),
        ("1 1/2", 0.5),
        ("6/2(1+2)", 1),
        ("\\sqrt[3]{27}", 3),
        ("\\frac{1}{2}3", 1.5),
        ("e^{2}", 7.389),
        ("5)cm", 5),
        ("x=5", 5),
        ("\\binom{5}{2}", 10),
        ("2\\%", 0.02),
    ],
)
def test_numbers_as_the_published_grammar_reads_them(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "5cm",
        "\\frac12",
        "1,2",
        "5|",
        "5,",
        "(3",
        "1e5",
        "\\ln2",
        "|3|",
        "__import__('os')",
        "1/0",
        "1" + "0" * 300 + ".5*" + "1" + "0" * 80,
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize("text", ["9" * 100_000, "2^{" * 60 + "2" + "}" * 60, "9^{9^{9^9}}", "500!!", "(" * 200])
def test_hostile_numbers_are_refused_at_once(text: str) -> None:
    assert number(text) is None


@given(st.text("0123456789.+-*/^(){}[]\\frac sqrtpi$,!%=|", max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    assert equal(text, model_answer(text)) in (True, False)


def judge(example: Example, response: str, answer: str | None = None) -> Verdict:
    return MathVisionOfficial().verify(Claim(trace=Trace(think="", answer=answer, raw=response), example=example))


LETTER = Example(id="1", question="?", answer="B", choices=("$21 \\mathrm{~cm}$", "7", "9", "10", "12"))


def test_the_letter_or_its_content_is_right() -> None:
    assert judge(LETTER, "\\boxed{B}").status == "correct"
    assert judge(LETTER, "\\boxed{7}").status == "correct"
    assert judge(LETTER, "\\boxed{7.001}").status == "correct"
    assert judge(LETTER, "\\boxed{C}").status == "incorrect"


def test_an_open_question_may_have_a_letter_for_gold() -> None:
    assert judge(Example(id="59", question="?", answer="C"), "The answer is (C).").status == "correct"


def test_the_published_gold_counts_where_ours_was_mended() -> None:
    mended = Example(id="1", question="?", answer="69", metadata={"gold": "69{degrees}"})
    assert judge(mended, "\\boxed{69}").status == "incorrect"


def test_an_answer_tag_holds_the_response() -> None:
    assert judge(LETTER, "<think>maybe A.</think>\n<answer>B</answer>").status == "correct"


def test_a_stored_answer_counts_where_there_is_no_response() -> None:
    assert judge(LETTER, "", "b").status == "correct"
    assert judge(LETTER, "\\boxed{C}", "b").status == "incorrect"
