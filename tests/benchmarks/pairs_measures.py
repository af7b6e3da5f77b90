"""Pairs with units, percents, money, angles, times and ranges."""

# fmt: off

from __future__ import annotations

from pairs_forms import UNITS, Made, Random, around, forms

MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]


def quantities(rng: Random) -> Made:
    unit, long, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 900)
    gold = f"{n} {unit}"
    yield from around(rng, gold, gold)
    yield from forms(gold, True, (
        f"{n}{unit}" if unit != "hours" else f"{n}h", f"{n} {long}", f"{n}\\text{{ {unit}}}",
        f"{n} \\mathrm{{{unit}}}", f"{n}~\\text{{{unit}}}", f"{n}.0 {unit}", f"${n}$ {unit}", f"\\({n}\\) {unit}",
        str(n), f"The length is {n} {unit}.", f"{n}\\,\\mathrm{{{unit}}}",
    ))
    if factor:
        yield gold, f"{n * factor} {small}", True
        yield gold, f"{n} {small}", False
        yield gold, f"{n * factor} {unit}", False
    yield from forms(gold, False, (
        f"{n + 1} {unit}", f"-{n} {unit}", f"{n} {unit}^2", f"{n} cubic {long}", f"{n} dollars", f"{n} per {unit}",
        f"1/{n} {unit}", f"{n} million {unit}", f"{n} apples", f"{n} {unit} or {n + 1} {unit}",
        f"more than {n} {unit}", f"{n} {unit} too long", f"less than {n} {unit}",
    ))
    gold = f"{n} cm^2"
    yield from forms(gold, True, (
        f"{n} cm²", f"{n} square centimeters", f"{n} \\text{{ cm}}^2", f"{n} sq cm", f"{n}cm^2", f"{n} square units",
        f"{n} \\mathrm{{~cm}}^{{2}}",
    ))
    yield from forms(gold, False, (
        f"{n} cm", f"{n} cm^3", f"{n} m^2", f"{n}^2 cm", f"{n} square meters", f"{n * 100} cm^2"
    ))


def stated(rng: Random) -> Made:
    """Numbers whose unit, type or precision the example states."""
    n, m = rng.randint(2, 500), rng.randint(2, 9)
    unit, long, small, factor = rng.choice(UNITS)
    known = {"unit": unit, **rng.choice([{}, {"answer_type": "integer"}])}
    gold = str(n)
    yield from forms(gold, True, (
        gold, f"{n} {unit}", f"{n} {long}", f"The answer is {n} {unit}.", f"{n}.0", f"x = {n}"
    ), known)
    yield from forms(gold, False, (
        f"{n} dollars", f"{n} {unit}^2", f"{n + 1} {unit}", f"{n} million {unit}", f"{n} apples", f"not {n}",
        f"{n} degrees", *([f"{n} {small}"] if factor else []),
    ), known)
    if factor:
        yield gold, f"{n * factor} {small}", True, known
    for kind, value in (
        ("integer", f"{n}"), ("float", f"{n}.{m}"), ("expression", f"{n}\\sqrt{{{m}}}"), ("text", "copper wire"),
        ("list", f"{n}, {m}"), ("yes_no", "yes"),
    ):
        yield value, value, True, {"answer_type": kind}
        yield value, f"The answer is {value}.", True, {"answer_type": kind}
        yield value, f"not {value}", False, {"answer_type": kind}
        yield value, f"{value} is wrong", False, {"answer_type": kind}
        yield value, "", False, {"answer_type": kind}
        yield value, "I do not know", False, {"answer_type": kind}
        yield value, "...", False, {"answer_type": kind}
        yield value, "0", False, {"answer_type": kind}


def percents(rng: Random) -> Made:
    n = rng.randint(2, 99)
    gold = rng.choice([f"{n}%", f"{n}\\%", f"{n} %"])
    yield from around(rng, gold, f"{n}%")
    yield from forms(gold, True, (
        f"{n} percent", f"{n}\\%", f"{n / 100}", f"{n}/100", f"{n} per cent", f"百分之{n}", f"${n}\\%$", f"{n}.0%",
    ))
    yield from forms(gold, False, (
        f"{n / 100}%", f"{n + 1}%", f"-{n}%", f"{n}% off", f"{100 - n}%" if n != 50 else "51%", f"{n} per mille",
        f"{n * 100}%", f"{n}%%", f"more than {n}%", f"{n}% or less",
    ))


def money(rng: Random) -> Made:
    n = rng.randint(2, 900)
    gold = rng.choice([f"${n}", f"\\${n}", f"{n} dollars"])
    yield from forms(gold, True, (
        f"\\${n}", f"{n} dollars", f"${n}.00", f"USD {n}", f"{n}", f"US${n}", f"{100 * n} cents", f"The cost is ${n}",
        f"${n}$ dollars",
    ))
    yield from forms(gold, False, (
        f"€{n}", f"{n} cents", f"${n + 1}", f"-${n}", f"£{n}", f"{n} yen", f"${n} million", f"${n}k",
        f"${n} or ${n + 5}", f"{n} euros", f"more than ${n}",
    ))
    yield from forms(f"{n}元", True, (f"{n}元", f"￥{n}", f"{n} yuan", f"{n}", f"¥{n}", f"{n}人民币"))
    yield from forms(f"{n}元", False, (f"{n} yen", f"${n}", f"{n}美元", f"{n + 1}元", f"{n}万元", f"￥{n}0", f"{n}百万元"))


