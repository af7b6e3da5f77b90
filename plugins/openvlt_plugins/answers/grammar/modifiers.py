"""Words that scale, divide, change, bound or deny the number beside them, in any number and inflection.

Behind a number such a word is never a counted noun (``5 millions``, ``5 halved``, ``5 isnt right``), and before one it
makes no label (``half is 5``, ``anything but: 5``). English inflects too freely for a list of words, so the lists hold
stems.
"""

from __future__ import annotations

import re

from openvlt_plugins.answers.grammar.vocabulary import NUMBER_WORDS

_split = str.split
_SCALES = _split(
    """
    dozen score gross grand hundred thousand mil million mln milliard billion bn trillion quadrillion lakh lac
    mill thou kilo mega giga tera milli micro nano crore myriad pair couple trio fold permille ppm
    """
)
_NUMBERS = "|".join(sorted(map(re.escape, {*NUMBER_WORDS, "fif", "eigh", "nin", "twelf", *_SCALES}), key=len)[::-1])
_ROUND = "twent|thirt|fort|fift|sixt|sevent|eight|ninet"
_SCALE = re.compile(
    rf"(?:{_NUMBERS}|(?:[mb]|tr)i+l+i*on|hun?d[er]{{2,3}}d|th?[ou]{{1,3}}s[ae]?nd|do[sz]{{1,2}}[ei]n)s?"
)
_PART = re.compile(rf"(?:half|halves|thirds?|quarters?|(?:{_NUMBERS}|(?:{_ROUND})ie)ths?|ths)")
_CONTRACTION = re.compile(
    r"(?:is|are|was|were|do|does|did|ca|wo|could|would|should|has|have|had|ai|must|need)nt|(?:is|are|was|does|did|wo)n"
)
_CHANGE = re.compile(
    r"(?:exclu[ds]|eliminat|reject|remov|omit|discard|ignor|negat|invers|invert|doubl|tripl|quadrupl|halv|divid"
    r"|multiplied|multiply|squared|cubed|subtract|deduct|truncat|reciproc|opposit|revers|contradict|refut|disprov"
    r"|cancel|flipp|mirror|misread|mistook|squaring|cubing|forbid|prohibit|banned|disallow|supposed|incorrect|invalid|untru|impossib|improbab|unlikel|inaccura|inexact|erroneous|disagree|fail|(?:over|under)(?:estimat|stat|count))[a-z]*"
    r"|(?:un|in|im)[a-z]{3,}[ai]ble|[a-z]*fold"
)
_DENIAL = re.compile(
    r"not|no|nor|never|neither|none|nothing|nope|nah|neg|cannot|wrong(?:ly)?|false(?:ly)?|non|nil|void|null|except|excluding|without|minus|negative"
    r"|unlike|barring|besides?|apart|contrast|contrary|versus|vs|instead|anything|plus|itself|twice|thrice|factorial|root|mod(?:ulo)?|ruled|crossed|denied|than|less|more"
    r"|fewer|greater|smaller|larger|over|under|below|above|point"
)
_NO_NOUN = re.compile(
    r"(?!(?:butter|dragon)?fly|famil|assembl|jelly|lily|belly|rally|bully|supply|anomaly|monopoly)[a-z]{3,}ly"
    r"|for|from|to|of|as|at|by|with|on|be|been|is|was|are|were|answer|guess|solution|value|result|bound"
)
"""Adverbs, prepositions and verbs, and what a number would be and not count."""
_CONNECTIVES = frozenset(_split("as by from but like after before"))
_NOUN_IN_ED = re.compile(r"[a-z]*eed|[a-z]?[bhl]ed|hundred|shed|sled")
_BOUND = frozenset(_split("least most upper lower bound beyond exceeds"))
_SHAPE = re.compile(r"(?:square|cube)s?")
_AROUND = re.compile(
    r"(?:too|off|away|past|beyond|short of|times (?:as|the))\b"
    r"|.*\b(?:off|away|out|down|short|shy|max(?:imum)?|min(?:imum)?"
    r"|higher|lower|longer|shorter|(?:up|down|back|for|out|in|on)wards?)$"
)
"""Begins or ends what is behind a number and changes it: 5 too many, 5 marks off, but not 5 short sticks."""
_UNTRUE = re.compile(
    r"fake|decoy|trap|typo|guess|bogus|placeholder|dummy|extraneous|supremum|infimum|predecessor|successor"
    r"|(?:distract|mistak|tempt|hypothe|decept|mislead|spurious)[a-z]*"
)
_OWN = frozenset(
    _split(
        """
        so therefore thus hence then and this that is final correct right required desired exact numeric numerical
        simplified overall best my our your
        """
    )
)
"""Words before "answer" that leave it the answer; the old, the naive and the log of the answer are others."""
_CHINESE = re.compile(
    "不(?!同)|非(?!洲)|半(?!径)|[错误负倍]|假(?![设期日])|超[过出]|除[以了外]|^的|以[上下外内]|至[少多]|[大小多少低高]于"
    "|的[平立]方|[平立]方(?:根|$)|相反|倒数|分之|^[百千万亿]"
)
"""What changes a number in Chinese, where words are not separated."""
_PAST = re.compile(
    r"\b(?:old|previous|former|naive) (?:value|result|number)\b|\b(?:(?:would|should|could) have been|used to be)\b"
    r"|save for|in place of"
)
"""What is said of another value than the one asked for."""
_TAKEN = re.compile(r"(?<!of )\b(?:square|cube)s?\b(?: root)?(?= of|$)|\b(?:square|cube) root|\banswer s\b")


def denies(word: str) -> bool:
    """True for a word that scales, divides, changes or denies a number next to it."""
    if not word.isascii() and _CHINESE.search(word):
        return True
    return any(pattern.fullmatch(word) for pattern in (_SCALE, _PART, _CONTRACTION, _CHANGE, _DENIAL))


def counts(words: list[str]) -> bool:
    """True if words behind a number may be a counted noun: none changes the number, and the last is no participle."""
    participle = words[-1].endswith("ed") and not _NOUN_IN_ED.fullmatch(words[-1])
    changed = words[0] in _CONNECTIVES or any(denies(word) or _SHAPE.fullmatch(word) for word in words)
    return not (participle or changed or _NO_NOUN.fullmatch(words[-1]) or _AROUND.match(" ".join(words)))


def labels(words: list[str]) -> bool:
    """True if words before a number may be a label that can be dropped: none negates, bounds or transforms it.

    A square may be a shape (area of the square = 5) but is none where it is taken (the square of x is 5). What ends
    in a preposition takes the number (log of: 5).
    """
    content = [word for word in words if word not in {"a", "an", "the", "its"}]
    before = content[: content.index("answer")] if "answer" in content else []
    changed = any(denies(word) or _UNTRUE.fullmatch(word) for word in content)
    text = " ".join(content)
    open_ended = words[-1] in {"of", "by", "than", "from", "but"}
    bounded = changed or open_ended or not _BOUND.isdisjoint(content) or _TAKEN.search(text) or _PAST.search(text)
    return _OWN.issuperset(before) and not bounded
