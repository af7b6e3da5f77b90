"""Pairs in the notations of mathematics: expressions, equations, sets, intervals, lists, matrices."""

# fmt: off

from __future__ import annotations

from pairs_forms import Made, Random, forms

FORMULAS = ["H2O", "CO2", "NaHCO3", "Fe2O3", "C6H12O6", "H2SO4", "CaCO3", "NH3", "CH4", "Mg(OH)2"]


def algebra(rng: Random) -> Made:
    a, b = rng.randint(2, 12), rng.randint(13, 30)
    gold = f"(x+{a})(x-{b})"
    yield from forms(gold, True, (
        f"x^2-{b - a}x-{a * b}", f"(x-{b})(x+{a})", f"x^2+{a}x-{b}x-{a * b}", f"$x^2-{b - a}x-{a * b}$",
        f"x²-{b - a}x-{a * b}",
    ))
    yield from forms(gold, False, (
        f"(x-{a})(x+{b})", f"x^2-{a * b}", f"x^2+{b - a}x-{a * b}", f"(x+{a})(x+{b})", f"(y+{a})(y-{b})", f"(x+{a})",
        f"x+{a}, x-{b}",
    ))
    gold = f"y = {a}x + {b}"
    yield from forms(gold, True, (
        f"y={b}+{a}x", f"{a}x - y + {b} = 0", f"y - {b} = {a}x", f"2y = {2 * a}x + {2 * b}", f"f(x) = {a}x + {b}",
        f"{a}x+{b}",
    ))
    yield from forms(gold, False, (
        f"y = {a}x - {b}", f"y = {b}x + {a}", f"x = {a}y + {b}", f"y > {a}x + {b}", f"y = {a}x", f"y = {a}x + {b} + 1",
        f"y \\ne {a}x + {b}",
    ))
    gold = f"x = {b}"
    yield from forms(gold, True, (f"{b}", f"x={b}", f"{b} = x", f"x is {b}", f"$x = {b}$", f"2x = {2 * b}"))
    yield from forms(gold, False, (
        f"y = {b}", f"x = -{b}", f"x < {b}", f"x \\neq {b}", f"x = {b} or x = {a}", f"x = {b + 1}", f"x^2 = {b}",
        f"x + 1 = {b}", f"y value = {b}",
    ))


def functions(rng: Random) -> Made:
    a, b = rng.randint(2, 9), rng.randint(10, 40)
    gold = rng.choice([f"f(x) = {a}x^2 - {b}", f"f(x)={a}x^{{2}}-{b}"])
    yield from forms(gold, True, (
        f"{a}x^2-{b}", f"f(x)=-{b}+{a}x^2", f"y = {a}x^2 - {b}", f"f(x) = {a}x² − {b}", f"$f(x) = {a}x^{{2}} - {b}$",
        f"f(x) = {a}(x^2) - {b}",
    ))
    yield from forms(gold, False, (
        f"{a}x^2+{b}", f"f(x) = {a}x - {b}", f"g(x) = {a}x^2 - {b}", f"f(y) = {a}x^2", f"{a}x^3-{b}", f"({a}x)^2-{b}",
        f"f'(x) = {a}x^2 - {b}", f"f(x) = {b}x^2 - {a}", f"f(x) > {a}x^2 - {b}", f"1/({a}x^2-{b})",
    ))
    gold = f"\\sin({a}x) + {b}"
    yield from forms(gold, True, (
        f"{b} + \\sin {a}x", f"\\sin {a}x+{b}", f"sin({a}x) + {b}", f"\\sin\\left({a}x\\right)+{b}",
        f"\\cos({a}x - \\frac{{\\pi}}{{2}}) + {b}",
    ))
    yield from forms(gold, False, (
        f"\\cos({a}x) + {b}", f"\\sin({a}x + {b})", f"{a}\\sin x + {b}", f"\\sin({a}x) - {b}", f"\\sin({b}x) + {a}",
        f"\\sin({a}y) + {b}", f"\\arcsin({a}x)+{b}",
    ))
    gold = f"{a} + {b}i"
    yield from forms(gold, True, (
        f"{b}i + {a}", f"{a}+{b}i", f"z = {a} + {b}i", f"${a}+{b}i$",
        f"{a} + i{b}" if rng.random() < 0 else f"{a}+ {b} i",
    ))
    yield from forms(gold, False, (
        f"{a} - {b}i", f"{b} + {a}i", f"{a} + {b}", f"{a + b}i", f"({a}, {b})", f"{a}{b}i", f"-{a} - {b}i", f"{a}",
        f"{a} + {b}j^2",
    ))


