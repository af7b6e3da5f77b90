"""Normalises spelling (Unicode signs, LaTeX markup, line breaks) before an answer is tokenized."""

from __future__ import annotations

import re
import unicodedata

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.vocabulary import UNITS

_PLAIN = str.maketrans({
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-", "\uff0d": "-",
    "\u00d7": " \\times ", "\u00b7": " \\cdot ", "\u22c5": " \\cdot ", "\u2219": " \\cdot ", "\u2217": "*",
    "\u00f7": " \\div ", "\u2215": "/", "\u2236": ":", "\uff1a": ":", "\uff0c": ",", "\u3001": ",",
    "\u221a": " \\sqrt ", "\u221b": " \\cbrt ", "\u03c0": " \\pi ", "\u221e": " \\infty ",
    "\u00b0": " \\degree ", "\u00ba": " \\degree ", "\u02da": " \\degree ", "\u63b3": " \\degree ",
    "\u2264": " \\le ", "\u2a7d": " \\le ", "\u2265": " \\ge ", "\u2a7e": " \\ge ", "\u2260": " \\ne ",
    "\u2248": " \\approx ", "\u222a": " \\cup ", "\u2229": " \\cap ", "\u2208": " \\in ", "\u00b1": " \\pm ",
    "\u2213": " \\mp ", "\u2032": " \\prime ", "\u2220": " \\angle ", "\u25b3": " \\triangle ",
    "\u2205": " \\emptyset ", "\u2234": "",
    "\u2044": "/", "\u200b": "", "\ufeff": "", "\u2018": "'", "\u2019": "'", "\u20ac": " \\euro ",
    "\u00a3": " \\pounds ",
    "\u00a5": " \\yensign ", "\u00a2": " cents ", "\u27e8": "(", "\u27e9": ")", "\u3002": ".",
    "\u211d": " (-\\infty,\\infty) ",
    "\u2103": " \\degree C", "\u2109": " \\degree F", "\u2223": "|",
})  # fmt: skip
_SUPER = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207f\u02e3", "0123456789-nx"
)
_SUB = str.maketrans("\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089", "0123456789")
_SUPERS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207f\u02e3]+")
_SUBS = re.compile("[\u2080-\u2089]+")
_VULGAR = re.compile("([\u00bc-\u00be\u2150-\u215e])")
_BRACED_UNIT = re.compile(r"(?<=\d)\{\s*([A-Za-z]{2,})\s*\}")
_UNIT_POWER = re.compile(r"\\(?:text|mathrm)\s*\{([A-Za-z ]{1,20})\^\s*\{\s*(-?\d)\s*\}\s*\}")
_GREEK = re.compile("[\u0391-\u03c9]")

# A JSON or Python string that lost a backslash turns \frac into a form feed and \theta or \text into a tab.
_LOST = ((re.compile(r"\x0c(?=rac)"), r"\\f"), (re.compile(r"\t(?=ext|imes|heta|frac|an\b)"), r"\\t"))

