"""Pairs with numbers: in digits, words and signs, with units, labels and nouns."""

# fmt: off

from __future__ import annotations

from fractions import Fraction

from pairs_forms import NOUNS, SCALES, Made, Random, around, forms

SMALL_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
HAN = "零一二三四五六七八九十"
BOUNDS = [
    "less than {}", "more than {}", "at least {}", "at most {}", "twice {}", "half of {}", "about half of {}",
    "minus {}", "negative {}", "value ≠ {}", "value < {}", "x > {}", "x ≠ {}", "\\ne {}", "upper bound = {}",
    "old answer: {}", "the square root of {}", "log {}", "1/{}", "\\sqrt{{{}}}", "-{}", "between 0 and {}", "up to {}",
    "{}!", "{}^2", "{}²", "two times {}", "\\log_2 {}", "double: {}", "decoy: {}", "大于{}", "超过{}", "负{}", "半{}",
]
CHANGING = [
    "million", "dozen", "thousandths", "halves", "is wrong", "isn't it", "excluded", "times two", "not", "minus 1",
    "doubled", "or more", "and a half", "is false", "percent less", "billions", "factorial",
]
DRESSES = [
    "{n} \\text{{ {w}}}", "{n}\\,\\mathrm{{{w}}}", "{n}~\\text{{{w}}}", "{n} **{w}**", "{n} *{w}*", "{n} `{w}`",
    "{n}-{w}", "{n}\n{w}", "{n} ({w})", "{n}, {w}", "{n}: {w}", "{n} — {w}", "{n} – {w}", "{n}; {w}", "{n}. {w}",
    "${n}$ {w}", "$${n}$$ {w}", "\\boxed{{{n}}} {w}", "\\boxed{{{n} \\text{{ {w}}}}}", "\\textbf{{{n}}} {w}",
    "{n} \\quad {w}", "**{n}** {w}", "**{n} {w}**", "{n}\t{w}", "{n}\u00a0{w}", "{n}\u200b {w}", "{n} <b>{w}</b>",
    "<b>{n}</b> {w}", "{n} [{w}]", "{n} {{{w}}}", "{n} \"{w}\"", "{n} {W}", "{n} {C}", "The answer is {n} {w}.",
    "x = {n} {w}", "{n} {w} apples", "{n} {w}.", "{n} cm {w}", "{n} {w} cm", "{n}cm {w}", "{n}.0 {w}", "({n}) {w}",
    "({n} {w})",
]
BEFORE = [
    "not", "less than", "minus", "half of", "anything but", "never", "twice", "the negative of", "no more than",
    "at least", "excluding", "other than", "the square of", "wrong:", "log of", "one over", "ten times", "all but",
    "unlike",
]
DRESSED = [
    "\\text{{{w} }}{n}", "\\text{{{w}}} {n}", "\\mathrm{{{w}}}~{n}", "**{w}** {n}", "*{w}* {n}", "{w}\n{n}",
    "{w}: {n}", "{w}, {n}", "{w} — {n}", "({w}) {n}", "[{w}] {n}", "{w} ${n}$", "{w} \\boxed{{{n}}}", "{W} {n}",
    "{C} {n}", "The answer is {w} {n}.", "x = {w} {n}", "x is {w} {n}", "{w} **{n}**", "{w} ({n})", "{w}\u00a0{n}",
    "{w}  {n} cm", "The area is {w} {n}", "$\\text{{{w} }}{n}$", "\\boxed{{\\text{{{w} }}{n}}}", "{w} {n} apples",
    "<b>{w}</b> {n}", "`{w}` {n}", "\"{w}\" {n}",
]
LABELS = [
    "the area", "Surface area", "the total", "value", "x", "The radius", "the number of apples", "maximum value",
    "the remainder", "slope", "the old man's age", "result", "the final answer", "absolute value",
    "the perimeter of the square", "side length", "the median",
]
OTHERS = [
    "old value", "previous value", "twice the area", "half the total", "the overestimate", "mirrored", "sign flipped",
    "tenfold", "save for", "barring", "besides", "apart from", "contrary to", "versus", "instead of", "in place of",
    "unlike", "neg", "mod", "the answer isn't", "the answer would have been", "the answer used to be", "misread as",
    "placeholder", "unacceptable", "forbidden", "before squaring", "a wrong value", "the answer is not",
    "the answer cannot be", "naive answer", "first guess", "upper limit", "less than", "the answer times two",
    "one less than the answer", "decoy", "extraneous root", "spurious solution",
]
NO_NOUNS = [
    "initially", "hypothetically", "supposedly", "barring", "besides", "apart from", "instead of", "naive answer",
    "fake answer", "first guess", "could be", "unattainable", "forbidden", "flipped", "tenfold", "mirrored", "misread",
    "overestimated", "wrongly", "as a lower bound", "at most", "to be doubled", "isn't", "ain't it", "no", "never",
    "upside down", "short", "too few", "minus one", "hundredths",
]


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


