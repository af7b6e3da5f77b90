r"""Verdicts on made pairs: ``python tests/benchmarks/verifier_pairs.py [COUNT] [SEED]``.

Makes golds of every type, and for each answers that say the same, as an honest model would write it, and answers that
do not, as a policy in search of reward would. What is wanted follows from how a pair is made, never from the verifiers.
Prints the wrong verdicts and their counts by family, and exits with 1 if there is a wrong accept or more than 2 % of
the right answers are refused.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import cycle, islice
from typing import Any, NamedTuple

from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner

MOST_REFUSED = 0.02


class Pair(NamedTuple):
    """A gold, an answer, and whether it is right."""

    family: str
    gold: str
    said: str
    right: bool
    known: dict[str, Any]


Made = Iterator[tuple[str, str, bool] | tuple[str, str, bool, dict[str, Any]]]
Random = random.Random

SMALL_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
HAN = "零一二三四五六七八九十"
NOUNS = [
    "apples",
    "red marbles",
    "students",
    "small tiles",
    "buses",
    "trees",
    "books on the shelf",
    "votes",
    "wooden sticks",
]
WORDS = ["triangle", "blue whale", "north-east", "photosynthesis", "the left lung", "Paris", "copper wire", "oak tree", "mammal",
         "water vapor", "kinetic energy", "Jupiter", "orange", "convex lens", "river delta"]  # fmt: skip
UNITS = [("cm", "centimeters", "mm", 10), ("m", "metres", "cm", 100), ("kg", "kilograms", "g", 1000), ("km", "kilometers", "m", 1000),
         ("L", "liters", "mL", 1000), ("hours", "h", "minutes", 60), ("N", "newtons", "kN", None), ("s", "seconds", "ms", 1000)]  # fmt: skip

LEAD_INS = ["{}", "{}.", " {} ", "The answer is {}", "The answer is {}.", "**{}**", "Answer: {}", "So the final answer is {}.",
            "Therefore, the answer is {}.", "The correct answer is {}", "答案是{}", "**Answer:** {}"]  # fmt: skip
REMARKS = [
    "{} (see the figure)",
    "{}, because it follows from the figure",
    "{}\n\nExplanation: this follows from the figure.",
]
DENIALS = ["not {}", "anything but {}", "It is not {}", "{} is wrong", "{} isn't right", "everything except {}", "{} is false",
           "definitely not {}", "the wrong answer is {}", "{} is incorrect", "never {}", "不是{}"]  # fmt: skip
SCALES = ["millions", "dozen", "dozens", "thousand", "hundreds", "decades", "billion", "lakh", "crore", "halves", "tenths", "percent off",
          "squared", "cubed", "doubled", "halved", "times as many", "too many", "less than that", "pairs", "kilo", "score", "factorial",
          "fold", "mod 2", "short of it", "or more", "or less", "at most", "and a half", "minus one", "plus one", "centuries"]  # fmt: skip
BOUNDS = ["less than {}", "more than {}", "at least {}", "at most {}", "twice {}", "half of {}", "about half of {}", "minus {}",
          "negative {}", "value ≠ {}", "value < {}", "x > {}", "x ≠ {}", "\\ne {}", "upper bound = {}", "old answer: {}",
          "the square root of {}", "log {}", "1/{}", "\\sqrt{{{}}}", "-{}", "between 0 and {}", "up to {}", "{}!", "{}^2", "{}²",
          "two times {}", "\\log_2 {}", "double: {}", "decoy: {}", "大于{}", "超过{}", "负{}", "半{}"]  # fmt: skip


def spelled(number: int) -> str:
    if number < 16:
        return SMALL_WORDS[number]
    if number < 20:
        return {16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen"}[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f"-{SMALL_WORDS[number % 10]}" if number % 10 else "")
    rest = number % 100
    return f"{SMALL_WORDS[number // 100]} hundred" + (f" and {spelled(rest)}" if rest else "")


def han(number: int) -> str:
    tens, ones = divmod(number, 10)
    return (HAN[tens] if tens > 1 else "") + ("十" if tens else "") + (HAN[ones] if ones or not tens else "")


def fraction(rng: Random) -> Fraction:
    while (value := Fraction(rng.randint(1, 40), rng.randint(2, 30))).denominator == 1:
        pass
    return value


def near(rng: Random, number: int) -> int:
    """Another integer that looks like the number."""
    text = str(abs(number))
    others = {number + 1, number - 1, -number, number * 10, int(text + text[-1]), int(text[::-1]), abs(number) // 10}
    return rng.choice(sorted(others - {number}))


def around(rng: Random, gold: str, same: str) -> Made:
    """A right answer with what may stand around it, and denials of it."""
    yield gold, rng.choice(LEAD_INS).format(same), True
    yield gold, rng.choice(REMARKS).format(same), True
    yield gold, rng.choice(DENIALS).format(same), False


def integers(rng: Random) -> Made:
    n = rng.choice([rng.randint(2, 99), rng.randint(100, 9_999), rng.randint(10_000, 10**7)])
    gold = str(n)
    yield from around(rng, gold, gold)
    for same in (f"{n:,}", f"{n}.0", f"+{n}", f"${n}$", f"\\({n}\\)", f"x = {n}", f"\\text{{{n}}}", f"{2 * n}/2", f"{n} {rng.choice(NOUNS)}",
                 f"{n} in total", f"A total of {n}", f"We get {n}", f"≈ {n}", f"about {n}", f"The number of {rng.choice(NOUNS)} is {n}",
                 f"{n - 3} + 3 = {n}", f"{n},", f"{n} units"):  # fmt: skip
        yield gold, same, True
    for _ in range(2):
        other = near(rng, n)
        for form in ("{}", "The answer is {}", "x = {}", "{} " + rng.choice(NOUNS), "{} + 0"):
            yield gold, form.format(other), False
    for words in rng.sample(SCALES, 6):
        yield gold, f"{n} {words}", False
    for form in rng.sample(BOUNDS, 6):
        yield gold, form.format(n), False
    yield gold, f"{n} or {n + 1}", False
    yield gold, f"{n}, {n + 2}", False
    yield gold, f"{n} {n + 1}", False
    yield gold, f"{n}{rng.randint(0, 9)}", False
    yield gold, f"{n}, wait, {n + 1}", False
    yield gold, f"{n}\n\nActually, the answer is {n + 4}", False
    yield gold, f"{n}.5", False


def signs(rng: Random) -> Made:
    """Marks, operators and notations beside an integer that leave it what it is, or do not."""
    n = rng.randint(11, 990)
    gold = str(n)
    for same in (f"= {n}", f"{n}^1", f"({n})", f"\\displaystyle {n}", f"{n}\\,", f"`{n}`", f"\"{n}\"", f"<b>{n}</b>", f"{n}!".rstrip("!") + " ",
                 "".join(chr(0xFF10 + int(digit)) for digit in gold), f"\\mathbf{{{n}}}", f"\\fbox{{{n}}}", f"\\color{{red}}{{{n}}}", f"|-{n}|", f"{n} \\times 1",
                 f"n = {n}", f"\\therefore {n}", f"- {n} + {2 * n}", f"\\left({n}\\right)", f"{n} \\text{{ in all}}", f"{n} altogether"):  # fmt: skip
        yield gold, same, True
    wrong = [
        "{}\u0336", "<s>{}</s>", "<del>{}</del>", "\\cancel{{{}}}", "\\xcancel{{{}}}", "\\sout{{{}}}", "\\not {}", "\\lnot {}", "¬{}", "!{}", "{}+", "{}-", ">{}", "≥{}",
        "{}≤", "{} |", "{}..999", "{}_2", "{}_{{16}}", "0x{}", "0b{}", "{}i", "{}j", "{}‰", "{} ‰", "{}k", "{}M", "{}bn", "{}-fold", "{}x", "×{}", "*{}", "/{}", "^{}", "_{}",
        "±{}", "∓{}", "√{}", "∛{}", "∑{}", "Δ{}", "∫{}", "1 in {}", "1 out of {}", "{} out of 1000", "{} over 7", "{} divided by 7", "{} to 1", "{}:1", "{}th", "the {}th", "{}-1",
        "5 \\to {}", "5 -> {}", "5 ⇒ {}", "5 \\Rightarrow {}", "5 → {}", "{} \\oplus 3", "{} \\lor 3", "{} \\neq {}", "{} \\approx 5", "{} = 5", "5 = {}", "{}\\infty", "f({})",
        "C({}, 2)", "\\binom{{{}}}{{2}}", "\\ln {}", "\\sin {}", "{}^0", "{}^{{-1}}", "{}^T", "{}!!", "\\lfloor {}.5 + 1 \\rfloor", "{}e1", "{}e-1", "{}\\%\\%", "the reciprocal of {}",
        "the opposite of {}", "{} is too large", "{} is an overestimate", "{} is the old value", "close to but not {}", "almost {} but 5", "{}? No, 5", "{} or so 5", "5 ({})", "{} (5)",
        "{} and 5", "{}; 5", "{}\n5", "5\n{}", "{} & 5", "{}/5", "5·{}", "next after {}", "one more than {}", "one less than {}", "the successor of {}", "the negative of {}",
        "a multiple of {}", "a factor of {}", "{}'s half", "{} halves", "a {}th", "{} ∉ S", "x ∈ {}", "x | {}", "x ∝ {}", "{} mod 7", "{} (mod 7)", "{} \\pmod 7", "{}\\bmod 7",
        "\\sum {}", "\\int {} dx", "\\frac{{d}}{{dx}} {}", "{}''", "{}\\cdot", "{}\\times", "{} \\div", "{} ÷ 2", "\\neg {}", "~~{}~~", "{} ~~{}~~", "{} ⊕ 1", "{}₂", "{}ⁿ", "ⁿ{}",
        "{} to the power of 2", "{} raised to 2", "{} times 2", "{} plus 2", "{} minus 2", "{} less 2", "double {}", "triple {}", "thrice {}", "{} percent of 10", "{}% of 10",
    ]  # fmt: skip
    for form in rng.sample(wrong, 40):
        yield gold, form.replace("{}", gold).replace("{{", "{").replace("}}", "}"), False


def letters(rng: Random) -> Made:
    """A letter of a choice with marks and words beside it, without contents that could be known."""
    right, other = rng.sample("ABCDE", 2)
    known = rng.choice([{}, {"answer_type": "choice"}, {"choices": ("red", "green", "blue", "black", "white")}])
    for same in ("{}", "({})", "{}.", "{})", "[{}]", "$\\boxed{{{}}}$", "\\mathbf{{{}}}", "Answer: {}", "My answer is {}", "the letter {}", "{}!", "`{}`", "“{}”", "<b>{}</b>", "Choice {}",
                 "option ({})", "I would choose {}", "{} is correct", "选项{}", "正确答案是{}", "{}选项", "{}。", "（{}）", "The best choice is {}."):  # fmt: skip
        yield right, same.format(right), True, known
    wrong = [
        "\\overline{{L}}", "\\bar L", "\\neg L", "¬L", "!L", "-L", "L^c", "L^C", "non-L", "no L", "all but L", "L is the distractor", "L is a trap", "the opposite of L", "the letter after L",
        "L+1", "next to L", "M → L", "L → M", "M -> L", "L => M", "L; M", "L\nM", "M\nL", "L, no wait M", "L vs M", "L/M", "L > M", "L ≠", "L \\ne M", "\\cancel{{L}}", "<s>L</s>", "L\u0336",
        "L and not M but rather M", "L would be wrong", "L is second best", "L comes close but M wins", "M (L)", "L (M)", "LL", "L M", "M.L", "L.M", "rule out L", "discard L", "L is out", "L can't be",
        "it can't be L", "L isn't it", "L was my first guess, now M", "M, formerly L", "L ∪ M", "L ∩ M", "L & M", "L|M", "L≈M", "L=M", "L's complement", "Not L but M", "L nor M", "instead of L, M",
        "除L外", "排除L", "不是L", "非L", "L不对", "L或者M", "L和M", "L是错的", "not option L", "L does not fit", "L fails", "M rather than L", "L? M!", "L: M", "L - M",
        "L_2", "L^2", "L!!!M", "neither", "none", "unsure between L and M", "L, M, or neither", "L (crossed out)", "L is crossed out", "Everything other than L",
    ]  # fmt: skip
    for form in rng.sample(wrong, 40):
        yield right, form.replace("L", right).replace("M", other).replace("{{", "{").replace("}}", "}"), False, known


def words_of_numbers(rng: Random) -> Made:
    n = rng.randint(2, 999)
    yield str(n), spelled(n), True
    yield str(n), spelled(n).capitalize() + ".", True
    yield str(n), spelled(n % 998 + 1), False
    yield str(n), spelled(n) + " thousand", False
    yield str(n), f"{spelled(n)} ({n})", True
    yield str(n), f"{spelled(n)} ({n + 1})", False
    yield str(n), f"not {spelled(n)}", False
    if n < 100:
        yield str(n), f"{han(n)}个", True
        yield str(n), han(n), True
        yield str(n), f"第{han(n)}", False
        yield str(n), f"{han(n)}倍", False
        yield str(n), f"{han(n % 98 + 1)}个", False


def decimals(rng: Random) -> Made:
    places = rng.randint(1, 4)
    value = rng.randint(11, 99_999)
    gold = f"{value / 10**places:.{places}f}"
    if gold.endswith("0"):
        return
    yield from around(rng, gold, gold)
    for same in (f"{gold}0", f"-(-{gold})", f"{value}/{10**places}", f"\\frac{{{value}}}{{{10**places}}}", f"{value} \\times 10^{{-{places}}}",
                 f"{gold} cm", f"\\approx {gold}", f"x \\approx {gold}", f"{value}e-{places}", f"= {gold}"):  # fmt: skip
        yield gold, same, True
    for other in (f"-{gold}", f"{gold}1", gold.replace(".", ""), gold.replace(".", ",") if places != 3 else f"{gold}9", f"1{gold}",
                  f"{(value + 1) / 10**places:.{places}f}", f"{value}.{places}", f"{gold} million", f"{gold} ± 1", gold[:-1] + "x"):  # fmt: skip
        yield gold, other, False


def rounded(rng: Random) -> Made:
    places = rng.randint(1, 3)
    step = 10**places
    value = rng.randint(step, 99 * step)
    known = {"answer_type": "float", "precision": places}
    gold = f"{value / step:.{places}f}"
    yield gold, f"{value / step + 0.3 / step:.{places + 3}f}", True, known
    yield gold, f"{value / step - 0.4 / step:.{places + 3}f}", True, known
    yield gold, f"{(value + 1) / step:.{places}f}", False, known
    yield gold, f"{value / step + 0.6 / step:.{places + 3}f}", False, known
    yield gold, f"-{gold}", False, known
    yield gold, "0", False, known
    yield gold, f"{gold} {rng.choice(SCALES)}", False, known


def fractions(rng: Random) -> Made:
    value = fraction(rng)
    a, b = value.numerator, value.denominator
    gold = rng.choice([f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}", f"\\dfrac{{{a}}}{{{b}}}", f"$\\frac{{{a}}}{{{b}}}$"])
    k = rng.randint(2, 9)
    yield from around(rng, gold, f"{a}/{b}")
    for same in (f"\\tfrac{{{a}}}{{{b}}}", f"{a} / {b}", f"{{{a} \\over {b}}}", f"\\frac{{{k * a}}}{{{k * b}}}", f"{a}\\div {b}", f"{a}÷{b}",
                 f"-\\frac{{-{a}}}{{{b}}}", f"\\left(\\frac{{{a}}}{{{b}}}\\right)", f"P = {a}/{b}", f"\\boxed{{\\frac{{{a}}}{{{b}}}}}",
                 f"\\frac{{{a}}}{{{b}}} \\approx {a / b:.3f}", f"{a}/{b} = {k * a}/{k * b}", f"{a}⁄{b}", f"{a / b:.9f}"):  # fmt: skip
        yield gold, same, True
    if a > b:
        yield gold, f"{a // b} {a % b}/{b}", True
        yield gold, f"{a // b}\\frac{{{a % b}}}{{{b}}}", True
        yield gold, f"{a // b} {a % b + b}/{b}", False
    for whole, name in ((n, part) for n in (2, 17) for part in ("and a half", "and one half")):
        yield f"{whole}.5", f"{whole} {name}", True
        yield f"{whole}.5", f"{spelled(whole)} {name}", True
        yield f"{whole}", f"{whole} {name}", False
    for other in (f"{b}/{a}" if a != 1 else f"{a}/{b + 1}", f"-{a}/{b}", f"{a + b}/{b}", f"{a}", f"{b}", f"{a}{b}", f"{a}, {b}", f"{a}/{b}/2",
                  f"{a / b + 0.01:.4f}", f"\\frac{{{a}}}{{{b}}}\\pi", f"({a}, {b})", f"{a}/{b} or {b}/{a}", f"{a}/{b}%", f"{a}-{b}",
                  f"\\frac{{{a}}}{{{b}}} \\approx {a / b + 1:.2f}", f"\\sqrt{{{a}/{b}}}" if a != b else "0"):  # fmt: skip
        yield gold, other, False


def roots(rng: Random) -> Made:
    a, c, d = rng.randint(2, 15), rng.choice([2, 3, 5, 7, 11, 13]), rng.randint(2, 9)
    gold = rng.choice([f"{a}\\sqrt{{{c}}}", f"{a}√{c}", f"${a}\\sqrt{{{c}}}$"])
    value = a * c**0.5
    yield from around(rng, gold, f"{a}\\sqrt{{{c}}}")
    for same in (f"\\sqrt{{{a * a * c}}}", f"{a}\\sqrt{c}", f"{a}*sqrt({c})", f"{a} \\cdot \\sqrt{{{c}}}", f"{a}√{{{c}}}", f"{a}√({c})", f"\\sqrt{{{c}}}\\times {a}",
                 f"{a}\\sqrt{{{c}}} \\approx {value:.2f}", f"{a}\\sqrt{{{c}}} = {value:.4f}...", f"\\frac{{{a * c}}}{{\\sqrt{{{c}}}}}",
                 f"{value:.7f}", f"{a}({c})^{{1/2}}", f"d = {a}\\sqrt{{{c}}}", f"{a}\\sqrt{{{c}}} cm", f"({a - 1}+1)\\sqrt{{{c}}}"):  # fmt: skip
        yield gold, same, True
    for other in (f"{a}\\sqrt{{{c + 1}}}", f"{a + 1}\\sqrt{{{c}}}", f"-{a}\\sqrt{{{c}}}", f"\\sqrt{{{a * c}}}", f"{a}{c}", f"{a}\\sqrt[3]{{{c}}}", f"\\pm {a}\\sqrt{{{c}}}",
                  f"{value + 0.01:.7f}", f"{a}", f"\\sqrt{{{c}}}", f"{a} {c}", f"{a}+\\sqrt{{{c}}}", f"{a}\\sqrt{{{c}}} \\approx {value + 1:.2f}",
                  f"{a}\\sqrt{{{c}}}\\pi", f"\\frac{{{a}}}{{\\sqrt{{{c}}}}}", f"{value:.1f}"):  # fmt: skip
        yield gold, other, False
    gold = f"\\frac{{{a}\\pi}}{{{d}}}"
    for same in (
        f"{a}π/{d}",
        f"\\frac{{{a}}}{{{d}}}\\pi",
        f"{a}\\pi/{d}",
        f"{a} * pi / {d}",
        f"{2 * a}\\pi/{2 * d}",
        f"\\frac{{{a}\\pi}}{{{d}}} \\text{{ cm}}",
    ):
        yield gold, same, True
    for other in (
        f"{a}/{d}",
        f"{d}\\pi/{a}" if a != d else "1",
        f"{a + 1}\\pi/{d}",
        f"{a}\\pi",
        f"{a}\\pi^2/{d}",
        f"{a * 3.14 / d:.2f}",
    ):
        yield gold, other, False


def algebra(rng: Random) -> Made:
    a, b = rng.randint(2, 12), rng.randint(13, 30)
    gold = f"(x+{a})(x-{b})"
    for same in (
        f"x^2-{b - a}x-{a * b}",
        f"(x-{b})(x+{a})",
        f"x^2+{a}x-{b}x-{a * b}",
        f"$x^2-{b - a}x-{a * b}$",
        f"x²-{b - a}x-{a * b}",
    ):
        yield gold, same, True
    for other in (
        f"(x-{a})(x+{b})",
        f"x^2-{a * b}",
        f"x^2+{b - a}x-{a * b}",
        f"(x+{a})(x+{b})",
        f"(y+{a})(y-{b})",
        f"(x+{a})",
        f"x+{a}, x-{b}",
    ):
        yield gold, other, False
    gold = f"y = {a}x + {b}"
    for same in (
        f"y={b}+{a}x",
        f"{a}x - y + {b} = 0",
        f"y - {b} = {a}x",
        f"2y = {2 * a}x + {2 * b}",
        f"f(x) = {a}x + {b}",
        f"{a}x+{b}",
    ):
        yield gold, same, True
    for other in (
        f"y = {a}x - {b}",
        f"y = {b}x + {a}",
        f"x = {a}y + {b}",
        f"y > {a}x + {b}",
        f"y = {a}x",
        f"y = {a}x + {b} + 1",
        f"y \\ne {a}x + {b}",
    ):
        yield gold, other, False
    gold = f"x = {b}"
    for same in (f"{b}", f"x={b}", f"{b} = x", f"x is {b}", f"$x = {b}$", f"2x = {2 * b}"):
        yield gold, same, True
    for other in (
        f"y = {b}",
        f"x = -{b}",
        f"x < {b}",
        f"x \\neq {b}",
        f"x = {b} or x = {a}",
        f"x = {b + 1}",
        f"x^2 = {b}",
        f"x + 1 = {b}",
        f"y value = {b}",
    ):
        yield gold, other, False


def quantities(rng: Random) -> Made:
    unit, long, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 900)
    gold = f"{n} {unit}"
    yield from around(rng, gold, gold)
    for same in (f"{n}{unit}" if unit != "hours" else f"{n}h", f"{n} {long}", f"{n}\\text{{ {unit}}}", f"{n} \\mathrm{{{unit}}}", f"{n}~\\text{{{unit}}}", f"{n}.0 {unit}",
                 f"${n}$ {unit}", f"\\({n}\\) {unit}", str(n), f"The length is {n} {unit}.", f"{n}\\,\\mathrm{{{unit}}}"):  # fmt: skip
        yield gold, same, True
    if factor:
        yield gold, f"{n * factor} {small}", True
        yield gold, f"{n} {small}", False
        yield gold, f"{n * factor} {unit}", False
    for other in (f"{n + 1} {unit}", f"-{n} {unit}", f"{n} {unit}^2", f"{n} cubic {long}", f"{n} dollars", f"{n} per {unit}", f"1/{n} {unit}", f"{n} million {unit}",
                  f"{n} apples", f"{n} {unit} or {n + 1} {unit}", f"more than {n} {unit}", f"{n} {unit} too long", f"less than {n} {unit}"):  # fmt: skip
        yield gold, other, False
    gold = f"{n} cm^2"
    for same in (
        f"{n} cm²",
        f"{n} square centimeters",
        f"{n} \\text{{ cm}}^2",
        f"{n} sq cm",
        f"{n}cm^2",
        f"{n} square units",
        f"{n} \\mathrm{{~cm}}^{{2}}",
    ):
        yield gold, same, True
    for other in (f"{n} cm", f"{n} cm^3", f"{n} m^2", f"{n}^2 cm", f"{n} square meters", f"{n * 100} cm^2"):
        yield gold, other, False


def percents(rng: Random) -> Made:
    n = rng.randint(2, 99)
    gold = rng.choice([f"{n}%", f"{n}\\%", f"{n} %"])
    yield from around(rng, gold, f"{n}%")
    for same in (
        f"{n} percent",
        f"{n}\\%",
        f"{n / 100}",
        f"{n}/100",
        f"{n} per cent",
        f"百分之{n}",
        f"${n}\\%$",
        f"{n}.0%",
    ):
        yield gold, same, True
    for other in (
        f"{n / 100}%",
        f"{n + 1}%",
        f"-{n}%",
        f"{n}% off",
        f"{100 - n}%" if n != 50 else "51%",
        f"{n} per mille",
        f"{n * 100}%",
        f"{n}%%",
        f"more than {n}%",
        f"{n}% or less",
    ):
        yield gold, other, False


def money(rng: Random) -> Made:
    n = rng.randint(2, 900)
    gold = rng.choice([f"${n}", f"\\${n}", f"{n} dollars"])
    for same in (
        f"\\${n}",
        f"{n} dollars",
        f"${n}.00",
        f"USD {n}",
        f"{n}",
        f"US${n}",
        f"{100 * n} cents",
        f"The cost is ${n}",
        f"${n}$ dollars",
    ):
        yield gold, same, True
    for other in (
        f"€{n}",
        f"{n} cents",
        f"${n + 1}",
        f"-${n}",
        f"£{n}",
        f"{n} yen",
        f"${n} million",
        f"${n}k",
        f"${n} or ${n + 5}",
        f"{n} euros",
        f"more than ${n}",
    ):
        yield gold, other, False
    for same in (f"{n}元", f"￥{n}", f"{n} yuan", f"{n}", f"¥{n}", f"{n}人民币"):
        yield f"{n}元", same, True
    for other in (f"{n} yen", f"${n}", f"{n}美元", f"{n + 1}元", f"{n}万元", f"￥{n}0", f"{n}百万元"):
        yield f"{n}元", other, False


def degrees(rng: Random) -> Made:
    n = rng.randint(5, 170)
    gold = rng.choice([f"{n}^\\circ", f"{n}°", f"{n}^{{\\circ}}", f"{n} degrees"])
    for same in (
        f"{n}°",
        f"{n}^\\circ",
        f"{n}",
        f"{n} degrees",
        f"\\angle ABC = {n}^\\circ",
        f"x = {n}°",
        f"{n} deg",
        f"${n}^{{\\circ}}$",
        f"{n}度",
        f"∠A = {n}°",
        f"m∠1 = {n}",
    ):
        yield gold, same, True
    for other in (
        f"{n + 1}°",
        f"{180 - n}°" if n != 90 else "91°",
        f"{n} radians",
        f"-{n}°",
        f"{n}°C",
        f"{n}'",
        f"{n}^0",
        f"{n}0°",
        f"{n} cm",
        f"{n}° or {n + 2}°",
    ):
        yield gold, other, False


def times(rng: Random) -> Made:
    hour, minute = rng.randint(1, 11), rng.randint(10, 59)
    gold = f"{hour}:{minute} {rng.choice(['a.m.', 'am', 'AM'])}"
    for same in (
        f"{hour}:{minute} a.m.",
        f"{hour}:{minute}",
        f"0{hour}:{minute}"[-5:],
        f"{hour}:{minute} AM",
        f"It is {hour}:{minute} am.",
        f"{hour}:{minute} in the morning",
        f"at {hour}:{minute}",
    ):
        yield gold, same, True
    for other in (
        f"{hour}:{minute} p.m.",
        f"{hour}:{minute - 1}",
        f"{hour % 12 + 1}:{minute}",
        f"{hour + 12}:{minute}",
        f"{hour}.{minute}",
        f"{minute}:{hour}",
        f"{hour}",
        f"not {hour}:{minute}",
        f"before {hour}:{minute}",
    ):
        yield gold, other, False


def dates(rng: Random) -> Made:
    day, month, year = rng.randint(13, 28), rng.randint(1, 12), rng.randint(1900, 2024)
    name = MONTHS[month - 1]
    gold = rng.choice([f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}", f"{day} {name} {year}"])
    for same in (f"{name} {day}, {year}", f"{day} {name} {year}", f"{year}-{month:02}-{day:02}", f"{name[:3]} {day}, {year}", f"{day}th of {name} {year}" if day not in (21, 22, 23) else gold,
                 f"{year}/{month}/{day}", f"{month}/{day}/{year}", f"The date is {name} {day}, {year}."):  # fmt: skip
        yield gold, same, True
    for other in (
        f"{name} {day - 1}, {year}",
        f"{name} {day}, {year + 1}",
        f"{MONTHS[month % 12]} {day}, {year}",
        f"{name} {year}",
        f"{name} {day}",
        f"{year}",
        f"before {name} {day}, {year}",
        f"{day}",
    ):
        yield gold, other, False


def ranges(rng: Random) -> Made:
    low, high = sorted(rng.sample(range(1, 400), 2))
    low, high = rng.choice([(low, high), (1950 + low // 10, 1991 + high // 20)])
    gold = rng.choice([f"{low}-{high}", f"{low} to {high}", f"{low}–{high}"])
    for same in (
        f"{low}-{high}",
        f"{low} to {high}",
        f"from {low} to {high}",
        f"{low} – {high}",
        f"between {low} and {high}",
        f"{low}~{high}",
        f"{low}到{high}",
        f"{low} through {high}",
    ):
        yield gold, same, True
    for other in (
        f"{low - high}",
        f"{high}-{low}",
        f"{low}",
        f"{high}",
        f"{low} to {high + 1}",
        f"{low}, {high}",
        f"{low} or {high}",
        f"{low}/{high}",
        f"{low}+{high}",
        f"{low} to",
        f"not {low} to {high}",
    ):
        yield gold, other, False


def sets_and_tuples(rng: Random) -> Made:
    a, b, c = rng.sample(range(2, 60, 2), 3)  # c + 1 is none of them
    gold = f"\\{{{a}, {b}, {c}\\}}"
    for same in (
        f"\\{{{c}, {a}, {b}\\}}",
        f"{{{b}, {a}, {c}}}",
        f"{a}, {b}, {c}",
        f"\\left\\{{{a},{b},{c}\\right\\}}",
        f"S = \\{{{a}, {b}, {c}\\}}",
        f"{a}, {c} and {b}",
    ):
        yield gold, same, True
    for other in (
        f"\\{{{a}, {b}\\}}",
        f"\\{{{a}, {b}, {c}, {c + 1}\\}}",
        f"\\{{{a}, {b}, {c + 1}\\}}",
        f"({a}, {b}, {c})",
        f"{a}",
        f"\\{{{a}+{b}, {c}\\}}",
        f"\\{{{a}{b}, {c}\\}}",
        "\\emptyset",
    ):
        yield gold, other, False
    gold = f"({a}, {b})"
    for same in (
        f"({a},{b})",
        f"\\left({a}, {b}\\right)",
        f"$({a}, {b})$",
        f"{a}, {b}",
        f"(x, y) = ({a}, {b})",
        f"x = {a}, y = {b}",
        f"P({a}, {b})",
        f"({a}.0, {2 * b}/2)",
        f"The point is ({a}, {b})",
    ):
        yield gold, same, True
    for other in (
        f"({b}, {a})",
        f"[{a}, {b}]",
        f"({a}, {b}]",
        f"({a}, {b}, {c})",
        f"\\{{{a}, {b}\\}}",
        f"(-{a}, {b})",
        f"({a}; {b + 1})",
        f"{a}{b}",
        f"{a}",
        f"({a}, {b}) or ({b}, {a})",
        f"x = {b}, y = {a}",
        f"{a}/{b}",
        f"({a}) {b}",
    ):
        yield gold, other, False


def intervals(rng: Random) -> Made:
    low, high = sorted(rng.sample(range(1, 60), 2))
    gold = f"[{low}, {high})"
    for same in (
        f"[{low},{high})",
        f"\\left[{low}, {high}\\right)",
        f"{low} \\le x < {high}",
        f"{low} ≤ x < {high}",
        f"x \\in [{low}, {high})",
        f"x ∈ [{low}, {high})",
        f"{high} > x \\geq {low}",
    ):
        yield gold, same, True
    for other in (
        f"({low}, {high})",
        f"[{low}, {high}]",
        f"({low}, {high}]",
        f"[{low}, {high + 1})",
        f"{low} < x < {high}",
        f"{low}, {high}",
        f"x \\notin [{low}, {high})",
        f"\\{{{low}, {high}\\}}",
        f"[{high}, {low})",
        f"x \\ge {low}",
    ):
        yield gold, other, False
    gold = f"(-\\infty, {low}) \\cup ({high}, \\infty)"
    for same in (
        f"({high}, \\infty) \\cup (-\\infty, {low})",
        f"(-∞, {low}) ∪ ({high}, ∞)",
        f"x < {low} or x > {high}",
        f"(-∞,{low}) U ({high},∞)",
    ):
        yield gold, same, True
    for other in (
        f"({low}, {high})",
        f"(-\\infty, {low}] \\cup ({high}, \\infty)",
        f"(-\\infty, {low}) \\cap ({high}, \\infty)",
        f"(-\\infty, {low})",
        f"{low} < x < {high}",
        "(-\\infty, \\infty)",
    ):
        yield gold, other, False
    gold = f"x > {low}"
    for same in (f"x>{low}", f"{low} < x", f"({low}, \\infty)", f"x \\gt {low}", f"x − {low} > 0"):
        yield gold, same, True
    for other in (
        f"x < {low}",
        f"x \\ge {low}",
        f"x = {low}",
        f"y > {low}",
        f"x > {low + 1}",
        f"x > -{low}",
        f"x ≯ {low}",
        f"[{low}, \\infty)",
        f"{low}",
    ):
        yield gold, other, False


def lists(rng: Random) -> Made:
    values = rng.sample(range(1, 90), 3)
    a, b, c = values
    known = {"answer_type": "list"}
    gold = rng.choice([f"[{a}, {b}, {c}]", f"{a}, {b}, {c}", f"[{a},{b},{c}]"])
    for same in (
        f"{a}, {b}, {c}",
        f"[{a}, {b}, {c}]",
        f"{a}, {b} and {c}",
        f"({a}, {b}, {c})",
        f"{a}; {b}; {c}",
        f"The answer is [{a}, {b}, {c}]",
        f"{a}\n{b}\n{c}",
    ):
        yield gold, same, True, known
    for other in (
        f"{b}, {a}, {c}",
        f"{a}, {b}",
        f"{a}, {b}, {c}, {c}",
        f"{a}, {b}, {c + 1}",
        f"{a}",
        f"{a}{b}{c}",
        f"{a} or {b} or {c + 1}",
        f"[{a}, {b}, -{c}]",
        f"{a + b}, {c}",
        f"not {a}, {b}, {c}",
    ):
        yield gold, other, False, known


def ratios(rng: Random) -> Made:
    a, b = rng.sample([2, 3, 5, 7, 11, 13, 61, 67, 71], 2)
    gold = f"{a}:{b}"
    for same in (f"{a} : {b}", f"{a}:{b}", f"{a}/{b}", f"\\frac{{{a}}}{{{b}}}", f"{a}∶{b}", f"The ratio is {a}:{b}"):
        yield gold, same, True
    for other in (
        f"{b}:{a}",
        f"{a}:{b + 1}",
        f"{a}",
        f"{b}/{a}",
        f"{a}, {b}",
        f"{a}:{b}:1",
        f"not {a}:{b}",
        f"1:{a}:{b}",
    ):
        yield gold, other, False


def science(rng: Random) -> Made:
    a, k = rng.randint(11, 99), rng.randint(4, 12)
    gold = f"{a / 10} \\times 10^{{{k}}}"
    for same in (
        f"{a / 10}\\times 10^{k}" if k < 10 else gold,
        f"{a / 10}e{k}",
        f"{a * 10 ** (k - 1)}",
        f"{a * 10 ** (k - 1):,}",
        f"{a / 10} × 10^{{{k}}}",
        f"{a} \\times 10^{{{k - 1}}}",
        f"{a / 10} \\cdot 10^{{{k}}}",
        f"{a / 10}E+{k:02}",
    ):
        yield gold, same, True
    for other in (
        f"{a / 10}",
        f"{a / 10} \\times 10^{{{k + 1}}}",
        f"{a / 10} \\times 10^{{-{k}}}",
        f"{a / 10} \\times 10",
        f"{a / 10}e{k - 1}",
        f"{(a + 1) / 10} \\times 10^{{{k}}}",
        f"{a / 10}, 10^{{{k}}}",
        f"10^{{{k}}}",
        f"{a / 10}^{{{k}}}",
    ):
        yield gold, other, False


CONTENTS: list[Callable[[Random], list[str]]] = [
    lambda rng: [str(n) for n in rng.sample(range(2, 300), 4)],
    lambda rng: rng.sample(WORDS, 4),
    lambda rng: [f"{n} cm" for n in rng.sample(range(2, 300), 4)],
    lambda rng: [f"$\\frac{{{n}}}{{7}}$" for n in rng.sample([1, 2, 3, 4, 5, 6, 8], 4)],
    lambda rng: [f"({n}, {n + 2})" for n in rng.sample(range(2, 50), 4)],
    lambda rng: [f"{n}\\sqrt{{3}}" for n in rng.sample(range(2, 50), 4)],
    lambda rng: [f"{n}°" for n in rng.sample(range(5, 170), 4)],
    lambda rng: [f"y = {n}x + 1" for n in rng.sample(range(2, 50), 4)],
]


def choices(rng: Random) -> Made:
    contents = rng.choice(CONTENTS)(rng)
    right, wrong = rng.sample(range(4), 2)
    L, M = "ABCD"[right], "ABCD"[wrong]
    own, other = contents[right], contents[wrong]
    known = {"choices": tuple(contents), **rng.choice([{}, {"answer_type": "choice"}])}
    gold = rng.choice([L, f"({L})", own])
    for same in (L, f"({L})", f"{L}.", f"{L})", L.lower(), f"Option {L}", f"\\text{{{L}}}", f"**{L}**", f"The answer is {L}.", f"The correct option is ({L}).", f"{L}. {own}",
                 f"({L}) {own}", f"{L}: {own}", f"{own} ({L})", own, f"The answer is {own}.", f"{L}, because it follows from the figure", f"{L}\n\nExplanation: this follows from the figure.",
                 f"答案是{L}", f"选{L}", f"{L}项", f"故选：{L}", f"I choose {L}", f"So the answer is ({L})", f"**{L}. {own}**", f"{L} is the correct answer.", f"[{L}]"):  # fmt: skip
        yield gold, same, True, known
    for said in (M, f"({M})", f"{M}. {other}", other, f"{L} or {M}", f"{L}, {M}", f"{L} and {M}", f"not {L}", f"({L}) Actually it's {M}", f"{L}. I pick {M}", f"({L}) is eliminated", f"{L} isn't right",
                 f"{L}. {other}", f"{M}. {own}", f"{other} ({L})", f"{L} (or {M})", f"anything except {L}", "ABCD", f"{L}. Final: {M}", f"({L}) contradicts the figure", f"neither {L} nor {M}",
                 f"{own} or {other}", f"{own}, {other}", f"not {own}", f"~~{L}~~", f"{L}{M}", f"I cannot choose {L}", f"{L}? No, {M}", f"It is between {L} and {M}", f"不选{L}", f"{L}或{M}", f"{L}项错误"):  # fmt: skip
        yield gold, said, False, known


def yes_no(rng: Random) -> Made:
    gold, opposite = rng.choice([("yes", "no"), ("no", "yes")])
    known = rng.choice([{}, {"answer_type": "yes_no"}])
    cap, anti = gold.capitalize(), opposite.capitalize()
    for same in (
        gold,
        cap,
        f"{cap}.",
        f"{cap}, the two are the same.",
        f"The answer is {gold}.",
        f"**{cap}**",
        f"\\text{{{cap}}}",
        f"{cap}!",
        f"{cap}, because they are equal.",
        {"yes": "True", "no": "False"}[gold],
        f"{cap}, it is.",
    ):
        yield gold, same, True, known
    for other in (
        opposite,
        anti,
        f"{anti}.",
        f"{gold} or {opposite}",
        f"{cap}. {anti}.",
        f"not {gold}",
        f"{anti}, the two are the same.",
        "maybe",
        "unsure",
        f"{gold}/{opposite}",
        f"{cap} and {opposite}",
        "I cannot tell",
        f"{gold}terday",
        f"The answer is {opposite}.",
        f"{cap}? {anti}.",
        f"{gold}n't",
        f"not really {gold}",
        f"hardly {gold}",
        f"{gold} is wrong",
        f"{cap} would be wrong",
        f"{cap}, but {opposite}",
        f"{gold} → {opposite}",
        f"the opposite of {gold}",
        f"non-{gold}",
        f"~~{gold}~~",
        f"<s>{gold}</s>",
        f"\\cancel{{{gold}}}",
        f"{cap}? I doubt it.",
        f"{cap} is false",
        f"{cap} and {opposite} both",
    ):
        yield gold, other, False, known


def texts(rng: Random) -> Made:
    gold, other = rng.sample(WORDS, 2)
    known = rng.choice([{}, {"answer_type": "text"}])
    for same in (
        gold,
        gold.upper(),
        gold.capitalize(),
        f"{gold}.",
        f"\\text{{{gold}}}",
        f"The answer is {gold}.",
        f'"{gold}"',
        f"**{gold}**",
        f" {gold} ",
        gold.removeprefix("the "),
    ):
        yield gold, same, True, known
    for said in (
        other,
        f"not {gold}",
        f"{gold} or {other}",
        f"{gold}, {other}",
        gold[:-2],
        f"{gold}{other}",
        f"anything but {gold}",
        f"{gold} is wrong",
        f"no {gold}",
        f"non-{gold}",
        f"{other} ({gold})",
        gold[::-1],
        f"anti{gold}",
        f"{gold} and {other}",
        f"un{gold}",
        f"{gold}?!{other}",
        f"former {gold}",
        f"the opposite of {gold}",
        f"~~{gold}~~",
        f"<s>{gold}</s>",
        f"\\cancel{{{gold}}}",
        f"{gold} isn't",
        f"neither {gold}",
        f"rather {other} than {gold}",
        f"{gold}less",
        f"never {gold}",
        f"{other}, not {gold}",
    ):
        yield gold, said, False, known


def ordinals(rng: Random) -> Made:
    n = rng.randint(1, 10)
    digits = f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n, 'th') }"
    for same in (
        digits,
        ORDINALS[n - 1],
        ORDINALS[n - 1].capitalize(),
        f"the {ORDINALS[n - 1]}",
        f"The answer is {digits}.",
    ):
        yield digits, same, True
    for other in (ORDINALS[n % 10], f"{n + 10}th", f"1/{n + 1}", f"not {digits}", f"{digits} or {n + 1}th", "last"):
        yield digits, other, False


def chinese(rng: Random) -> Made:
    n = rng.randint(11, 99)
    gold = str(n)
    for same in (
        f"答案是{n}",
        f"{n}个",
        f"{n}米",
        f"一共{n}个",
        f"半径是{n}",
        f"所以答案为{n}。",
        f"面积：{n}",
        f"{n}度",
        f"共有{n}人",
        f"最终答案：{n}",
        f"结果是{n}",
    ):
        yield gold, same, True
    for other in (
        f"答案不是{n}",
        f"{n}倍",
        f"{n}万",
        f"{n + 1}个",
        f"负{n}",
        f"大于{n}",
        f"{n}以上",
        f"超过{n}个",
        f"{n}分之一",
        f"错误答案：{n}",
        f"{n}的平方",
        f"{n}或{n + 1}",
        f"第{n}",
        f"{n}亿",
        f"至少{n}",
        f"不到{n}",
        f"{n}的一半",
    ):
        yield gold, other, False


def matrices(rng: Random) -> Made:
    a, b, c, d = rng.sample(range(1, 40), 4)
    gold = f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}"
    for same in (
        f"\\begin{{bmatrix}}{a}&{b}\\\\{c}&{d}\\end{{bmatrix}}",
        f"[[{a},{b}],[{c},{d}]]",
        f"A = {gold}",
        f"\\left[\\begin{{array}}{{cc}}{a}&{b}\\\\{c}&{d}\\end{{array}}\\right]",
        f"[[{a}, {b}], [{c}, {d}]]",
    ):
        yield gold, same, True
    for other in (
        f"\\begin{{pmatrix}}{a}&{c}\\\\{b}&{d}\\end{{pmatrix}}",
        f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{d + 1}\\end{{pmatrix}}",
        f"{a}, {b}, {c}, {d}",
        f"\\begin{{vmatrix}}{a}&{b}\\\\{c}&{d}\\end{{vmatrix}}",
        f"[[{a},{b}]]",
        f"-{gold}",
        f"2{gold}",
        f"\\begin{{pmatrix}}{a}&{b}&{c}&{d}\\end{{pmatrix}}",
    ):
        yield gold, other, False


def negatives(rng: Random) -> Made:
    n = rng.randint(2, 999)
    gold = rng.choice([f"-{n}", f"−{n}", f"$-{n}$"])
    for same in (
        f"-{n}",
        f"− {n}",
        f"minus {n}",
        f"negative {n}",
        f"–{n}",
        f"-{n}.0",
        f"\\(-{n}\\)",
        f"x = -{n}",
        f"-({n})",
        f"(-{n})",
        f"{{-{n}}}",
        f"负{n}",
    ):
        yield gold, same, True
    for other in (str(n), f"--{n}", f"-(-{n})", f"|-{n}|", f"\\pm {n}", f"-{n + 1}", f"not -{n}", f"-{n}^2" if n > 1 else "0", f"1-{n}", f"-1/{n}", f"-{n}!", f"(-{n})^2", f"- -{n}", f"-{n} or {n}",
                  f"+{n}", f"-{n}i", f"-{n} thousand", f"minus minus {n}", f"-{n},{n}", f"non-{n}"):  # fmt: skip
        yield gold, other, False


def mixed_numbers(rng: Random) -> Made:
    whole, b = rng.randint(1, 20), rng.randint(3, 15)
    a = rng.randint(1, b - 1)
    gold = rng.choice([f"{whole} {a}/{b}", f"{whole}\\frac{{{a}}}{{{b}}}", f"${whole} \\frac{{{a}}}{{{b}}}$"])
    for same in (
        f"{whole} {a}/{b}",
        f"{whole}\\dfrac{{{a}}}{{{b}}}",
        f"\\frac{{{whole * b + a}}}{{{b}}}",
        f"{whole * b + a}/{b}",
        f"{whole} + {a}/{b}",
        f"{whole} \\tfrac{{{a}}}{{{b}}}",
    ):
        yield gold, same, True
    for other in (f"{whole}{a}/{b}", f"{whole} {a + b}/{b}", f"{whole}", f"{a}/{b}", f"{whole} - {a}/{b}", f"{whole}, {a}/{b}", f"-{whole} {a}/{b}", f"{whole} {b}/{a}" if a > 1 else f"{whole + 1}", f"{whole} \\cdot \\frac{{{a}}}{{{b}}}",
                  f"{whole + 1} {a}/{b}", f"{whole}.{a}/{b}", f"{whole} or {a}/{b}", f"{whole} and not {a}/{b}"):  # fmt: skip
        yield gold, other, False


def plus_minus(rng: Random) -> Made:
    n, c = rng.randint(2, 60), rng.choice([2, 3, 5, 7])
    gold = rng.choice([f"\\pm {n}", f"±{n}", f"x = \\pm {n}", f"{n}, -{n}" if rng.random() < 0 else f"\\pm{n}"])
    for same in (
        f"±{n}",
        f"\\pm{n}",
        f"x = \\pm {n}",
        f"x = {n} or x = -{n}",
        f"\\{{{n}, -{n}\\}}",
        f"{n} or -{n}",
        f"x = -{n}, x = {n}",
        f"{n} and -{n}",
    ):
        yield gold, same, True
    for other in (
        str(n),
        f"-{n}",
        f"±{n + 1}",
        f"\\pm {n}^2",
        f"{n} \\pm 1",
        f"({n}, -{n})" if gold.startswith("x") else f"{n}-{n}",
        f"\\{{{n}\\}}",
        f"x = {n}",
        f"\\pm \\sqrt{{{n}}}",
        f"not ±{n}",
    ):
        yield gold, other, False
    gold = f"{n} \\pm \\sqrt{{{c}}}"
    for same in (
        f"{n}±√{c}",
        f"{n}+\\sqrt{{{c}}}, {n}-\\sqrt{{{c}}}",
        f"\\{{{n}-\\sqrt{{{c}}}, {n}+\\sqrt{{{c}}}\\}}",
        f"x = {n} \\pm \\sqrt{{{c}}}",
    ):
        yield gold, same, True
    for other in (
        f"{n}+\\sqrt{{{c}}}",
        f"-{n} \\pm \\sqrt{{{c}}}",
        f"{n} \\pm {c}",
        f"\\pm({n} + \\sqrt{{{c}}})",
        f"{n} - \\sqrt{{{c}}}",
    ):
        yield gold, other, False


def several(rng: Random) -> Made:
    a, b = rng.sample(range(2, 60, 2), 2)
    gold = f"{a} or {b}"
    for same in (
        f"{b} or {a}",
        f"{a} or {b}",
        f"x = {a} or x = {b}",
        f"\\{{{a}, {b}\\}}",
        f"{a}, {b}",
        f"{a} \\text{{ or }} {b}",
    ):
        yield gold, same, True
    for other in (
        f"{a}",
        f"{b}",
        f"{a} or {b + 1}",
        f"{a} or {b} or {b + 1}",
        f"{a}{b}",
        f"neither {a} nor {b}",
        f"not {a} or {b}",
        f"{a}/{b}",
        f"either {a} or {a + 1}",
    ):
        yield gold, other, False
    gold = f"x = {a}, y = {b}"
    for same in (
        f"x={a}, y={b}",
        f"y = {b}, x = {a}",
        f"x = {a} and y = {b}",
        f"({a}, {b})",
        f"(x, y) = ({a}, {b})",
        f"x={a}; y={b}",
    ):
        yield gold, same, True
    for other in (
        f"x = {b}, y = {a}",
        f"x = {a}",
        f"x = {a}, y = {b + 1}",
        f"({b}, {a})",
        f"x = {a}, y = {b}, z = 1",
        f"x = {a}, z = {b}",
        f"x = {a} + y = {b}",
        f"x ≠ {a}, y = {b}",
    ):
        yield gold, other, False


def durations(rng: Random) -> Made:
    hours, minutes = rng.randint(1, 11), rng.randint(1, 59)
    gold = f"{hours} hours {minutes} minutes"
    for same in (
        f"{hours} h {minutes} min",
        f"{hours}h {minutes}m",
        f"{hours} hours and {minutes} minutes",
        f"{60 * hours + minutes} minutes",
        f"{hours} hr {minutes} min",
        f"{3600 * hours + 60 * minutes} seconds",
    ):
        yield gold, same, True
    for other in (f"{hours} hours", f"{minutes} minutes", f"{hours} hours {minutes + 1} minutes", f"{minutes} hours {hours} minutes" if hours != minutes else "1 s", f"{hours} minutes {minutes} seconds", f"{60 * hours + minutes} hours",
                  f"{60 * hours + minutes + 1} minutes", f"over {hours} hours {minutes} minutes", f"{hours} hours or {minutes} minutes", f"{hours} hours ago"):  # fmt: skip
        yield gold, other, False


def temperatures(rng: Random) -> Made:
    n = rng.randint(2, 98)
    gold = rng.choice([f"{n}°C", f"{n}^\\circ C", f"{n} \\degree C"])
    for same in (
        f"{n}°C",
        f"{n} °C",
        f"{n}^\\circ\\text{{C}}",
        f"{n} degrees Celsius",
        f"{n}℃",
        f"{n}",
        f"{n}^{{\\circ}}\\mathrm{{C}}",
    ):
        yield gold, same, True
    for other in (
        f"{n}°F",
        f"{n} K",
        f"-{n}°C",
        f"{n + 1}°C",
        f"{n} degrees Fahrenheit",
        f"{n} cm",
        f"{n}℉",
        f"above {n}°C",
        f"{n}°C colder",
        f"{n}°C or {n + 1}°C",
    ):
        yield gold, other, False


def stated(rng: Random) -> Made:
    """Numbers whose unit, type or precision the example states."""
    n, m = rng.randint(2, 500), rng.randint(2, 9)
    unit, long, small, factor = rng.choice(UNITS)
    known = {"unit": unit, **rng.choice([{}, {"answer_type": "integer"}])}
    gold = str(n)
    for same in (gold, f"{n} {unit}", f"{n} {long}", f"The answer is {n} {unit}.", f"{n}.0", f"x = {n}"):
        yield gold, same, True, known
    for other in (
        f"{n} dollars",
        f"{n} {unit}^2",
        f"{n + 1} {unit}",
        f"{n} million {unit}",
        f"{n} apples",
        f"not {n}",
        f"{n} degrees",
        *([f"{n} {small}"] if factor else []),
    ):
        yield gold, other, False, known
    if factor:
        yield gold, f"{n * factor} {small}", True, known
    for kind, value in (
        ("integer", f"{n}"),
        ("float", f"{n}.{m}"),
        ("expression", f"{n}\\sqrt{{{m}}}"),
        ("text", "copper wire"),
        ("list", f"{n}, {m}"),
        ("yes_no", "yes"),
    ):
        yield value, value, True, {"answer_type": kind}
        yield value, f"The answer is {value}.", True, {"answer_type": kind}
        yield value, f"not {value}", False, {"answer_type": kind}
        yield value, f"{value} is wrong", False, {"answer_type": kind}
        yield value, "", False, {"answer_type": kind}
        yield value, "I do not know", False, {"answer_type": kind}
        yield value, "...", False, {"answer_type": kind}
        yield value, "0", False, {"answer_type": kind}


def functions(rng: Random) -> Made:
    a, b = rng.randint(2, 9), rng.randint(10, 40)
    gold = rng.choice([f"f(x) = {a}x^2 - {b}", f"f(x)={a}x^{{2}}-{b}"])
    for same in (
        f"{a}x^2-{b}",
        f"f(x)=-{b}+{a}x^2",
        f"y = {a}x^2 - {b}",
        f"f(x) = {a}x² − {b}",
        f"$f(x) = {a}x^{{2}} - {b}$",
        f"f(x) = {a}(x^2) - {b}",
    ):
        yield gold, same, True
    for other in (
        f"{a}x^2+{b}",
        f"f(x) = {a}x - {b}",
        f"g(x) = {a}x^2 - {b}",
        f"f(y) = {a}x^2",
        f"{a}x^3-{b}",
        f"({a}x)^2-{b}",
        f"f'(x) = {a}x^2 - {b}",
        f"f(x) = {b}x^2 - {a}",
        f"f(x) > {a}x^2 - {b}",
        f"1/({a}x^2-{b})",
    ):
        yield gold, other, False
    gold = f"\\sin({a}x) + {b}"
    for same in (
        f"{b} + \\sin {a}x",
        f"\\sin {a}x+{b}",
        f"sin({a}x) + {b}",
        f"\\sin\\left({a}x\\right)+{b}",
        f"\\cos({a}x - \\frac{{\\pi}}{{2}}) + {b}",
    ):
        yield gold, same, True
    for other in (
        f"\\cos({a}x) + {b}",
        f"\\sin({a}x + {b})",
        f"{a}\\sin x + {b}",
        f"\\sin({a}x) - {b}",
        f"\\sin({b}x) + {a}",
        f"\\sin({a}y) + {b}",
        f"\\arcsin({a}x)+{b}",
    ):
        yield gold, other, False
    gold = f"{a} + {b}i"
    for same in (
        f"{b}i + {a}",
        f"{a}+{b}i",
        f"z = {a} + {b}i",
        f"${a}+{b}i$",
        f"{a} + i{b}" if rng.random() < 0 else f"{a}+ {b} i",
    ):
        yield gold, same, True
    for other in (
        f"{a} - {b}i",
        f"{b} + {a}i",
        f"{a} + {b}",
        f"{a + b}i",
        f"({a}, {b})",
        f"{a}{b}i",
        f"-{a} - {b}i",
        f"{a}",
        f"{a} + {b}j^2",
    ):
        yield gold, other, False


FORMULAS = ["H2O", "CO2", "NaHCO3", "Fe2O3", "C6H12O6", "H2SO4", "CaCO3", "NH3", "CH4", "Mg(OH)2"]


def formulas(rng: Random) -> Made:
    gold, other = rng.sample(FORMULAS, 2)
    low = "".join(
        f"_{character}" if character.isdigit() and before.isalpha() | (before == ")") else character
        for before, character in zip(" " + gold, gold, strict=False)
    )
    for same in (
        gold,
        f"\\ce{{{gold}}}",
        f"\\text{{{gold}}}",
        gold.translate(str.maketrans("23456", "₂₃₄₅₆")) if not any(c in gold for c in "1") else gold,
        f"The answer is {gold}.",
    ):
        yield gold, same, True
    if "1" not in gold:
        yield gold, low, True
    for said in (
        other,
        gold.lower(),
        gold.upper() if gold.upper() != gold else "HO",
        f"2{gold}",
        gold[:-1],
        f"{gold} or {other}",
        f"not {gold}",
        f"{gold}, {other}",
        f"{gold}+",
        gold[::-1],
    ):
        yield gold, said, False


def bases(rng: Random) -> Made:
    base = rng.choice([2, 5, 7, 8])
    digits = "1" + "".join(str(rng.randrange(base)) for _ in range(rng.randint(2, 5)))
    gold = f"{digits}_{base}"
    for same in (f"{digits}_{{{base}}}", f"{digits}_{base}", f"${digits}_{{{base}}}$", f"{digits}{'₀₁₂₃₄₅₆₇₈'[base]}"):
        yield gold, same, True
    for other in (
        digits,
        f"{digits}_{base + 1}",
        f"{digits}{base}",
        f"{digits}^{base}",
        f"1{digits}_{base}",
        f"{digits[::-1]}1_{base}",
        f"-{digits}_{base}",
        f"{digits}_",
        f"_{base}",
    ):
        yield gold, other, False


CHANGING = [
    "million",
    "dozen",
    "thousandths",
    "halves",
    "is wrong",
    "isn't it",
    "excluded",
    "times two",
    "not",
    "minus 1",
    "doubled",
    "or more",
    "and a half",
    "is false",
    "percent less",
    "billions",
    "factorial",
]
DRESSES = ["{n} \\text{{ {w}}}", "{n}\\,\\mathrm{{{w}}}", "{n}~\\text{{{w}}}", "{n} **{w}**", "{n} *{w}*", "{n} `{w}`", "{n}-{w}", "{n}\n{w}", "{n} ({w})", "{n}, {w}", "{n}: {w}", "{n} — {w}", "{n} – {w}", "{n}; {w}",
           "{n}. {w}", "${n}$ {w}", "$${n}$$ {w}", "\\boxed{{{n}}} {w}", "\\boxed{{{n} \\text{{ {w}}}}}", "\\textbf{{{n}}} {w}", "{n} \\quad {w}", "**{n}** {w}", "**{n} {w}**", "{n}\t{w}", "{n}\u00a0{w}", "{n}\u200b {w}", "{n} <b>{w}</b>",
           "<b>{n}</b> {w}", "{n} [{w}]", "{n} {{{w}}}", "{n} \"{w}\"", "{n} {W}", "{n} {C}", "The answer is {n} {w}.", "x = {n} {w}", "{n} {w} apples", "{n} {w}.", "{n} cm {w}", "{n} {w} cm", "{n}cm {w}", "{n}.0 {w}", "({n}) {w}", "({n} {w})"]  # fmt: skip
BEFORE = [
    "not",
    "less than",
    "minus",
    "half of",
    "anything but",
    "never",
    "twice",
    "the negative of",
    "no more than",
    "at least",
    "excluding",
    "other than",
    "the square of",
    "wrong:",
    "log of",
    "one over",
    "ten times",
    "all but",
    "unlike",
]
DRESSED = ["\\text{{{w} }}{n}", "\\text{{{w}}} {n}", "\\mathrm{{{w}}}~{n}", "**{w}** {n}", "*{w}* {n}", "{w}\n{n}", "{w}: {n}", "{w}, {n}", "{w} — {n}", "({w}) {n}", "[{w}] {n}", "{w} ${n}$", "{w} \\boxed{{{n}}}", "{W} {n}", "{C} {n}", "The answer is {w} {n}.",
           "x = {w} {n}", "x is {w} {n}", "{w} **{n}**", "{w} ({n})", "{w}\u00a0{n}", "{w}  {n} cm", "The area is {w} {n}", "$\\text{{{w} }}{n}$", "\\boxed{{\\text{{{w} }}{n}}}", "{w} {n} apples", "<b>{w}</b> {n}", "`{w}` {n}", "\"{w}\" {n}"]  # fmt: skip


def dressed(rng: Random) -> Made:
    """Words that change a number, in every notation of words."""
    n = rng.choice([str(rng.randint(2, 9_999)), f"{rng.randint(11, 999) / 10}", f"{rng.randint(2, 30)}\\sqrt{{7}}"])
    for words, dresses in ((CHANGING, DRESSES), (BEFORE, DRESSED)):
        for dress in rng.sample(dresses, 14):
            w = rng.choice(words)
            yield n, dress.format(n=n, w=w, W=w.upper(), C=w.capitalize()), False


LABELS = ["the area", "Surface area", "the total", "value", "x", "The radius", "the number of apples", "maximum value", "the remainder", "slope", "the old man's age", "result", "the final answer",
          "absolute value", "the perimeter of the square", "side length", "the median"]  # fmt: skip
OTHERS = ["old value", "previous value", "twice the area", "half the total", "the overestimate", "mirrored", "sign flipped", "tenfold", "save for", "barring", "besides", "apart from", "contrary to", "versus",
          "instead of", "in place of", "unlike", "neg", "mod", "the answer isn't", "the answer would have been", "the answer used to be", "misread as", "placeholder", "unacceptable", "forbidden", "before squaring", "a wrong value",
          "the answer is not", "the answer cannot be", "naive answer", "first guess", "upper limit", "less than", "the answer times two", "one less than the answer", "decoy", "extraneous root", "spurious solution"]  # fmt: skip
NO_NOUNS = ["initially", "hypothetically", "supposedly", "barring", "besides", "apart from", "instead of", "naive answer", "fake answer", "first guess", "could be", "unattainable", "forbidden", "flipped", "tenfold",
            "mirrored", "misread", "overestimated", "wrongly", "as a lower bound", "at most", "to be doubled", "isn't", "ain't it", "no", "never", "upside down", "short", "too few", "minus one", "hundredths"]  # fmt: skip


def labels(rng: Random) -> Made:
    """Words before a number that name it, or name another, and words behind it that are no counted noun."""
    n = str(rng.randint(11, 9_999))
    for label in rng.sample(LABELS, 6):
        for form in rng.sample(["{} = ", "{}: ", "{} is ", "**{}:** ", "{} is equal to ", "{} equals "], 2):
            yield n, form.format(label) + n, True
    for label in rng.sample(OTHERS, 12):
        yield n, rng.choice(["{} = ", "{}: ", "{} is ", "{} "]).format(label) + n, False
    for words in rng.sample(NO_NOUNS, 8):
        yield n, f"{n} {words}", False


FAMILIES: dict[str, Callable[[Random], Made]] = {
    make.__name__.replace("_", " "): make
    for make in (integers, labels, signs, dressed, words_of_numbers, decimals, rounded, fractions, roots, algebra, quantities, percents, money, degrees, times,
                 dates, ranges, sets_and_tuples, intervals, lists, ratios, science, choices, letters, yes_no, texts, ordinals, chinese, matrices,
                 negatives, mixed_numbers, plus_minus, several, durations, temperatures, stated, functions, formulas, bases)
}  # fmt: skip


def pairs(count: int, seed: int) -> list[Pair]:
    """Different pairs, the families in turn."""
    rng = random.Random(seed)
    found: dict[tuple[object, ...], Pair] = {}
    for name in islice(cycle(FAMILIES), 50 * count):
        for gold, said, right, *known in FAMILIES[name](rng):
            pair = Pair(name, gold, said, right, known[0] if known else {})
            found.setdefault((gold, said, repr(pair.known)), pair)
        if len(found) >= 2 * count:
            break
    return rng.sample([*found.values()], count)


def wrong(made: list[Pair]) -> list[tuple[Pair, str]]:
    """The pairs with a wrong verdict of `answer`, and its reason."""
    claims = [
        Claim(
            trace=Trace(think="", answer=said, raw=said), example=Example(id=str(i), question="", answer=gold, **known)
        )
        for i, (_, gold, said, _, known) in enumerate(made)
    ]
    built = Registry.discover().build("verifier", "answer")
    with VerifierRunner({"answer": built}, format=Format(), workers=1) as runner:
        verdicts = [row["answer"] for row in runner.verdicts(claims)]
    return [
        (pair, f"{verdict.status}: {verdict.reason}")
        for pair, verdict in zip(made, verdicts, strict=True)
        if (verdict.status == "correct") != pair.right
    ]


def main(count: int, seed: int) -> int:
    made = pairs(count, seed)
    found = wrong(made)
    for pair, reason in found:
        what = "refused" if pair.right else "ACCEPTED"
        print(
            what, pair.family, json.dumps([pair.gold, pair.said, pair.known.get("choices")], ensure_ascii=False), reason
        )
    sizes = {want: Counter(pair.family for pair in made if pair.right is want) for want in (True, False)}
    errors = {want: Counter(pair.family for pair, _ in found if pair.right is want) for want in (True, False)}
    print(f"\n{'family':<20}{'right':>8}{'refused':>9}{'wrong':>8}{'accepted':>10}")
    for name in FAMILIES:
        print(
            f"{name:<20}{sizes[True][name]:>8}{errors[True][name]:>9}{sizes[False][name]:>8}{errors[False][name]:>10}"
        )
    refused, accepted = errors[True].total(), errors[False].total()
    print(f"{'all':<20}{sizes[True].total():>8}{refused:>9}{sizes[False].total():>8}{accepted:>10}")
    return int(accepted > 0 or refused > MOST_REFUSED * sizes[True].total())


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*(given + [5_000, 1][len(given) :])))
