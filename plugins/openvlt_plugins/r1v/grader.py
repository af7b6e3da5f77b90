r"""The grader of mathruler 0.1.0, which is the one of PRM800K (openai/prm800k, prm800k/grading/grader.py, MIT).

Two normalisations compared as strings, then tuples element by element, then a difference that simplifies to zero.
"""

from __future__ import annotations

import re

from openvlt_plugins.r1v.expression import Unreadable, vanishes

_UNITS = (
    "degree", "cm", "centimeter", "meter", "mile", "second", "minute", "hour", "day", "week", "month", "year", "foot",
    "feet", "inch", "yard",
)  # fmt: skip
_LARGE = {"million": "*10^6", "billion": "*10^9", "trillion": "*10^12"}
_SIGNS = {"√": "sqrt", "π": "pi", "∞": "inf", "∪": "U", "·": "*", "×": "*"}
_FORBIDDEN = re.compile(r"\^\{|\^\(|\^[0-9]+\^|\^[0-9][0-9]+")
_TEXT = re.compile(r"^\\text\{(.+?)\}$")
_FRACTION = re.compile(r"^-?[0-9]+.?/0*[1-9][0-9]*.?$")
_RATIO = re.compile(r"^(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)\Z")
_THOUSANDS = re.compile(r"(\d),(\d\d\d)(?=$|\D)")


def same_answer(given: str, gold: str) -> bool:
    """Whether the grader considers `given` equal to `gold`."""
    if _hendrycks(given) == _hendrycks(gold):
        return True
    one, other = _normalized(given), _normalized(gold)
    if one == other:
        return True
    if not one:
        return False
    ones, others = _elements(one), _elements(other)
    if len(others) > 1 and (one[0] != other[0] or one[-1] != other[-1]):
        return False
    return len(ones) == len(others) and all(_same_element(a, b) for a, b in zip(ones, others, strict=True))


def _same_element(given: str, gold: str) -> bool:
    if _FRACTION.search(given) and _FRACTION.search(gold):
        return given == gold
    if _is_integer(gold) != _is_integer(given):
        return False
    text = f"({gold})-({given})"
    letters = {letter for letter in text.replace("sqrt", "").replace("frac", "") if letter.isalpha()}
    if len(letters) > 2 or _FORBIDDEN.search(text):
        return False
    try:
        return vanishes(text)
    except Unreadable:
        return False


def _hendrycks(text: str) -> str:
    """The string equality of the MATH data set (hendrycks/math, is_equiv.py)."""
    text = text.strip()
    if whole := _TEXT.search(text):
        text = whole.group(1).strip()
    try:
        return _stripped(text)
    except (IndexError, ValueError):  # a command without its argument, or several units
        return text


def _stripped(text: str) -> str:
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "")
    if "\\text{ " in text:
        text, _unit = text.split("\\text{ ")
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    sides = text.split("=")
    text = sides[1] if len(sides) == 2 and len(sides[0]) <= 2 else text
    first, *roots = text.split("\\sqrt")
    text = first + "".join("\\sqrt" + (root if root[0] == "{" else f"{{{root[0]}}}{root[1:]}") for root in roots)
    text = _braced_fractions(text.replace(" ", ""))
    text = "\\frac{1}{2}" if text == "0.5" else text
    return _RATIO.sub(r"\\frac{\1}{\2}", text)


def _braced_fractions(text: str) -> str:
    r"""``\frac12`` as ``\frac{1}{2}``; the whole text is unchanged if only one character follows a ``\frac``."""
    first, *fractions = text.split("\\frac")
    for fraction in fractions:
        first += "\\frac"
        if fraction[0] == "{":
            first += fraction
        elif len(fraction) < 2:
            return text
        else:
            under = fraction[1] if fraction[1] == "{" else f"{{{fraction[1]}}}"
            first += f"{{{fraction[0]}}}{under}{fraction[2:]}"
    return first


def _normalized(text: str) -> str:
    if whole := _TEXT.search(text):
        text = whole.group(1)
    for mark in ("\\%", "\\$", "$", "%"):
        text = text.replace(mark, mark[1:])
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, factor in _LARGE.items():
        text = text.replace(word, factor)
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = re.sub(r",\\! *", "", text)
    if _is_whole(text):
        text = str(round(float(text)))
    text = _plain(text) if "\\" in text else text
    text = re.sub(r"- *", "-", text)
    text = re.sub(r"([0-9]) +([0-9])", r"\1+\2", text)
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return str(int(float(text.replace(",", "")))) if _is_integer(text) else text


def _plain(text: str) -> str:
    from pylatexenc.latex2text import LatexNodes2Text

    text = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac").replace("\\frac", " \\frac")
    try:
        plain = str(LatexNodes2Text().latex_to_text(text))
    except Exception:  # noqa: BLE001 (as in the original, LaTeX that breaks the converter is kept)
        return text
    for sign, name in _SIGNS.items():
        plain = plain.replace(sign, name)
    return plain.strip()


def _elements(text: str) -> list[str]:
    text = _without_thousands(text)
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and not set(text[1:-1]) & set("()[]"):
        return [element.strip() for element in text[1:-1].split(",")]
    return [text] if text else []


def _without_thousands(text: str) -> str:
    while (shorter := _THOUSANDS.sub(r"\1\2", text)) != text:
        text = shorter
    return text


def _is_integer(text: str) -> bool:
    return _is_whole(_without_thousands(text))


def _is_whole(text: str) -> bool:
    try:
        number = float(text)
        return abs(number - round(number)) <= 1e-7
    except (ValueError, OverflowError):
        return False
