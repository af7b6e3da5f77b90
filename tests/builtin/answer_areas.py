"""Golds by area: what says the same as each, and the near misses that do not."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """A gold, the answers that are right, and those that are wrong."""

    gold: str
    same: tuple[str, ...]
    different: tuple[str, ...]


AREAS: dict[str, list[Case]] = {
    "numbers in words": [
        Case("87", ("eighty-seven", "Eighty seven"), ("eighty", "eighty-eight", "seventy-eight")),
        Case("205", ("two hundred five", "two hundred and five"), ("two hundred", "two five", "two and five")),
        Case("-5", ("minus 5", "negative five"), ("5", "minus minus 5")),
        Case("2/3", ("two thirds", "two-thirds"), ("two", "one third")),
        Case("2500000", ("2.5 million", "2.5\\times10^6"), ("2.5", "25 million", "2.5 billion")),
        Case("12", ("twelve", "12 dots"), ("12 less", "12 squared", "12 hundred", "12 halves", "12 wrong", "12 three")),
    ],
    "repeating decimals": [
        Case("5/12", ("0.41\\overline{6}", "0.41\\bar6"), ("0.4\\overline{16}", "0.41")),
        Case("2/11", ("0.\\overline{18}", "0.\\dot{1}\\dot{8}"), ("0.\\overline{81}", "0.1\\overline{8}")),
    ],
    "fractions": [
        Case("\\frac{3}{7}", ("{3 \\over 7}", "3\u20447", "6/14", "3:7"), ("3/70", "37", "3 7", "7/3")),
        Case("\\frac{a}{b}", ("\\frac ab", "ab^{-1}"), ("b/a", "ab")),
    ],
    "percent": [
        Case("0.335", ("33.5%",), ("0.335%", "33.5", "335%")),
        Case("37.5%", ("3/8", "37.5 per cent", "37\\frac12\\%"), ("0.375%", "3.75", "375%")),
        Case("8 feet", ("8",), ("8%", "8 inches")),
    ],
    "units": [
        Case("36 square units", ("36", "36 units^2", "36 cm^2"), ("36 cubic units", "36 cm", "36 cm^3")),
        Case("2 hours 30 minutes", ("2.5 hours", "150 minutes", "2 h 30 min"), ("2.3 hours", "2 hours 31 minutes")),
        Case("5 ft 6 in", ("66 inches", "5.5 feet"), ("5.6 ft", "6 ft 5 in", "5 ft")),
        Case("9.8 m/s^2", ("9.8 \\frac{m}{s^2}", "9.8 m s^{-2}", "9.8"), ("9.8 m/s", "9.8 cm/s^2")),
        Case("5 N", ("5 newtons", "5 kg m/s^2"), ("5 J",)),
        Case("4 \u03a9", ("4 ohms", "4\\,\\Omega"), ("4 V", "4 k\u03a9")),
        Case("25 \u00b0C", ("25 degrees Celsius", "25"), ("25 \u00b0F",)),
        Case("7 years", ("7 years old",), ("7 months",)),
        Case("$7.50", ("US$7.50", "USD 7.50", "750 cents"), ("\u20ac7.50", "7.5 cents", "$75")),
        Case("\u20ac20", ("20 \u20ac", "20 EUR"), ("$20", "\u20ac2")),
    ],
    "lists and points": [
        Case("x=2 \\text{ or } x=-3", ("x=2 or -3", "\\{2,-3\\}"), ("x=2 or y=-3", "x=2", "x=2 or x=3")),
        Case("P(2,3)", ("(2,3)", "P = (2, 3)", "the point (2, 3)"), ("Q(2,3)", "(3,2)")),
        Case("\\emptyset", ("\\{\\}", "empty set"), ("1, 2", "\\{0\\}", "\\pm 4", "1,000")),
        Case("3", ("3\n3",), ("3, 3", "3 and 3", "3,3,3")),
        Case("x=5, y=-1", ("(5,-1)", "(x,y)=(5,-1)"), ("(-1,5)", "\\{5,-1\\}")),
        Case("\\langle 1,-2\\rangle", ("(1,-2)", "<1,-2>"), ("(-2,1)", "(1,2)")),
    ],
    "intervals": [
        Case("-1<x<3", ("x\\in(-1,3)", "x > -1 and x < 3", "(-1,3)"), ("x > -1 or x < 3", "[-1,3]", "-1<y<3")),
        Case("(-\\infty,0)\\cup(3,\\infty)", ("(-\u221e, 0) U (3, \u221e)", "x<0 or x>3"), ("x<0", "(0,3)")),
        Case("[1,\\infty)", ("\\{x \\mid x \\ge 1\\}", "x \u2265 1"), ("x > 1", "x \\le 1", "\\{1\\}")),
        Case("all real numbers", ("\\mathbb{R}", "(-\\infty,\\infty)"), ("no real numbers", "not all real numbers")),
    ],
    "ratios and times": [
        Case("7:32", ("7/32", "7\\colon 32"), ("32:7", "14:64", "7.32")),
        Case("10:30", ("10:30",), ("1:3", "20:60", "1/3")),
        Case("12:00", ("12:00",), ("1:00", "2:10", "12")),
        Case("2", ("4/2",), ("2:1", "4:2")),
    ],
    "functions": [
        Case("\\log_2 8", ("3",), ("8", "\\log_8 2")),
        Case("2", ("\\log 100", "\\log_{10} 100", "\\ln e^2"), ("\\ln 100", "\\log e^2")),
        Case("\\ln 6", ("\\ln 2+\\ln 3", "\\log_e 6"), ("\\log 6", "\\ln 5")),
    ],
    "powers": [
        Case("1", ("x^0", "0!", "e^0"), ("0^0 + 0", "0^0", "0/0")),
        Case("\\frac{1}{2^{99}}", ("2^{-99}",), ("\\frac{1}{2^{98}}", "0")),
    ],
    "small differences": [
        Case("0", ("e^{-1000}-e^{-1000}",), ("e^{-1000}", "\\pi\\cdot10^{-400}", "\\ln(1+10^{-400})")),
        Case("e^{-1000}", ("\\frac{1}{e^{1000}}",), ("e^{-1001}", "2e^{-1000}", "-e^{-1000}", "0")),
        Case("1", ("\\sin^2 1+\\cos^2 1",), ("1+e^{-1000}", "\\tanh(1000)")),
        Case("x^2", ("x^2+e^{-300}-e^{-300}",), ("x^2+e^{-300}", "x^2+10^{-120}")),
    ],
    "matrices": [
        Case(
            "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
            ("\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}",),
            ("\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "\\det\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
        ),
    ],
    "intervals in other notations": [
        Case("(-2,1]", ("]-2, 1]", "\\left]-2, 1\\right]", "\\{x \\mid -2 < x \\le 1\\}"), ("]-2, 1[", "[-2, 1]")),
        Case("[0, \\infty)", ("[0, \\infty[", "\\{x \\in \\mathbb{R} : x \\ge 0\\}"), ("]0, \\infty[",)),
    ],
    "degrees and radians": [
        Case("90^\\circ", ("\\frac{\\pi}{2} radians", "90^o"), ("\\pi \\text{ rad}", "90 radians")),
    ],
    "thousands with dots": [
        Case("1234567", ("1.234.567",), ("1.234567", "1.234")),
        Case("1234567.5", ("1.234.567,5",), ("1.234.567",)),
    ],
    "dates": [
        Case("March 25, 2015", ("25/03/2015", "03/25/2015", "Wednesday, March 25, 2015"), ("25/04/2015", "24/03/2015")),
        Case("March 2015", ("Mar 2015",), ("April 2015", "March 2016", "March 1, 2015")),
        Case("March 1, 2015", ("1 March 2015",), ("03/01/2015",)),
    ],
    "labels and prose": [
        Case("42", ("Therefore, the final answer is **42**.", "The answer is **42**."), ("The answer is **24**.",)),
        Case(
            "10", ("There are 10.", "Thus, 10", "value of x = 10"), ("not 10", "wrong: 10", "less than 10", "10 or 9")
        ),
        Case("Perimeter = 48 m", ("Perimeter: 48 m", "The perimeter is 48 m"), ("Area = 48 m", "48 m^2")),
        Case("Center (2, 3), radius 5", ("Center: (2, 3), Radius: 5",), ("center (3,2), radius 5", "(2,3)")),
    ],
    "words": [
        Case("red, blue, green", ("red, blue and green",), ("red, blue", "red or blue or green")),
        Case("North East", ("north-east",), ("north", "north west")),
        Case("S\u00e3o Paulo", ("s\u00e3o paulo",), ("Paulo",)),
        Case("\u4e09\u89d2\u5f62", ("\u4e09\u89d2\u5f62\u3002",), ("\u56db\u8fb9\u5f62",)),
        Case("No", ("no it is not", "No, they differ"), ("No idea", "No. Yes.", "No, wait: yes", "no solution")),
        Case("Yes", ("Yes, no other fits", "yes: they agree"), ("Yes, but no.", "Yes/No", "not yes", "Yes... no")),
    ],
}
