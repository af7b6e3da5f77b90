"""The reward function r1v.py of OpenVLThinker v1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from openvlt import Claim, Verdict, Verifier
from openvlt_plugins.r1v.grader import same_answer

_FORMAT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
# Without DOTALL, as in the original: an answer over several lines is not found.
_ANSWER = re.compile(r"<answer>(.*?)</answer>")
_BETWEEN = re.compile(r"</think>(.*?)<answer>", re.DOTALL)


@dataclass(frozen=True)
class R1V(Verifier):
    """OpenVLThinker's reward (uclanlp/OpenVLThinker, train/easyr1/examples/reward_function/r1v.py), bug for bug.

    Scores 1.0, 0.5 or 0.0. The verdict's ``detail`` has its ``format`` and ``accuracy``. For replication only; all its
    bugs are kept:

    - the first answer tag counts, so a decoy in the reasoning is graded, while evaluation uses the last one;
    - an answer tag over several lines is not found, and the whole response is graded instead;
    - a response without any tag is graded as a whole: the bare answer gets the full reward;
    - a correct answer loses 0.5 if there is no text between the think and the answer block, although the logged format
      is 1 only then; format itself is not rewarded;
    - the grader (mathruler 0.1.0, PRM800K) multiplies the letters of short words ("on" equals "no"), removes unit words
      from other words ("monday" equals "mon", "day" equals the empty answer), refuses fractions that are not reduced,
      refuses a decimal for an integer gold unless it is whole, and has no tolerance, choices or unordered lists;
    - an empty response matches an empty gold;
    - every failure scores 0, including a gold that cannot be parsed.

    The grader's last step evaluated text as code with SymPy's parser. Here the parser's output is built from numbers,
    letters, operators and a few functions, and never run. Only these are graded differently, as unequal: numeric powers
    above 99, factorials above 1000, and other Python (strings, lists, SymPy's rarer functions).
    """

    version: ClassVar[str] = "2"
    imports: ClassVar[tuple[str, ...]] = ("sympy", "sympy.parsing.sympy_parser", "pylatexenc.latex2text")

    def verify(self, claim: Claim) -> Verdict:
        response, gold = claim.response, claim.example.answer
        detail = {"format": float(_FORMAT.fullmatch(response) is not None), "accuracy": 0.0}
        found = _ANSWER.search(response)
        given = found.group(1).strip() if found else response.strip()
        if not (given.lower() == gold.lower() or same_answer(given, gold)):
            return Verdict.scored(0.0, "not graded equal", detail)
        between = _BETWEEN.search(response)
        detail["accuracy"] = 0.5 if between and not between.group(1).strip() else 1.0
        return Verdict.scored(detail["accuracy"], "graded equal", detail)
