r"""The grader of mathruler 0.1.0, which is that of PRM800K (openai/prm800k, prm800k/grading/grader.py, MIT).

Rewritten from the description of its behaviour: two normalisations compared as strings, then tuples element by element,
then a difference that simplifies to zero.
"""

from __future__ import annotations

import re

from openvlt_plugins.r1v.expression import Unreadable, vanishes

_UNITS = (
    "degree", "cm", "centimeter", "meter", "mile", "second", "minute", "hour", "day", "week", "month", "year", "foot",
    "feet", "inch", "yard",
)  # fmt: skip
_LARGE = {"million": "*10^6", "billion": "*10^9", "trillion": "*10^12"}
_FORBIDDEN = re.compile(r"\^\{|\^\(|\^[0-9]+\^|\^[0-9][0-9]+")
_TEXT = re.compile(r"\\text\{(.+?)\}")
_GREATEST = 1_000


def same_answer(given: str, gold: str) -> bool:
    """Whether the grader takes `given` for `gold`."""
    if max(len(given), len(gold)) > _GREATEST:
        return given == gold
    if _hendrycks(given) == _hendrycks(gold):
        return True
    one, other = _normalized(given), _normalized(gold)
    if one == other:
        return True
    if not one:
        return False
    ones, others = _elements(one), _elements(other)
    if len(others) > 1 and (one[:1] != other[:1] or one[-1:] != other[-1:]):
        return False
    return len(ones) == len(others) and all(_same_element(a, b) for a, b in zip(ones, others, strict=True))


def _same_element(given: str, gold: str) -> bool:
    if _is_fraction(given) and _is_fraction(gold):
        return given == gold
    if _is_integer(gold) != _is_integer(given):
        return False
    text = f"({gold})-({given})"
    letters = set(re.sub(r"sqrt|frac|pi", "", text)) & set("abcdefghijklmnopqrstuvwxyz")
    if len(letters) > 2 or _FORBIDDEN.search(text):
        return False
    try:
        return vanishes(text)
    except Unreadable:
        return False


def _hendrycks(text: str) -> str:
    """The string equality of the MATH data set (hendrycks/math, is_equiv.py)."""
    text = text.strip()
    if whole := _TEXT.fullmatch(text):
        text = whole.group(1).strip()
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace("\\%", "")
    text = text.partition("\\text{ ")[0].replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    sides = text.split("=")
    text = sides[1] if len(sides) == 2 and len(sides[0]) <= 2 else text
    text = re.sub(r"\\sqrt(?!\{)(\w)", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    text = "\\frac{1}{2}" if text == "0.5" else text
    return re.sub(r"^(-?\d+)/(-?\d+)$", r"\\frac{\1}{\2}", text)


def _normalized(text: str) -> str:
    if whole := _TEXT.fullmatch(text):
        text = whole.group(1)
    for mark in ("\\%", "\\$", "$", "%"):
        text = text.replace(mark, "")
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, factor in _LARGE.items():
        text = text.replace(word, factor)
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = re.sub(r",\\! *", "", text)
    if _is_whole_float(text):
        text = str(round(float(text)))
    text = _plain(text) if "\\" in text else text
    text = re.sub(r"- *", "-", text)
    text = re.sub(r"([0-9]) +([0-9])", r"\1+\2", text)
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return str(int(text.replace(",", ""))) if _is_integer(text) else text


def _plain(text: str) -> str:
    """LaTeX as plain text, as pylatexenc writes it."""
    text = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac")
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", text)
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
    text = text.replace("\\pi", "pi").replace("\\infty", "inf").replace("\\cup", "U")
    return text.replace("\\cdot", "*").replace("\\times", "*").replace("\\", "").strip()


def _elements(text: str) -> list[str]:
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and not set(text[1:-1]) & set("()[]"):
        return [element.strip() for element in text[1:-1].split(",")]
    return [text]


def _is_fraction(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+.?/0*[1-9][0-9]*.?", text) is not None


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,200}(?:,\d{3})*(?:\.0*)?", text) is not None and "." not in text


def _is_whole_float(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return abs(number) < 1e15 and abs(number - round(number)) <= 1e-7