def plus_minus(rng: Random) -> Made:
    n, c = rng.randint(2, 60), rng.choice([2, 3, 5, 7])
    gold = rng.choice([f"\\pm {n}", f"±{n}", f"x = \\pm {n}", f"{n}, -{n}" if rng.random() < 0 else f"\\pm{n}"])
    yield from forms(gold, True, (
        f"±{n}", f"\\pm{n}", f"x = \\pm {n}", f"x = {n} or x = -{n}", f"\\{{{n}, -{n}\\}}", f"{n} or -{n}",
        f"x = -{n}, x = {n}", f"{n} and -{n}",
    ))
    yield from forms(gold, False, (
        str(n), f"-{n}", f"±{n + 1}", f"\\pm {n}^2", f"{n} \\pm 1",
        f"({n}, -{n})" if gold.startswith("x") else f"{n}-{n}", f"\\{{{n}\\}}", f"x = {n}", f"\\pm \\sqrt{{{n}}}",
        f"not ±{n}",
    ))
    gold = f"{n} \\pm \\sqrt{{{c}}}"
    yield from forms(gold, True, (
        f"{n}±√{c}", f"{n}+\\sqrt{{{c}}}, {n}-\\sqrt{{{c}}}", f"\\{{{n}-\\sqrt{{{c}}}, {n}+\\sqrt{{{c}}}\\}}",
        f"x = {n} \\pm \\sqrt{{{c}}}",
    ))
    yield from forms(gold, False, (
        f"{n}+\\sqrt{{{c}}}", f"-{n} \\pm \\sqrt{{{c}}}", f"{n} \\pm {c}", f"\\pm({n} + \\sqrt{{{c}}})",
        f"{n} - \\sqrt{{{c}}}",
    ))


def several(rng: Random) -> Made:
    a, b = rng.sample(range(2, 60, 2), 2)
    gold = f"{a} or {b}"
    yield from forms(gold, True, (
        f"{b} or {a}", f"{a} or {b}", f"x = {a} or x = {b}", f"\\{{{a}, {b}\\}}", f"{a}, {b}",
        f"{a} \\text{{ or }} {b}",
    ))
    yield from forms(gold, False, (
        f"{a}", f"{b}", f"{a} or {b + 1}", f"{a} or {b} or {b + 1}", f"{a}{b}", f"neither {a} nor {b}",
        f"not {a} or {b}", f"{a}/{b}", f"either {a} or {a + 1}",
    ))
    gold = f"x = {a}, y = {b}"
    yield from forms(gold, True, (
        f"x={a}, y={b}", f"y = {b}, x = {a}", f"x = {a} and y = {b}", f"({a}, {b})", f"(x, y) = ({a}, {b})",
        f"x={a}; y={b}",
    ))
    yield from forms(gold, False, (
        f"x = {b}, y = {a}", f"x = {a}", f"x = {a}, y = {b + 1}", f"({b}, {a})", f"x = {a}, y = {b}, z = 1",
        f"x = {a}, z = {b}", f"x = {a} + y = {b}", f"x ≠ {a}, y = {b}",
    ))


