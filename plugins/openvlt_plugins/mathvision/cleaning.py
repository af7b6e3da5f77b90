"""The answer extraction of MathVision's official scoring (mathllm/MATH-V, ``evaluation/``).

The steps are those of ``evaluate.py`` and of ``find_math_answer`` in ``utils.py``, in the same order, with all
oddities: fractions get their braces only if there is also a root, and a bare 0.5 becomes a fraction.
"""

from __future__ import annotations

LETTERS = "ABCDE"
_PHRASES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_DROPPED_FIRST = (
    (" ", ""), ("\\,", ""), ("∞", "\\infty"), ("+\\infty", "\\infty"), ("\\\\", "\\"), ("\n", ""), ("\\text", ""),
    ("\\mbox", ""), ("bmatrix", "pmatrix"), ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""),
    ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", ""), ("{km}", ""), ("km", ""),
)  # fmt: skip
_DROPPED_THEN = (
    ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", ""), ("\\%", ""), ("{.", "{0."),
)  # fmt: skip
_LETTER_MARKS = tuple((mark.format(letter), letter) for mark in ("({})", "{{{}}}") for letter in LETTERS.lower())


def model_answer(response: str) -> str:
    """The answer as the official script compares it with the gold: lower case, without spaces and most units."""
    text = response.strip()
    text = _lone_letter(text) or text
    last = text.split("is ")[-1].rstrip(".")
    if _is_number(last):
        text = last
    if "oxed{" not in text:
        text = _after_phrases(text)
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.split("oxed{")[-1]
    return _replaced(_math_answer(text), _LETTER_MARKS).rstrip(".").lstrip(":").strip()


def _lone_letter(text: str) -> str:
    """The letter at the end or the beginning of a response, in a few fixed formats."""
    for letter in LETTERS:
        ends = (f" {letter}.", f" ({letter}).")
        begins = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(begins):
            return letter
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _after_phrases(text: str) -> str:
    for phrase in _PHRASES:
        for form in (phrase, phrase.replace("the", "The")):
            found = form in text
            text = text.rsplit(form, maxsplit=1)[-1].strip()
            if found:
                text = text.split("\n")[0].split(". ")[0]
    return text


def _math_answer(text: str) -> str:
    text = text.lower().replace("{}", "")
    # The script's oxed\{(.*)\}, which takes time quadratic in its openings where nothing closes them.
    first, last = text.find("oxed{"), text.rfind("}")
    if 0 <= first < last:
        text = text[first + len("oxed{") : last]
    close, opening = text.find("}"), text.find("{")
    if close != -1 and (opening == -1 or close < opening):
        text = text[:close]
    text = text.split("=")[-1].split("\\approx")[-1]
    return _stripped(_replaced(text, _DROPPED_FIRST))


def _stripped(text: str) -> str:
    text = _replaced(text, _DROPPED_THEN)
    if text.startswith("."):
        text = "0" + text
    if "sqrt" in text:
        text = _braced_fractions(_braced_roots(text))
    if text == "0.5":
        return "\\frac{1}{2}"
    return _slash_fraction(text)


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _braced_roots(text: str) -> str:
    """Add braces to a root of a single character."""
    first, *rest = text.split("\\sqrt")
    return first + "".join(
        "\\sqrt" + ("{" + part[0] + "}" + part[1:] if part and part[0] != "{" else part) for part in rest
    )


def _braced_fractions(text: str) -> str:
    """Add braces to numerators and denominators of a single character."""
    first, *rest = text.split("\\frac")
    result = first
    for part in rest:
        if part.startswith("{"):
            result += "\\frac" + part
        elif len(part) < 2:
            return text
        elif part[1] == "{":
            result += "\\frac{" + part[0] + "}" + part[1:]
        else:
            result += "\\frac{" + part[0] + "}{" + part[1] + "}" + part[2:]
    return result


def _slash_fraction(text: str) -> str:
    parts = text.split("/")
    if len(parts) != 2:
        return text
    try:
        top, bottom = int(parts[0]), int(parts[1])
    except ValueError:
        return text
    return f"\\frac{{{top}}}{{{bottom}}}" if text == f"{top}/{bottom}" else text