def integers(rng: Random) -> Made:
    n = rng.choice([rng.randint(2, 99), rng.randint(100, 9_999), rng.randint(10_000, 10**7)])
    gold = str(n)
    yield from around(rng, gold, gold)
    yield from forms(gold, True, (
        f"{n:,}", f"{n}.0", f"+{n}", f"${n}$", f"\\({n}\\)", f"x = {n}", f"\\text{{{n}}}", f"{2 * n}/2",
        f"{n} {rng.choice(NOUNS)}", f"{n} in total", f"A total of {n}", f"We get {n}", f"≈ {n}", f"about {n}",
        f"The number of {rng.choice(NOUNS)} is {n}", f"{n - 3} + 3 = {n}", f"{n},", f"{n} units",
    ))
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


def dressed(rng: Random) -> Made:
    """Words that change a number, in every notation of words."""
    n = rng.choice([str(rng.randint(2, 9_999)), f"{rng.randint(11, 999) / 10}", f"{rng.randint(2, 30)}\\sqrt{{7}}"])
    for words, dresses in ((CHANGING, DRESSES), (BEFORE, DRESSED)):
        for dress in rng.sample(dresses, 14):
            w = rng.choice(words)
            yield n, dress.format(n=n, w=w, W=w.upper(), C=w.capitalize()), False


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


