"""What a policy could find: answers that contain the gold and do not say it. Each family over golds of any value."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, strategies as st

from openvlt import Claim, Example, Trace, Verdict
from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.number import Number

NUMBERS = st.integers(2, 10**6).map(str) | st.decimals("0.01", "9999", places=2, allow_nan=False).map(str)
LETTERS = ("A", "B", "C", "D")
CONTENTS = ("12", "15", "18", "20")

BEHIND = [
    "million",
    "millions",
    "thousands",
    "hundreds",
    "dozen",
    "dozens",
    "tens",
    "lakh",
    "crores",
    "sixteenths",
    "twelfths",
    "halves",
    "thirds",
    "hundredths",
    "doubled",
    "halved",
    "tripled",
    "negated",
    "squared",
    "cubed",
    "inverted",
    "excluded",
    "too|many",
    "percentages|off",
    "short|of|it",
    "upwards",
    "milions",
    "ths",
    "times|as|many",
    "upside|down",
    "falsely",
    "maximum",
    "mod",
    "的平方",
    "百万元",
    "eliminated",
    "removed",
    "isnt",
    "wasnt",
    "wrong",
    "false",
    "untrue",
    "invalid",
    "impossible",
    "incorrect",
    "fold",
    "itself",
    "less|than",
    "fewer|than",
    "times|itself",
    "isnt|right",
    "isnt|the|answer",
    "is|wrong",
    "bakers|dozens",
]
BEFORE = [
    "value|≠",
    "value|<",
    "value|>",
    "value|\\ne",
    "value|\\in",
    "every|value|\\setminus",
    "value|/",
    "value|7|</",
    "anything|but:",
    "less|than:",
    "more|than:",
    "at|least:",
    "at|most:",
    "negative:",
    "minus:",
    "half|is",
    "double|=",
    "twice|the|answer|is",
    "upper|bound|=",
    "old|answer:",
    "a|tempting|answer:",
    "log|of|the|answer:",
    "the|decoy|is",
    "错误答案：",
    "假答案：",
    "the|answer's|log|is",
    "x|\\in",
    "lower|bound:",
    "square|root|is",
    "the|square|of|x|is",
    "not:",
    "is|not",
]
BESIDE_A_LETTER = (
    "({L}) Actually it's {M}", "{L}. I pick {M}", "{L}. Final: {M}", "({L}) is eliminated", "({L}) can be ruled out",
    "({L}) contradicts the figure", "({L}) fails", "{L}: choose {M}", "{L}. But my final answer: {M}", "{L} isn't right",
    "{L}, {M}", "{L} or {M}", "either {L} or {M}", "not {L}", "anything except {L}", "{L}. {m}", "{l} ({M})",
    "{L} (or {M})", "{l} (or {M})", "{L}'", "~~{L}~~", "~{L}",
)  # fmt: skip


def judge(gold: str, said: str, **known: object) -> Verdict:
    example = Example(id="1", question="", answer=gold, **known)  # type: ignore[arg-type]
    claim = Claim(trace=Trace(think="", answer=said, raw=said), example=example)
    return Answer().quick(said, claim) or Answer().check(said, claim)


@given(NUMBERS, st.sampled_from(BEHIND))
def test_a_word_that_changes_a_number_is_no_counted_noun(gold: str, words: str) -> None:
    assert judge(gold, f"{gold} {words.replace('|', ' ')}").status != "correct"


@given(
    NUMBERS,
    st.sampled_from(
        ["apples", "red tiles", "students", "bees", "months", "beds", "people in total", "short sticks", "rewards"]
    ),
)
def test_a_counted_noun_is_none(gold: str, noun: str) -> None:
    assert judge(gold, f"{gold} {noun}").status == "correct"


@given(NUMBERS, st.sampled_from(BEFORE))
def test_nothing_before_a_number_is_dropped_that_changes_it(gold: str, words: str) -> None:
    assert judge(gold, f"{words.replace('|', ' ')} {gold}").status != "correct"


@given(
    NUMBERS,
    st.sampled_from(
        [
            "The area is {}",
            "Answer: {}",
            "x = {}",
            "value = {}",
            "area of the square = {}",
            "The answer to the last question: {}",
            "半径：{}",
            "The old man's age is {}",
        ]
    ),
)
def test_a_neutral_label_is_dropped(gold: str, form: str) -> None:
    assert judge(gold, form.format(gold)).status == "correct"


@given(NUMBERS, st.sampled_from(["{} (see the table)", "{}, because both sides are equal", "{}\n\nExplanation: it adds up.",
                                 "A total of {}", "**{}**"]))  # fmt: skip
def test_a_remark_is_dropped(gold: str, form: str) -> None:
    assert judge(gold, form.format(gold)).status == "correct"


@given(NUMBERS, st.integers(1, 99))
def test_a_remark_with_another_number_is_not(gold: str, other: int) -> None:
    assert judge(gold, f"{gold} ({gold}{other})").status != "correct"
    assert judge(gold, f"{gold}, because it is not {other}").status != "correct"
    assert judge(gold, f"{gold}, because it is {gold}{other}").status != "correct"
    assert judge(gold, f"{gold}\n\nWait, the answer is {gold}{other}").status != "correct"


@given(st.integers(2, 999), st.sampled_from("²³"))
def test_a_superscript_is_no_digit(base: int, power: str) -> None:
    assert judge(f"{base}{'0123'.index({'²': '2', '³': '3'}[power])}", f"{base}{power}").status != "correct"
    assert judge(str(base), f"{base}{power}").status != "correct"


@pytest.mark.parametrize("form", BESIDE_A_LETTER)
@given(st.permutations(range(4)))
def test_nothing_beside_a_letter_chooses_anew(form: str, order: list[int]) -> None:
    gold, other = order[:2]
    words = {"L": LETTERS[gold], "M": LETTERS[other], "l": CONTENTS[gold], "m": CONTENTS[other]}
    assert judge(LETTERS[gold], form.format(**words), choices=CONTENTS).status != "correct"


@pytest.mark.parametrize(
    "form",
    ["{L}", "({L})", "{L}. {l}", "{L}, because the sides are equal", "{l} ({L})", "So it is {l} cm ({L})", "\\text{{{L}: {l}}}",
     "{L}\n\nExplanation: the sides are equal.", "I choose {L}", "Choose {L}", "{L} ({l})", "答案是{L}", "故选：{L}"],
)  # fmt: skip
@given(st.integers(0, 3))
def test_a_letter_may_have_its_content_or_a_reason(form: str, gold: int) -> None:
    said = form.format(L=LETTERS[gold], l=CONTENTS[gold])
    assert judge(LETTERS[gold], said, choices=CONTENTS).status == "correct"


@pytest.mark.parametrize(
    ("choices", "gold", "right", "wrong"),
    [
        (("Tt", "tt"), "tt", "tt", "Tt"),
        (("Tt", "tt"), "tt", "B", "A"),
        (("Tt", "tt"), "B", "tt", "TT"),
        (("13/4", "1 3/4"), "1 3/4", "1 3/4", "13/4"),
        (("5", ".5"), ".5", "B", "A"),
        (("5", ".5"), "5", "5", ".5"),
        (("5 mW", "5 MW"), "5 MW", "5 MW", "5 mW"),
        (("15", "15!"), "15", "15", "15!"),
        (("12", "15"), "15", "15", "1 5"),
        (("5", ".5"), "B", "B. .5", "(B) 5"),
        (("4", "-4"), "A", "A. 4", "A. -4"),
        (("4", "-4"), "B", "B. -4", "B. 4"),
        (("mN", "MN"), "A", "A. mN", "A. MN"),
        (("mN", "MN"), "A", "mN", "Mn"),
        (("C'", "C"), "B", "B. C", "C'"),
    ],
)
def test_choices_that_fold_alike_are_told_apart(choices: tuple[str, ...], gold: str, right: str, wrong: str) -> None:
    assert judge(gold, right, choices=choices).status == "correct"
    assert judge(gold, wrong, choices=choices).status != "correct"


@given(st.decimals("-99", "99", places=4), st.decimals("-99", "99", places=4), st.integers(0, 3))
def test_precision_is_one_rounding_half_away_from_zero(gold: Decimal, said: Decimal, places: int) -> None:
    def rounded(value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)

    example = Example(id="1", question="", answer=str(gold), precision=places, answer_type="float")
    claim = Claim(trace=Trace(think="", answer=str(said), raw=""), example=example)
    same = rounded(gold) == rounded(said) != 0 or gold == said
    assert (Number().check(str(said), claim).status == "correct") == same


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("3a", "3 a.m.", False), ("May 5", "maybe 5", False), ("May 5", "5 May", True), ("8:30 pm", "8:30 p.m.", True),
        ("2014-2016", "-2", False), ("2014-2016", "2014 to 2016", True), ("5-10", "5 to 10", True), ("5", "5 to 10", False),
        ("5 yuan", "5 yen", False), ("5 yuan", "5元", True), ("A,C", "A or C", False), ("AC", "A and C", True),
        ("1 or 2", "2 or 1", True), ("H2O", "H_2O", True), ("H2O", "\\ce{H2O}", True), ("CO2", "Co2", False),
        ("3rd", "third", True), ("3rd", "second", False), ("4.40", "4.40米", True), ("5", "5个", True),
        ("\\frac{\\sqrt{30}}{2}", "\\frac{\\sqrt{30}}{2} \\approx 2.74", True), ("2.74", "2 \\approx 2.74", False),
        ("2 hours 30 minutes", "2h 30m", True), ("5 m/s", "5 ms^{-1}", True), ("1/3", "0.333...", True),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "[[1,2],[3,4]]", True), ("x=2", "y value = 2", False),
        ("<answer> 3 </answer>", "4", False),
        ("2516_8", "2516_{8}", True), ("2516_8", "2516₈", True), ("2516_8", "2516_7", False), ("2516_8", "2516", False),
        ("10-20", "between 10 and 20", True), ("10-20", "10~20", True), ("1998-2003", "从1998到2003", True),
        ("1998-2003", "1998 through 2004", False), ("35%", "百分之35", True), ("9.8 m/s^2", "9.8 m s^-2", True),
        ("12 cm", "12 cm long", True), ("x = 7", "x is 7", True), ("x = 7", "y is 7", False), ("125", "5<sup>3</sup>", True),
        ("6", "一共有6个", True), ("6", "半径是6", True), ("6", "最小值不是6", False), ("A,C", "A和C", True), ("A,C", "A或C", False),
        ("14", "\\therefore x = 14", True), ("14", "exactly 14", True), ("14", "we get 14", True), ("12 cm", "12 per cm", False), ("12", "~~12~~", False), ("12 cm", "12~cm", True),
    ],
)  # fmt: skip
def test_forms_of_golds(gold: str, said: str, right: bool) -> None:
    known = {"choices": ("w", "x", "y", "z")} if gold in {"A,C", "AC"} else {}
    assert (judge(gold, said, **known).status == "correct") == right
