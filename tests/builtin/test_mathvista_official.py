"""MathVista's official scoring, rule by rule; numbers of rules as in its published scripts."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, strategies as st

from openvlt import Claim, Example, Trace, Verdict
from openvlt_plugins.mathvista.distance import levenshtein
from openvlt_plugins.mathvista.official import MathVistaOfficial, normalise

CHOICES = ("135°", "140°", "145°", "150°")


def choice(answer: str = "145°", choices: tuple[str, ...] = CHOICES) -> Example:
    return Example(id="1", question="?", answer=answer, choices=choices, answer_type="choice")


def integer(answer: str = "3") -> Example:
    return Example(id="1", question="?", answer=answer, answer_type="integer")


def decimal(answer: str = "1.2", precision: int | None = 1) -> Example:
    return Example(id="1", question="?", answer=answer, answer_type="float", precision=precision)


def listed(answer: str = "[2014, 2016]") -> Example:
    return Example(id="1", question="?", answer=answer, answer_type="list")


def judge(
    example: Example, response: str, extraction: str | None = None, rule: MathVistaOfficial | None = None
) -> Verdict:
    trace = Trace(think="", answer=extraction, raw=response)
    return (rule or MathVistaOfficial()).verify(Claim(trace=trace, example=example))


@pytest.mark.parametrize(
    ("example", "extraction", "predicted"),
    [
        pytest.param(choice(), "C", "145°", id="letter"),
        pytest.param(choice(), " C ", "145°", id="letter with spaces"),
        pytest.param(choice(), "(c) 999", "145°", id="letter in brackets, upper-cased"),
        pytest.param(choice(), "either (B) or (C)", "140°", id="the first letter in brackets wins"),
        pytest.param(choice(), "c", "135°", id="a lone small letter is no letter: nearest choice"),
        pytest.param(choice(), "(E)", "135°", id="a letter beyond the choices: nearest choice"),
        pytest.param(choice(), "145", "145°", id="nearest choice"),
        pytest.param(choice(), "92.5", "135°", id="of equally near ones the first"),
        pytest.param(choice(), "", "135°", id="nothing is nearest to the first of the shortest"),
        pytest.param(choice("b", ("aaa", "b")), "", "b", id="nothing is nearest to the shortest"),
        pytest.param(choice("B", ("B", "A")), "A", "B", id="a letter is a place even if it is the text of a choice"),
        pytest.param(integer(), "3", "3", id="integer"),
        pytest.param(integer(), "3.9", "3", id="integers are cut, not rounded"),
        pytest.param(integer("-3"), "-3.9", "-3", id="towards zero"),
        pytest.param(integer(), " 3 ", "3", id="integer with spaces"),
        pytest.param(integer(), "3 apples", None, id="no integer"),
        pytest.param(integer(), "", None, id="empty is no integer"),
        pytest.param(integer(), "inf", None, id="infinity is no integer"),
        pytest.param(integer(), "nan", None, id="nan is no integer"),
        pytest.param(decimal(), "1.23", "1.2", id="rounded to one decimal"),
        pytest.param(decimal("1.23", 2), "1.2345", "1.23", id="rounded to two decimals"),
        pytest.param(decimal(), "1", "1.0", id="a whole number becomes a float"),
        pytest.param(decimal(), "2.25", "2.2", id="ties as Python rounds them"),
        pytest.param(decimal(), "1.2 m", None, id="a unit is no float"),
        pytest.param(decimal("1.23", None), "1.2345", "1.23", id="no precision: the decimals of the gold"),
        pytest.param(listed(), "[2014, 2016]", "[2014, 2016]", id="list as text"),
        pytest.param(listed(), "[2014,2016]", "[2014,2016]", id="a list is not read"),
    ],
)
def test_normalisation(example: Example, extraction: str, predicted: str | None) -> None:
    assert normalise(extraction, example) == predicted


def test_texts_must_be_equal() -> None:
    assert judge(choice(), "so it is C", "C").status == "correct"
    assert judge(choice(), "so it is B", "B").status == "incorrect"
    assert judge(listed(), "...", "[2014,2016]").status == "incorrect"


def test_equal_choices_are_either_right() -> None:
    twins = choice("15", ("15", "20", "15", "25"))
    assert judge(twins, "", "A").status == judge(twins, "", "C").status == "correct"


@pytest.mark.parametrize(
    ("example", "response", "status"),
    [
        pytest.param(choice(), "145°", "correct", id="the response is one of the choices"),
        pytest.param(integer("42"), "42", "correct", id="the response is an integer"),
        pytest.param(integer("42"), "42.0", "incorrect", id="a float is no whole integer response"),
        pytest.param(decimal(), "1.24", "correct", id="the response is a float"),
        pytest.param(choice("135°"), "", "correct", id="an empty response is matched to the nearest choice"),
        pytest.param(integer("42"), "It is 42.", "incorrect", id="prose needs a model to extract from it"),
    ],
)
def test_a_response_that_is_nothing_but_the_answer_needs_no_extraction(
    example: Example, response: str, status: str
) -> None:
    assert judge(example, response).status == status


def test_a_stored_extraction_wins_over_the_response() -> None:
    assert judge(integer("42"), "7", "42").status == "correct"
    assert judge(integer("42"), "42", "").status == "incorrect"


def test_quick_extraction_is_off_by_default() -> None:
    said = 'The answer is "C".'
    assert judge(choice(), said).status == "incorrect"
    assert judge(choice(), said, rule=MathVistaOfficial(quick_extract=True)).status == "correct"


def test_empty_extractions_can_be_ignored() -> None:
    assert judge(choice("135°"), "", "", MathVistaOfficial(ignore_empty=True)).status == "incorrect"


def test_a_question_without_a_public_answer_scores_nobody() -> None:
    assert judge(choice(""), "A", "A").score is None


@given(st.text("ab°é ", max_size=12), st.text("ab°é ", max_size=12))
def test_edit_distance_agrees_with_its_definition(a: str, b: str) -> None:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(same, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    assert levenshtein(a, b) == distance(len(a), len(b))


def test_edit_distance_of_a_whole_page_takes_no_time() -> None:
    assert levenshtein("quarter past", "x" * 100_000) == 100_000