def signs(rng: Random) -> Made:
    """Marks, operators and notations beside an integer that leave it what it is, or do not."""
    n = rng.randint(11, 990)
    gold = str(n)
    yield from forms(gold, True, (
        f"= {n}", f"{n}^1", f"({n})", f"\\displaystyle {n}", f"{n}\\,", f"`{n}`", f"\"{n}\"", f"<b>{n}</b>",
        f"{n}!".rstrip("!") + " ", "".join(chr(0xFF10 + int(digit)) for digit in gold), f"\\mathbf{{{n}}}",
        f"\\fbox{{{n}}}", f"\\color{{red}}{{{n}}}", f"|-{n}|", f"{n} \\times 1", f"n = {n}", f"\\therefore {n}",
        f"- {n} + {2 * n}", f"\\left({n}\\right)", f"{n} \\text{{ in all}}", f"{n} altogether",
    ))
    wrong = [
        "{}\u0336", "<s>{}</s>", "<del>{}</del>", "\\cancel{{{}}}", "\\xcancel{{{}}}", "\\sout{{{}}}", "\\not {}",
        "\\lnot {}", "¬{}", "!{}", "{}+", "{}-", ">{}", "≥{}", "{}≤", "{} |", "{}..999", "{}_2", "{}_{{16}}", "0x{}",
        "0b{}", "{}i", "{}j", "{}‰", "{} ‰", "{}k", "{}M", "{}bn", "{}-fold", "{}x", "×{}", "*{}", "/{}", "^{}", "_{}",
        "±{}", "∓{}", "√{}", "∛{}", "∑{}", "Δ{}", "∫{}", "1 in {}", "1 out of {}", "{} out of 1000", "{} over 7",
        "{} divided by 7", "{} to 1", "{}:1", "{}th", "the {}th", "{}-1", "5 \\to {}", "5 -> {}", "5 ⇒ {}",
        "5 \\Rightarrow {}", "5 → {}", "{} \\oplus 3", "{} \\lor 3", "{} \\neq {}", "{} \\approx 5", "{} = 5",
        "5 = {}", "{}\\infty", "f({})", "C({}, 2)", "\\binom{{{}}}{{2}}", "\\ln {}", "\\sin {}", "{}^0", "{}^{{-1}}",
        "{}^T", "{}!!", "\\lfloor {}.5 + 1 \\rfloor", "{}e1", "{}e-1", "{}\\%\\%", "the reciprocal of {}",
        "the opposite of {}", "{} is too large", "{} is an overestimate", "{} is the old value", "close to but not {}",
        "almost {} but 5", "{}? No, 5", "{} or so 5", "5 ({})", "{} (5)", "{} and 5", "{}; 5", "{}\n5", "5\n{}",
        "{} & 5", "{}/5", "5·{}", "next after {}", "one more than {}", "one less than {}", "the successor of {}",
        "the negative of {}", "a multiple of {}", "a factor of {}", "{}'s half", "{} halves", "a {}th", "{} ∉ S",
        "x ∈ {}", "x | {}", "x ∝ {}", "{} mod 7", "{} (mod 7)", "{} \\pmod 7", "{}\\bmod 7", "\\sum {}", "\\int {} dx",
        "\\frac{{d}}{{dx}} {}", "{}''", "{}\\cdot", "{}\\times", "{} \\div", "{} ÷ 2", "\\neg {}", "~~{}~~",
        "{} ~~{}~~", "{} ⊕ 1", "{}₂", "{}ⁿ", "ⁿ{}", "{} to the power of 2", "{} raised to 2", "{} times 2",
        "{} plus 2", "{} minus 2", "{} less 2", "double {}", "triple {}", "thrice {}", "{} percent of 10", "{}% of 10",
    ]
    for form in rng.sample(wrong, 40):
        yield gold, form.replace("{}", gold).replace("{{", "{").replace("}}", "}"), False


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
    yield from forms(gold, True, (
        f"{gold}0", f"-(-{gold})", f"{value}/{10**places}", f"\\frac{{{value}}}{{{10**places}}}",
        f"{value} \\times 10^{{-{places}}}", f"{gold} cm", f"\\approx {gold}", f"x \\approx {gold}",
        f"{value}e-{places}", f"= {gold}",
    ))
    yield from forms(gold, False, (
        f"-{gold}", f"{gold}1", gold.replace(".", ""), gold.replace(".", ",") if places != 3 else f"{gold}9",
        f"1{gold}", f"{(value + 1) / 10**places:.{places}f}", f"{value}.{places}", f"{gold} million", f"{gold} ± 1",
        gold[:-1] + "x",
    ))


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


def negatives(rng: Random) -> Made:
    n = rng.randint(2, 999)
    gold = rng.choice([f"-{n}", f"−{n}", f"$-{n}$"])
    yield from forms(gold, True, (
        f"-{n}", f"− {n}", f"minus {n}", f"negative {n}", f"–{n}", f"-{n}.0", f"\\(-{n}\\)", f"x = -{n}", f"-({n})",
        f"(-{n})", f"{{-{n}}}", f"负{n}",
    ))
    yield from forms(gold, False, (
        str(n), f"--{n}", f"-(-{n})", f"|-{n}|", f"\\pm {n}", f"-{n + 1}", f"not -{n}", f"-{n}^2" if n > 1 else "0",
        f"1-{n}", f"-1/{n}", f"-{n}!", f"(-{n})^2", f"- -{n}", f"-{n} or {n}", f"+{n}", f"-{n}i", f"-{n} thousand",
        f"minus minus {n}", f"-{n},{n}", f"non-{n}",
    ))


