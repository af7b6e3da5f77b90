"""Pairs in words: choices, letters, yes and no, texts, ordinals."""

# fmt: off

from __future__ import annotations

from collections.abc import Callable

from pairs_forms import Made, Random, forms

WORDS = [
    "triangle", "blue whale", "north-east", "photosynthesis", "the left lung", "Paris", "copper wire", "oak tree",
    "mammal", "water vapor", "kinetic energy", "Jupiter", "orange", "convex lens", "river delta",
]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
CONTENTS: list[Callable[[Random], list[str]]] = [
    lambda rng: [str(n) for n in rng.sample(range(2, 300), 4)], lambda rng: rng.sample(WORDS, 4),
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
    yield from forms(gold, True, (
        L, f"({L})", f"{L}.", f"{L})", L.lower(), f"Option {L}", f"\\text{{{L}}}", f"**{L}**", f"The answer is {L}.",
        f"The correct option is ({L}).", f"{L}. {own}", f"({L}) {own}", f"{L}: {own}", f"{own} ({L})", own,
        f"The answer is {own}.", f"{L}, because it follows from the figure",
        f"{L}\n\nExplanation: this follows from the figure.", f"答案是{L}", f"选{L}", f"{L}项", f"故选：{L}", f"I choose {L}",
        f"So the answer is ({L})", f"**{L}. {own}**", f"{L} is the correct answer.", f"[{L}]",
    ), known)
    yield from forms(gold, False, (
        M, f"({M})", f"{M}. {other}", other, f"{L} or {M}", f"{L}, {M}", f"{L} and {M}", f"not {L}",
        f"({L}) Actually it's {M}", f"{L}. I pick {M}", f"({L}) is eliminated", f"{L} isn't right", f"{L}. {other}",
        f"{M}. {own}", f"{other} ({L})", f"{L} (or {M})", f"anything except {L}", "ABCD", f"{L}. Final: {M}",
        f"({L}) contradicts the figure", f"neither {L} nor {M}", f"{own} or {other}", f"{own}, {other}", f"not {own}",
        f"~~{L}~~", f"{L}{M}", f"I cannot choose {L}", f"{L}? No, {M}", f"It is between {L} and {M}", f"不选{L}",
        f"{L}或{M}", f"{L}项错误",
    ), known)


def letters(rng: Random) -> Made:
    """A letter of a choice with marks and words beside it, without contents that could be known."""
    right, other = rng.sample("ABCDE", 2)
    known = rng.choice([{}, {"answer_type": "choice"}, {"choices": ("red", "green", "blue", "black", "white")}])
    for same in (
        "{}", "({})", "{}.", "{})", "[{}]", "$\\boxed{{{}}}$", "\\mathbf{{{}}}", "Answer: {}", "My answer is {}",
        "the letter {}", "{}!", "`{}`", "“{}”", "<b>{}</b>", "Choice {}", "option ({})", "I would choose {}",
        "{} is correct", "选项{}", "正确答案是{}", "{}选项", "{}。", "（{}）", "The best choice is {}.",
    ):
        yield right, same.format(right), True, known
    wrong = [
        "\\overline{{L}}", "\\bar L", "\\neg L", "¬L", "!L", "-L", "L^c", "L^C", "non-L", "no L", "all but L",
        "L is the distractor", "L is a trap", "the opposite of L", "the letter after L", "L+1", "next to L", "M → L",
        "L → M", "M -> L", "L => M", "L; M", "L\nM", "M\nL", "L, no wait M", "L vs M", "L/M", "L > M", "L ≠",
        "L \\ne M", "\\cancel{{L}}", "<s>L</s>", "L\u0336", "L and not M but rather M", "L would be wrong",
        "L is second best", "L comes close but M wins", "M (L)", "L (M)", "LL", "L M", "M.L", "L.M", "rule out L",
        "discard L", "L is out", "L can't be", "it can't be L", "L isn't it", "L was my first guess, now M",
        "M, formerly L", "L ∪ M", "L ∩ M", "L & M", "L|M", "L≈M", "L=M", "L's complement", "Not L but M", "L nor M",
        "instead of L, M", "除L外", "排除L", "不是L", "非L", "L不对", "L或者M", "L和M", "L是错的", "not option L", "L does not fit",
        "L fails", "M rather than L", "L? M!", "L: M", "L - M", "L_2", "L^2", "L!!!M", "neither", "none",
        "unsure between L and M", "L, M, or neither", "L (crossed out)", "L is crossed out", "Everything other than L",
    ]
    for form in rng.sample(wrong, 40):
        yield right, form.replace("L", right).replace("M", other).replace("{{", "{").replace("}}", "}"), False, known


def yes_no(rng: Random) -> Made:
    gold, opposite = rng.choice([("yes", "no"), ("no", "yes")])
    known = rng.choice([{}, {"answer_type": "yes_no"}])
    cap, anti = gold.capitalize(), opposite.capitalize()
    yield from forms(gold, True, (
        gold, cap, f"{cap}.", f"{cap}, the two are the same.", f"The answer is {gold}.", f"**{cap}**",
        f"\\text{{{cap}}}", f"{cap}!", f"{cap}, because they are equal.", {"yes": "True", "no": "False"}[gold],
        f"{cap}, it is.",
    ), known)
    yield from forms(gold, False, (
        opposite, anti, f"{anti}.", f"{gold} or {opposite}", f"{cap}. {anti}.", f"not {gold}",
        f"{anti}, the two are the same.", "maybe", "unsure", f"{gold}/{opposite}", f"{cap} and {opposite}",
        "I cannot tell", f"{gold}terday", f"The answer is {opposite}.", f"{cap}? {anti}.", f"{gold}n't",
        f"not really {gold}", f"hardly {gold}", f"{gold} is wrong", f"{cap} would be wrong", f"{cap}, but {opposite}",
        f"{gold} → {opposite}", f"the opposite of {gold}", f"non-{gold}", f"~~{gold}~~", f"<s>{gold}</s>",
        f"\\cancel{{{gold}}}", f"{cap}? I doubt it.", f"{cap} is false", f"{cap} and {opposite} both",
    ), known)


def texts(rng: Random) -> Made:
    gold, other = rng.sample(WORDS, 2)
    known = rng.choice([{}, {"answer_type": "text"}])
    yield from forms(gold, True, (
        gold, gold.upper(), gold.capitalize(), f"{gold}.", f"\\text{{{gold}}}", f"The answer is {gold}.", f'"{gold}"',
        f"**{gold}**", f" {gold} ", gold.removeprefix("the "),
    ), known)
    yield from forms(gold, False, (
        other, f"not {gold}", f"{gold} or {other}", f"{gold}, {other}", gold[:-2], f"{gold}{other}",
        f"anything but {gold}", f"{gold} is wrong", f"no {gold}", f"non-{gold}", f"{other} ({gold})", gold[::-1],
        f"anti{gold}", f"{gold} and {other}", f"un{gold}", f"{gold}?!{other}", f"former {gold}",
        f"the opposite of {gold}", f"~~{gold}~~", f"<s>{gold}</s>", f"\\cancel{{{gold}}}", f"{gold} isn't",
        f"neither {gold}", f"rather {other} than {gold}", f"{gold}less", f"never {gold}", f"{other}, not {gold}",
    ), known)


def ordinals(rng: Random) -> Made:
    n = rng.randint(1, 10)
    digits = f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n, 'th') }"
    yield from forms(digits, True, (
        digits, ORDINALS[n - 1], ORDINALS[n - 1].capitalize(), f"the {ORDINALS[n - 1]}", f"The answer is {digits}.",
    ))
    yield from forms(digits, False, (
        ORDINALS[n % 10], f"{n + 10}th", f"1/{n + 1}", f"not {digits}", f"{digits} or {n + 1}th", "last"
    ))