def sets_and_tuples(rng: Random) -> Made:
    a, b, c = rng.sample(range(2, 60, 2), 3)  # c + 1 is none of them
    gold = f"\\{{{a}, {b}, {c}\\}}"
    yield from forms(gold, True, (
        f"\\{{{c}, {a}, {b}\\}}", f"{{{b}, {a}, {c}}}", f"{a}, {b}, {c}", f"\\left\\{{{a},{b},{c}\\right\\}}",
        f"S = \\{{{a}, {b}, {c}\\}}", f"{a}, {c} and {b}",
    ))
    yield from forms(gold, False, (
        f"\\{{{a}, {b}\\}}", f"\\{{{a}, {b}, {c}, {c + 1}\\}}", f"\\{{{a}, {b}, {c + 1}\\}}", f"({a}, {b}, {c})",
        f"{a}", f"\\{{{a}+{b}, {c}\\}}", f"\\{{{a}{b}, {c}\\}}", "\\emptyset",
    ))
    gold = f"({a}, {b})"
    yield from forms(gold, True, (
        f"({a},{b})", f"\\left({a}, {b}\\right)", f"$({a}, {b})$", f"{a}, {b}", f"(x, y) = ({a}, {b})",
        f"x = {a}, y = {b}", f"P({a}, {b})", f"({a}.0, {2 * b}/2)", f"The point is ({a}, {b})",
    ))
    yield from forms(gold, False, (
        f"({b}, {a})", f"[{a}, {b}]", f"({a}, {b}]", f"({a}, {b}, {c})", f"\\{{{a}, {b}\\}}", f"(-{a}, {b})",
        f"({a}; {b + 1})", f"{a}{b}", f"{a}", f"({a}, {b}) or ({b}, {a})", f"x = {b}, y = {a}", f"{a}/{b}",
        f"({a}) {b}",
    ))


def intervals(rng: Random) -> Made:
    low, high = sorted(rng.sample(range(1, 60), 2))
    gold = f"[{low}, {high})"
    yield from forms(gold, True, (
        f"[{low},{high})", f"\\left[{low}, {high}\\right)", f"{low} \\le x < {high}", f"{low} ≤ x < {high}",
        f"x \\in [{low}, {high})", f"x ∈ [{low}, {high})", f"{high} > x \\geq {low}",
    ))
    yield from forms(gold, False, (
        f"({low}, {high})", f"[{low}, {high}]", f"({low}, {high}]", f"[{low}, {high + 1})", f"{low} < x < {high}",
        f"{low}, {high}", f"x \\notin [{low}, {high})", f"\\{{{low}, {high}\\}}", f"[{high}, {low})", f"x \\ge {low}",
    ))
    gold = f"(-\\infty, {low}) \\cup ({high}, \\infty)"
    yield from forms(gold, True, (
        f"({high}, \\infty) \\cup (-\\infty, {low})", f"(-∞, {low}) ∪ ({high}, ∞)", f"x < {low} or x > {high}",
        f"(-∞,{low}) U ({high},∞)",
    ))
    yield from forms(gold, False, (
        f"({low}, {high})", f"(-\\infty, {low}] \\cup ({high}, \\infty)", f"(-\\infty, {low}) \\cap ({high}, \\infty)",
        f"(-\\infty, {low})", f"{low} < x < {high}", "(-\\infty, \\infty)",
    ))
    gold = f"x > {low}"
    yield from forms(gold, True, (f"x>{low}", f"{low} < x", f"({low}, \\infty)", f"x \\gt {low}", f"x − {low} > 0"))
    yield from forms(gold, False, (
        f"x < {low}", f"x \\ge {low}", f"x = {low}", f"y > {low}", f"x > {low + 1}", f"x > -{low}", f"x ≯ {low}",
        f"[{low}, \\infty)", f"{low}",
    ))


def lists(rng: Random) -> Made:
    values = rng.sample(range(1, 90), 3)
    a, b, c = values
    known = {"answer_type": "list"}
    gold = rng.choice([f"[{a}, {b}, {c}]", f"{a}, {b}, {c}", f"[{a},{b},{c}]"])
    yield from forms(gold, True, (
        f"{a}, {b}, {c}", f"[{a}, {b}, {c}]", f"{a}, {b} and {c}", f"({a}, {b}, {c})", f"{a}; {b}; {c}",
        f"The answer is [{a}, {b}, {c}]", f"{a}\n{b}\n{c}",
    ), known)
    yield from forms(gold, False, (
        f"{b}, {a}, {c}", f"{a}, {b}", f"{a}, {b}, {c}, {c}", f"{a}, {b}, {c + 1}", f"{a}", f"{a}{b}{c}",
        f"{a} or {b} or {c + 1}", f"[{a}, {b}, -{c}]", f"{a + b}, {c}", f"not {a}, {b}, {c}",
    ), known)