_DROPPED = re.compile(
    r"\\(?:left|right|bigg?[lr]?|Bigg?[lr]?|displaystyle|textstyle|scriptstyle|normalsize|tiny|small|[lL]arge|LARGE|[hH]uge|limits|nolimits|mathop|mathstrut)(?![A-Za-z])\.?"
    r"|\\(?:boxed|fbox|text|mathrm|mathbf|boldsymbol|ensuremath)(?=\s*\{[^{}]*\{)"
    r"|\\(?:label|tag|color)\s*\{[^{}]*\}|\\phantom\s*\{[^{}]*\}"
)
TIE = r"(?<=[^\s~\d])~(?=[^\s~])|(?<=\d)~(?=[^\s~\d])"
"""The space of LaTeX that does not break; two are a strike, one before a number means about, between two a range."""
_SPACES = re.compile(
    r"\\(?:quad|qquad|enspace|hspace\*?\s*\{[^{}]*\})(?![A-Za-z])|(?<!\\)\\[;: \n]|[\u00a0\u2000-\u200a\u3000]|" + TIE
)
_THIN_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,!]|\{,\}|,\\! ?|[\u2009\u202f'])+(?=\d{3}(?!\d))")
_PLAIN_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?: \d{3})+(?![\d/])(?! ?/)")
_COMMA_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?!,\d)")
_REPEATING = re.compile(r"(\d{1,50})\.(\d{0,50})\\(?:overline|bar)\s*(?:\{(\d{1,50})\}|(\d))")
_ELLIPSIS = re.compile(r"((?<=[\d})])\s{0,9}=\s{0,9})?(\d{1,50}\.)(\d{1,60})(?:\.{3}|\u2026|\\[lc]?dots(?![A-Za-z]))")
_CYCLE = re.compile(r"(\d{0,9}?)((\d{1,6}?)\3{1,60})(\d{0,5})")
_APPROXIMATE = 5
"""decimals from which on those of an irrational number may end in dots"""
_DOTTED = re.compile(r"\\dot\s*\{?(\d)\}?(?:(\d{0,50})\\dot\s*\{?(\d)\}?)?")
_FRACTION_OF_UNITS = re.compile(
    r"\\[dt]?frac\s*\{\s*(?:\\(?:text|mathrm)\s*\{)?~?\s*([A-Za-z]+)\s*\}?\s*\}"
    r"\s*\{\s*(?:\\(?:text|mathrm)\s*\{)?~?\s*([A-Za-z]+)\s*\}?\s*(\^\s*\{?\d\}?)?\s*\}"
)
# A substring to look for first, since most answers contain none of them; the pattern; its replacement.
_SPELLINGS = tuple(
    (marker, re.compile(pattern), spelling)
    for marker, pattern, spelling in (
        ("\\over", r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        ("{", r"(?<![A-Za-z])\{\s*([-+=:])\s*\}", r"\1"),
        ("\\lbrace", r"\\lbrace(?![A-Za-z])", r"\\{"),
        ("\\rbrace", r"\\rbrace(?![A-Za-z])", r"\\}"),
        ("\\langle", r"\\langle(?![A-Za-z])", "("),
        ("\\rangle", r"\\rangle(?![A-Za-z])", ")"),
        ("</", r"<(b|i|strong|em)>([^<>]{1,500})</\1>", r"\2"),
        ("<", r"^<([^<>]*,[^<>]*)>$", r"(\1)"),
        ("\\colon", r"\\colon(?![A-Za-z])", ":"),
        ("\\det", r"\\det\s*\\begin\{[a-z]+\}", r"\\begin{vmatrix}"),
        ("\\prime", r"\^\s*\{?\s*\\prime(?![A-Za-z])\s*\}?", "'"),
        ("\\mathbb", r"\\mathbb\s*\{?\s*R\s*\}?", r" (-\\infty,\\infty) "),
        ("ll real", r"\b[Aa]ll real(?: number)?s\b", r" (-\\infty,\\infty) "),
        ("mpty set", r"\b(?:the )?[Ee]mpty set\b", r" \\emptyset "),
        ("~", r"(?<![\d~])~(?!~)", r" \\approx "),
        ("per cent", r"\bper cent\b", "percent"),
        ("百分之", r"百分之(\d{1,30}(?:\.\d{1,30})?)", r"\1%"),
        ("负", r"^负(?=\s?\d)", "-"),
        ("是", r"(?<=[\u4e00-\u9fff])是(?=\s?[-\d\\$])", ":"),
        ("为", r"(?<=[\u4e00-\u9fff])为(?=\s?[-\d\\$])", ":"),
        (" equal", r"\b(?:is|are) equal to\b|\bequals\b(?: to\b)?", "="),
        (": ", r"^([A-Za-z]): (?=[-\d\\$])", r"\1 = "),
        (" is ", r"^([A-Za-z]) is (?=[-\d\\$])", r"\1 = "),
        # A letter for the sign of multiplication before a power of ten; 3 x 4 may be a size, and 2x3 is nothing.
        ("10", r"(?<=\d)\s?[xX]\s?(?=10\s?(?:\^|\*\*))", r" \\times "),
        ("<sup>", r"<sup>([^<>]{1,20})</sup>", r"^{\1}"),
        ("therefore", r"\\therefore(?![A-Za-z])", ""),
        ("US", r"\bUS\s?(?=\\?\$)", ""),
        # A set builder of one variable is equal to its condition.
        (
            "\\{",
            r"^\s*\\\{\s*([a-z])\s*(?:\\in\s*\(-\\infty,\\infty\)\s*)?(?:\||\\mid(?![A-Za-z])|:)"
            r"(?=.*\1.*\\\}\s*$)(?=.*(?:[<>]|\\[lg]e))(.+)\\\}\s*$",
            r"\2",
        ),
        # ]a, b[ is the open interval in ISO 31-11 and in French.
        ("]", r"^\s*(?:\\left\s*)?\](?=[^\[\]]*[,;])([^\[\]]+?)(?:\\right\s*)?\[\s*$", r"(\1)"),
        ("]", r"^\s*(?:\\left\s*)?\](?=[^\[\]]*[,;])([^\[\]]+?)(?:\\right\s*)?\]\s*$", r"(\1]"),
        ("[", r"^\s*(?:\\left\s*)?\[(?=[^\[\]]*[,;])([^\[\]]+?)(?:\\right\s*)?\[\s*$", r"[\1)"),
        ("^", r"(?<=\d)\s*\^\s*(?:\{\s*o\s*\}|o(?![A-Za-z]))", r" \\degree "),
        # Two or more dots between groups of three digits separate thousands and never mark decimals.
        (".", r"(?<![\d.,])(\d{1,3})\.(\d{3})\.(\d{3})(?:,(?=\d))(?!\d{3}(?!\d))", r"\1\2\3."),
        (".", r"(?<![\d.,])(\d{1,3})\.(\d{3})\.(\d{3})(?![\d.,])", r"\1\2\3"),
        (".", r"\b(sq|cu|ft|in|yd|lbs?|oz|hrs?|mins?|secs?)\.(?=\s*[A-Za-z\d])", r"\1 "),
    )
)


def clean(text: str) -> str:
    """The text with normalised spelling: no math delimiters, no sizing, Unicode signs as LaTeX commands.

    Raises:
        TooLarge: it exceeds the limit on characters.
    """
    if len(text) > limits.CHARACTERS:
        raise TooLarge(f"longer than {limits.CHARACTERS} characters")
    for lost, found in _LOST:
        text = lost.sub(found, text)
    text = _VULGAR.sub(lambda m: " " + unicodedata.normalize("NFKC", m.group()) + " ", scripts(text))
    text = _THIN_THOUSANDS.sub("", text)
    text = unicodedata.normalize("NFKC", _SPACES.sub(" ", text).translate(_PLAIN)).translate(_PLAIN)
    text = _GREEK.sub(lambda m: f" \\{_greek(m.group())} ", text)
    if "\\dot" in text:
        text = _DOTTED.sub(lambda m: "\\overline{" + "".join(filter(None, m.groups())) + "}", text)
    if "dots" in text or "..." in text or "\u2026" in text:
        text = _ELLIPSIS.sub(_continued, text)
    text = _REPEATING.sub(_repeating, text.replace("\\,", " ").replace("\\!", ""))
    text = re.sub(r"\\circ(?=[A-Z])", r"\\circ ", text)
    text = _UNIT_POWER.sub(r"\\mathrm{\1}^{\2}", text) if "mathrm" in text or "\\text" in text else text
    text = _BRACED_UNIT.sub(r" \1 ", text)
    text = _FRACTION_OF_UNITS.sub(_slashed_units, text) if "frac" in text else text
    if "\n" in text.strip() and "\\begin" not in text:
        # Duplicate lines add nothing.
        text = r" \\ ".join(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    for marker, pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text) if marker in text else text
    return _DROPPED.sub(" ", _delimiters(text)).strip().rstrip(".,;").strip()


def scripts(text: str) -> str:
    """The text with superscripts and subscripts as in LaTeX; Unicode's own folding would turn 2\u00b3 into 23."""
    text = _SUPERS.sub(lambda m: "^{" + m.group().translate(_SUPER) + "}", text)
    return _SUBS.sub(lambda m: "_{" + m.group().translate(_SUB) + "}", text)


def _greek(letter: str) -> str:
    *words, name = unicodedata.name(letter, "unknown").split()
    return name.capitalize() if "CAPITAL" in words else name.lower()


def _repeating(found: re.Match[str]) -> str:
    """A repeating decimal as a fraction: 0.1(6) is (16 - 1)/90."""
    whole, fixed, cycle = found[1], found[2], found[3] or found[4]
    value = int(whole + fixed + cycle) - int(whole + fixed)
    return f"\\frac{{{value}}}{{{'9' * len(cycle)}{'0' * len(fixed)}}}"


def _continued(found: re.Match[str]) -> str:
    """A decimal with dots behind it: an approximation of the number before it, or one that repeats its last digits."""
    equals, whole, digits = found.groups()
    if equals:
        return f" \\approx {whole}{digits}"
    cycle = _CYCLE.fullmatch(digits)
    if cycle and cycle[3].startswith(cycle[4]) and len(cycle[2]) > len(cycle[1]):
        return f"{whole}{cycle[1]}\\overline{{{cycle[3]}}}"
    return whole + digits if len(digits) > _APPROXIMATE else found.group()


def _slashed_units(found: re.Match[str]) -> str:
    """A fraction of two units with a slash; any other fraction unchanged."""
    over, under, power = found.groups()
    return f" {over}/{under}{power or ''} " if over in UNITS and under in UNITS else found.group()


def _delimiters(text: str) -> str:
    """Remove math delimiters and Markdown emphasis, but not a dollar sign that is a currency."""
    text = re.sub(r"\\[()\[\]]", " ", text).replace("`", "").replace("$$", " ")
    if len(text) > 2 and text[0] == text[-1] in "'\"" and text[0] not in text[1:-1]:
        text = text[1:-1]
    if len(text) > 4 and text.startswith("**") and text.endswith("**"):
        text = text[2:-2]
    bare = re.sub(r"\\\$", "", text)
    if bare.count("$") % 2 == 0:
        text = re.sub(r"(?<!\\)\$", " ", text)
    return text


def joined_thousands(text: str, *, commas: bool) -> str:
    """Groups of three digits separated by spaces, or by commas if `commas`, as one number."""
    text = _PLAIN_THOUSANDS.sub(lambda m: m.group().replace(" ", ""), text)
    return _COMMA_THOUSANDS.sub(lambda m: m.group().replace(",", ""), text) if commas else text
