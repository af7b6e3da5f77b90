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

    Scores 1.0, 0.5 or 0.0. The verdict's ``detail`` holds its ``format`` and ``accuracy``. For replication only; its
    bugs, all kept:

    - the first answer tag wins, so a decoy in the reasoning is graded, and evaluation uses the last one;
    - an answer tag over several lines is not found, and then the whole response is graded;
    - a response without any tag is graded whole: the bare answer earns the full reward;
    - a right answer loses 0.5 if nothing stands between the think and the answer block, while the format it logs is 1
      only then; format counts for nothing;
    - the grader (mathruler 0.1.0, PRM800K) multiplies the letters of short words ("on" is "no"), cuts unit words out
      of others ("monday" is "mon", "day" is the empty answer), refuses fractions that are not reduced, refuses a
      decimal for an integer gold unless it is whole, and knows no tolerance, no choices and no lists without order;
    - an empty gold is matched by an empty response;
    - whatever goes wrong scores 0, golds that cannot be read included.

    The grader's last step evaluated text as code with SymPy's parser. Here what that parser makes of the text is built
    from numbers, letters, operators and a few functions, and never run. Only these are graded differently, as unequal:
    numeric powers above 99, factorials above 1000, and other Python (strings, lists, SymPy's rarer functions).
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