def degrees(rng: Random) -> Made:
    n = rng.randint(5, 170)
    gold = rng.choice([f"{n}^\\circ", f"{n}°", f"{n}^{{\\circ}}", f"{n} degrees"])
    yield from forms(gold, True, (
        f"{n}°", f"{n}^\\circ", f"{n}", f"{n} degrees", f"\\angle ABC = {n}^\\circ", f"x = {n}°", f"{n} deg",
        f"${n}^{{\\circ}}$", f"{n}度", f"∠A = {n}°", f"m∠1 = {n}",
    ))
    yield from forms(gold, False, (
        f"{n + 1}°", f"{180 - n}°" if n != 90 else "91°", f"{n} radians", f"-{n}°", f"{n}°C", f"{n}'", f"{n}^0",
        f"{n}0°", f"{n} cm", f"{n}° or {n + 2}°",
    ))


def temperatures(rng: Random) -> Made:
    n = rng.randint(2, 98)
    gold = rng.choice([f"{n}°C", f"{n}^\\circ C", f"{n} \\degree C"])
    yield from forms(gold, True, (
        f"{n}°C", f"{n} °C", f"{n}^\\circ\\text{{C}}", f"{n} degrees Celsius", f"{n}℃", f"{n}",
        f"{n}^{{\\circ}}\\mathrm{{C}}",
    ))
    yield from forms(gold, False, (
        f"{n}°F", f"{n} K", f"-{n}°C", f"{n + 1}°C", f"{n} degrees Fahrenheit", f"{n} cm", f"{n}℉", f"above {n}°C",
        f"{n}°C colder", f"{n}°C or {n + 1}°C",
    ))


def times(rng: Random) -> Made:
    hour, minute = rng.randint(1, 11), rng.randint(10, 59)
    gold = f"{hour}:{minute} {rng.choice(['a.m.', 'am', 'AM'])}"
    yield from forms(gold, True, (
        f"{hour}:{minute} a.m.", f"{hour}:{minute}", f"0{hour}:{minute}"[-5:], f"{hour}:{minute} AM",
        f"It is {hour}:{minute} am.", f"{hour}:{minute} in the morning", f"at {hour}:{minute}",
    ))
    yield from forms(gold, False, (
        f"{hour}:{minute} p.m.", f"{hour}:{minute - 1}", f"{hour % 12 + 1}:{minute}", f"{hour + 12}:{minute}",
        f"{hour}.{minute}", f"{minute}:{hour}", f"{hour}", f"not {hour}:{minute}", f"before {hour}:{minute}",
    ))


def dates(rng: Random) -> Made:
    day, month, year = rng.randint(13, 28), rng.randint(1, 12), rng.randint(1900, 2024)
    name = MONTHS[month - 1]
    gold = rng.choice([f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}", f"{day} {name} {year}"])
    yield from forms(gold, True, (
        f"{name} {day}, {year}", f"{day} {name} {year}", f"{year}-{month:02}-{day:02}", f"{name[:3]} {day}, {year}",
        f"{day}th of {name} {year}" if day not in (21, 22, 23) else gold, f"{year}/{month}/{day}",
        f"{month}/{day}/{year}", f"The date is {name} {day}, {year}.",
    ))
    yield from forms(gold, False, (
        f"{name} {day - 1}, {year}", f"{name} {day}, {year + 1}", f"{MONTHS[month % 12]} {day}, {year}",
        f"{name} {year}", f"{name} {day}", f"{year}", f"before {name} {day}, {year}", f"{day}",
    ))


def durations(rng: Random) -> Made:
    hours, minutes = rng.randint(1, 11), rng.randint(1, 59)
    gold = f"{hours} hours {minutes} minutes"
    yield from forms(gold, True, (
        f"{hours} h {minutes} min", f"{hours}h {minutes}m", f"{hours} hours and {minutes} minutes",
        f"{60 * hours + minutes} minutes", f"{hours} hr {minutes} min", f"{3600 * hours + 60 * minutes} seconds",
    ))
    yield from forms(gold, False, (
        f"{hours} hours", f"{minutes} minutes", f"{hours} hours {minutes + 1} minutes",
        f"{minutes} hours {hours} minutes" if hours != minutes else "1 s", f"{hours} minutes {minutes} seconds",
        f"{60 * hours + minutes} hours", f"{60 * hours + minutes + 1} minutes",
        f"over {hours} hours {minutes} minutes", f"{hours} hours or {minutes} minutes", f"{hours} hours ago",
    ))


def ranges(rng: Random) -> Made:
    low, high = sorted(rng.sample(range(1, 400), 2))
    low, high = rng.choice([(low, high), (1950 + low // 10, 1991 + high // 20)])
    gold = rng.choice([f"{low}-{high}", f"{low} to {high}", f"{low}–{high}"])
    yield from forms(gold, True, (
        f"{low}-{high}", f"{low} to {high}", f"from {low} to {high}", f"{low} – {high}", f"between {low} and {high}",
        f"{low}~{high}", f"{low}到{high}", f"{low} through {high}",
    ))
    yield from forms(gold, False, (
        f"{low - high}", f"{high}-{low}", f"{low}", f"{high}", f"{low} to {high + 1}", f"{low}, {high}",
        f"{low} or {high}", f"{low}/{high}", f"{low}+{high}", f"{low} to", f"not {low} to {high}",
    ))
