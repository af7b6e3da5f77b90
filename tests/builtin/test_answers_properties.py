"""What holds of every answer: no exception, one verdict, spelling never matters, magnitude always does."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hypothesis import example, given, settings, strategies as st

from openvlt import Claim, Completion, Example, Format, Trace, Verdict, parse
from openvlt_plugins.answers.answer import Answer

settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("quick")

MATHS = "0123456789.,+-*/^_=<>()[]{}|!%:;xyabsincoeπ√°±∞ \\"
NUMBERS = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=500)


def quick(gold: str, said: str) -> Verdict | None:
    return Answer().quick(
        said, Claim(trace=Trace(think="", answer=said, raw=said), example=Example(id="", question="", answer=gold))
    )


def correct(gold: str, said: str) -> bool:
    verdict = quick(gold, said)
    return verdict is not None and verdict.status == "correct"


@given(gold=st.text(max_size=40), said=st.text(max_size=60))
@example(gold="A_", said="")
def test_no_text_raises(gold: str, said: str) -> None:
    assert quick(gold, said) == quick(gold, said)


@given(gold=st.text(alphabet=MATHS, max_size=30), said=st.text(alphabet=MATHS, max_size=30))
def test_no_mathematics_raises(gold: str, said: str) -> None:
    assert quick(gold, said) == quick(gold, said)


@given(st.text(alphabet=MATHS, min_size=1, max_size=25))
def test_what_can_be_read_equals_itself_with_spaces_around(text: str) -> None:
    verdict = quick(text, f"  {text} ")
    assert verdict is None or verdict.status in {"correct", "bad_gold", "unparsed"} or not text.strip()


FRAGMENTS = (
    "\\sqrt",
    "\\frac{1}",
    "-",
    "(",
    "\\{",
    "!",
    "^",
    "1/",
    "sin ",
    "1 and ",
    "\u00b0",
    "P(",
    "x|",
    "5 ft ",
    "$",
    "A, ",
)


@given(st.sampled_from(FRAGMENTS), st.integers(1, 1500), st.sampled_from(("", "1", ")")))
def test_no_repetition_raises(fragment: str, times: int, tail: str) -> None:
    text = fragment * times + tail
    assert not correct("2", text)
    quick(text, "2")


SPELLINGS = (
    lambda text: text.replace("\\frac", "\\dfrac"),
    lambda text: text.replace("(", "\\left(").replace(")", "\\right)"),
    lambda text: text.replace("-", "\u2212"),
    lambda text: text.replace("\\sqrt{", "\\sqrt {"),
    lambda text: text.replace(",", ",\\ ").replace("=", " = "),
    lambda text: f"${text}$",
    lambda text: f"\\({text}\\)",
    lambda text: f" \n{text}\t",
    lambda text: f"\\displaystyle {text}",
)
SHAPES = ("\\frac{%d}{%d}", "(%d, -%d)", "\\{%d, %d\\}", "%d\\sqrt{%d}", "x=%d, y=%d", "[-%d, %d)", "%dx^2-%d", "%d:%d")


@given(st.sampled_from(SHAPES), st.tuples(*[st.integers(2, 99)] * 4), st.sampled_from(SPELLINGS))
def test_spelling_changes_no_verdict(
    shape: str, digits: tuple[int, int, int, int], spelled: Callable[[str], str]
) -> None:
    gold, said = shape % digits[:2], shape % digits[2:]
    verdict = correct(gold, said)
    assert verdict == correct(gold, spelled(said)) == correct(spelled(gold), said) == correct(said, gold)
    assert correct(gold, spelled(gold))


@given(NUMBERS)
def test_a_fraction_equals_its_other_spellings(number: Fraction) -> None:
    top, bottom = abs(number.numerator), number.denominator
    sign = "-" if number < 0 else ""
    gold = f"{sign}{top}/{bottom}"
    assert correct(gold, f"${sign}\\frac{{{top}}}{{{bottom}}}$")
    assert correct(gold, f"{sign}\\dfrac{{{3 * top}}}{{{3 * bottom}}}".replace("-", "\u2212"))
    assert correct(f"{sign}\\frac{{{top}}}{{{bottom}}}", f" {sign} {top} / {bottom} ")


@given(NUMBERS, st.integers(-3, 3).filter(bool))
def test_magnitude_is_never_ignored(number: Fraction, power: int) -> None:
    other = number * Fraction(10) ** power
    if number:
        assert not correct(str(number), str(other))


@given(NUMBERS, NUMBERS)
def test_two_numbers_are_equal_only_if_they_are(one: Fraction, other: Fraction) -> None:
    assert correct(str(one), str(other)) == (one == other)


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=5, unique=True), st.randoms())
def test_sets_have_no_order_and_tuples_have(items: list[int], rng: object) -> None:
    shuffled = items[1:] + items[:1]
    text, other = (", ".join(map(str, row)) for row in (items, shuffled))
    assert correct(f"\\{{{text}\\}}", f"\\{{{other}\\}}")
    assert not correct(f"({text})", f"({other})")


@given(st.lists(st.integers(0, 999), min_size=1, max_size=400), st.integers(0, 999))
@example(decoys=list(range(400)), last=1000)
def test_the_last_answer_wins(decoys: list[int], last: int) -> None:
    text = "".join(f"<answer>{decoy}</answer> \\boxed{{{decoy}}} no, " for decoy in decoys)
    assert parse(Completion(text=f"{text}<answer>\n{last}\n</answer>"), Format()).answer == str(last)
    assert parse(Completion(text=f"{text}\\boxed{{{last}}}".replace("<", "[")), Format()).answer == str(last)


@given(st.sampled_from("ABCDE"), st.lists(st.text("abcdef ", min_size=3), min_size=5, max_size=5, unique=True))
def test_a_letter_equals_its_content(letter: str, contents: list[str]) -> None:
    choices = tuple(f"{index} {content.strip()}" for index, content in enumerate(contents))
    said = choices["ABCDE".index(letter)]
    example = Example(id="", question="", answer=letter, choices=choices)
    for answer in (letter, said, f"{letter}. {said}", f"({letter}) {said}"):
        claim = Claim(trace=Trace(think="", answer=answer, raw=answer), example=example)
        verdict = Answer().quick(answer, claim)
        assert verdict is not None
        assert verdict.status == "correct"
