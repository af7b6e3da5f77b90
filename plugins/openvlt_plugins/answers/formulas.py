"""Chemical formulas and equations, in which case and position mean something: CO is not Co."""

from __future__ import annotations

import re

from openvlt_plugins.answers.wording import without_markup

_split = str.split
_ELEMENTS = _split(
    """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr
    Nb Mo Ag Cd In Sn Sb Te I Xe Cs Ba La Ce W Pt Au Hg Tl Pb Bi Ra U
    """
)
_ELEMENT = "|".join(sorted(_ELEMENTS, key=len, reverse=True))
_SPECIES = rf"\d{{0,3}}(?:(?:{_ELEMENT})\d{{0,3}}|\((?:(?:{_ELEMENT})\d{{0,3}}){{1,6}}\)\d{{1,2}}){{1,12}}"
_FORMULA = re.compile(rf"{_SPECIES}(?:\+{_SPECIES}){{0,7}}(?:->{_SPECIES}(?:\+{_SPECIES}){{0,7}})?")
_ARROW = re.compile(r"\\(?:long)?rightarrow|\\to(?![A-Za-z])|\u2192|=")
_LONGEST = 120


def formula(text: str) -> str | None:
    """A formula or equation in one spelling, such as ``2H2+O2->2H2O``; None if the text is none.

    One element alone or letters without a number (``CO``) are words or variables as well and count as none.
    """
    if len(text) > _LONGEST or not any(map(str.isdigit, without_markup(text))):
        return None
    bare = _ARROW.sub("->", re.sub(r"\\(?:ce|mathrm|text)\b", "", without_markup(text)))
    bare = re.sub(r"[\s{}_]", "", bare).rstrip(".")
    return bare if _FORMULA.fullmatch(bare) and re.search(r"[A-Za-z)]\d", bare) else None