def fractions(rng: Random) -> Made:
    value = fraction(rng)
    a, b = value.numerator, value.denominator
    gold = rng.choice([f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}", f"\\dfrac{{{a}}}{{{b}}}", f"$\\frac{{{a}}}{{{b}}}$"])
    k = rng.randint(2, 9)
    yield from around(rng, gold, f"{a}/{b}")
    yield from forms(gold, True, (
        f"\\tfrac{{{a}}}{{{b}}}", f"{a} / {b}", f"{{{a} \\over {b}}}", f"\\frac{{{k * a}}}{{{k * b}}}",
        f"{a}\\div {b}", f"{a}÷{b}", f"-\\frac{{-{a}}}{{{b}}}", f"\\left(\\frac{{{a}}}{{{b}}}\\right)", f"P = {a}/{b}",
        f"\\boxed{{\\frac{{{a}}}{{{b}}}}}", f"\\frac{{{a}}}{{{b}}} \\approx {a / b:.3f}", f"{a}/{b} = {k * a}/{k * b}",
        f"{a}⁄{b}", f"{a / b:.9f}",
    ))
    if a > b:
        yield gold, f"{a // b} {a % b}/{b}", True
        yield gold, f"{a // b}\\frac{{{a % b}}}{{{b}}}", True
        yield gold, f"{a // b} {a % b + b}/{b}", False
    for whole, name in ((n, part) for n in (2, 17) for part in ("and a half", "and one half")):
        yield f"{whole}.5", f"{whole} {name}", True
        yield f"{whole}.5", f"{spelled(whole)} {name}", True
        yield f"{whole}", f"{whole} {name}", False
    yield from forms(gold, False, (
        f"{b}/{a}" if a != 1 else f"{a}/{b + 1}", f"-{a}/{b}", f"{a + b}/{b}", f"{a}", f"{b}", f"{a}{b}", f"{a}, {b}",
        f"{a}/{b}/2", f"{a / b + 0.01:.4f}", f"\\frac{{{a}}}{{{b}}}\\pi", f"({a}, {b})", f"{a}/{b} or {b}/{a}",
        f"{a}/{b}%", f"{a}-{b}", f"\\frac{{{a}}}{{{b}}} \\approx {a / b + 1:.2f}",
        f"\\sqrt{{{a}/{b}}}" if a != b else "0",
    ))


def mixed_numbers(rng: Random) -> Made:
    whole, b = rng.randint(1, 20), rng.randint(3, 15)
    a = rng.randint(1, b - 1)
    gold = rng.choice([f"{whole} {a}/{b}", f"{whole}\\frac{{{a}}}{{{b}}}", f"${whole} \\frac{{{a}}}{{{b}}}$"])
    yield from forms(gold, True, (
        f"{whole} {a}/{b}", f"{whole}\\dfrac{{{a}}}{{{b}}}", f"\\frac{{{whole * b + a}}}{{{b}}}",
        f"{whole * b + a}/{b}", f"{whole} + {a}/{b}", f"{whole} \\tfrac{{{a}}}{{{b}}}",
    ))
    yield from forms(gold, False, (
        f"{whole}{a}/{b}", f"{whole} {a + b}/{b}", f"{whole}", f"{a}/{b}", f"{whole} - {a}/{b}", f"{whole}, {a}/{b}",
        f"-{whole} {a}/{b}", f"{whole} {b}/{a}" if a > 1 else f"{whole + 1}", f"{whole} \\cdot \\frac{{{a}}}{{{b}}}",
        f"{whole + 1} {a}/{b}", f"{whole}.{a}/{b}", f"{whole} or {a}/{b}", f"{whole} and not {a}/{b}",
    ))


def roots(rng: Random) -> Made:
    a, c, d = rng.randint(2, 15), rng.choice([2, 3, 5, 7, 11, 13]), rng.randint(2, 9)
    gold = rng.choice([f"{a}\\sqrt{{{c}}}", f"{a}√{c}", f"${a}\\sqrt{{{c}}}$"])
    value = a * c**0.5
    yield from around(rng, gold, f"{a}\\sqrt{{{c}}}")
    yield from forms(gold, True, (
        f"\\sqrt{{{a * a * c}}}", f"{a}\\sqrt{c}", f"{a}*sqrt({c})", f"{a} \\cdot \\sqrt{{{c}}}", f"{a}√{{{c}}}",
        f"{a}√({c})", f"\\sqrt{{{c}}}\\times {a}", f"{a}\\sqrt{{{c}}} \\approx {value:.2f}",
        f"{a}\\sqrt{{{c}}} = {value:.4f}...", f"\\frac{{{a * c}}}{{\\sqrt{{{c}}}}}", f"{value:.7f}",
        f"{a}({c})^{{1/2}}", f"d = {a}\\sqrt{{{c}}}", f"{a}\\sqrt{{{c}}} cm", f"({a - 1}+1)\\sqrt{{{c}}}",
    ))
    yield from forms(gold, False, (
        f"{a}\\sqrt{{{c + 1}}}", f"{a + 1}\\sqrt{{{c}}}", f"-{a}\\sqrt{{{c}}}", f"\\sqrt{{{a * c}}}", f"{a}{c}",
        f"{a}\\sqrt[3]{{{c}}}", f"\\pm {a}\\sqrt{{{c}}}", f"{value + 0.01:.7f}", f"{a}", f"\\sqrt{{{c}}}", f"{a} {c}",
        f"{a}+\\sqrt{{{c}}}", f"{a}\\sqrt{{{c}}} \\approx {value + 1:.2f}", f"{a}\\sqrt{{{c}}}\\pi",
        f"\\frac{{{a}}}{{\\sqrt{{{c}}}}}", f"{value:.1f}",
    ))
    gold = f"\\frac{{{a}\\pi}}{{{d}}}"
    yield from forms(gold, True, (
        f"{a}π/{d}", f"\\frac{{{a}}}{{{d}}}\\pi", f"{a}\\pi/{d}", f"{a} * pi / {d}", f"{2 * a}\\pi/{2 * d}",
        f"\\frac{{{a}\\pi}}{{{d}}} \\text{{ cm}}",
    ))
    yield from forms(gold, False, (
        f"{a}/{d}", f"{d}\\pi/{a}" if a != d else "1", f"{a + 1}\\pi/{d}", f"{a}\\pi", f"{a}\\pi^2/{d}",
        f"{a * 3.14 / d:.2f}",
    ))


def science(rng: Random) -> Made:
    a, k = rng.randint(11, 99), rng.randint(4, 12)
    gold = f"{a / 10} \\times 10^{{{k}}}"
    yield from forms(gold, True, (
        f"{a / 10}\\times 10^{k}" if k < 10 else gold, f"{a / 10}e{k}", f"{a * 10 ** (k - 1)}",
        f"{a * 10 ** (k - 1):,}", f"{a / 10} × 10^{{{k}}}", f"{a} \\times 10^{{{k - 1}}}",
        f"{a / 10} \\cdot 10^{{{k}}}", f"{a / 10}E+{k:02}",
    ))
    yield from forms(gold, False, (
        f"{a / 10}", f"{a / 10} \\times 10^{{{k + 1}}}", f"{a / 10} \\times 10^{{-{k}}}", f"{a / 10} \\times 10",
        f"{a / 10}e{k - 1}", f"{(a + 1) / 10} \\times 10^{{{k}}}", f"{a / 10}, 10^{{{k}}}", f"10^{{{k}}}",
        f"{a / 10}^{{{k}}}",
    ))


def chinese(rng: Random) -> Made:
    n = rng.randint(11, 99)
    gold = str(n)
    yield from forms(gold, True, (
        f"答案是{n}", f"{n}个", f"{n}米", f"一共{n}个", f"半径是{n}", f"所以答案为{n}。", f"面积：{n}", f"{n}度", f"共有{n}人", f"最终答案：{n}",
        f"结果是{n}",
    ))
    yield from forms(gold, False, (
        f"答案不是{n}", f"{n}倍", f"{n}万", f"{n + 1}个", f"负{n}", f"大于{n}", f"{n}以上", f"超过{n}个", f"{n}分之一", f"错误答案：{n}",
        f"{n}的平方", f"{n}或{n + 1}", f"第{n}", f"{n}亿", f"至少{n}", f"不到{n}", f"{n}的一半",
    ))