def ratios(rng: Random) -> Made:
    a, b = rng.sample([2, 3, 5, 7, 11, 13, 61, 67, 71], 2)
    gold = f"{a}:{b}"
    yield from forms(gold, True, (
        f"{a} : {b}", f"{a}:{b}", f"{a}/{b}", f"\\frac{{{a}}}{{{b}}}", f"{a}∶{b}", f"The ratio is {a}:{b}"
    ))
    yield from forms(gold, False, (
        f"{b}:{a}", f"{a}:{b + 1}", f"{a}", f"{b}/{a}", f"{a}, {b}", f"{a}:{b}:1", f"not {a}:{b}", f"1:{a}:{b}",
    ))


def matrices(rng: Random) -> Made:
    a, b, c, d = rng.sample(range(1, 40), 4)
    gold = f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}"
    yield from forms(gold, True, (
        f"\\begin{{bmatrix}}{a}&{b}\\\\{c}&{d}\\end{{bmatrix}}", f"[[{a},{b}],[{c},{d}]]", f"A = {gold}",
        f"\\left[\\begin{{array}}{{cc}}{a}&{b}\\\\{c}&{d}\\end{{array}}\\right]", f"[[{a}, {b}], [{c}, {d}]]",
    ))
    yield from forms(gold, False, (
        f"\\begin{{pmatrix}}{a}&{c}\\\\{b}&{d}\\end{{pmatrix}}",
        f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{d + 1}\\end{{pmatrix}}", f"{a}, {b}, {c}, {d}",
        f"\\begin{{vmatrix}}{a}&{b}\\\\{c}&{d}\\end{{vmatrix}}", f"[[{a},{b}]]", f"-{gold}", f"2{gold}",
        f"\\begin{{pmatrix}}{a}&{b}&{c}&{d}\\end{{pmatrix}}",
    ))


def formulas(rng: Random) -> Made:
    gold, other = rng.sample(FORMULAS, 2)
    low = "".join(
        f"_{character}" if character.isdigit() and before.isalpha() | (before == ")") else character
        for before, character in zip(" " + gold, gold, strict=False)
    )
    yield from forms(gold, True, (
        gold, f"\\ce{{{gold}}}", f"\\text{{{gold}}}",
        gold.translate(str.maketrans("23456", "₂₃₄₅₆")) if not any(c in gold for c in "1") else gold,
        f"The answer is {gold}.",
    ))
    if "1" not in gold:
        yield gold, low, True
    yield from forms(gold, False, (
        other, gold.lower(), gold.upper() if gold.upper() != gold else "HO", f"2{gold}", gold[:-1],
        f"{gold} or {other}", f"not {gold}", f"{gold}, {other}", f"{gold}+", gold[::-1],
    ))


def bases(rng: Random) -> Made:
    base = rng.choice([2, 5, 7, 8])
    digits = "1" + "".join(str(rng.randrange(base)) for _ in range(rng.randint(2, 5)))
    gold = f"{digits}_{base}"
    yield from forms(gold, True, (
        f"{digits}_{{{base}}}", f"{digits}_{base}", f"${digits}_{{{base}}}$", f"{digits}{'₀₁₂₃₄₅₆₇₈'[base]}"
    ))
    yield from forms(gold, False, (
        digits, f"{digits}_{base + 1}", f"{digits}{base}", f"{digits}^{base}", f"1{digits}_{base}",
        f"{digits[::-1]}1_{base}", f"-{digits}_{base}", f"{digits}_", f"_{base}",
    ))
