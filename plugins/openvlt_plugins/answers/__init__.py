"""The correctness verifiers: is the extracted answer equal to the gold?"""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    here = "openvlt_plugins.answers"
    register("answer", f"{here}.answer:Answer", summary="routes a claim by its answer type; the default everywhere")
    register("math", f"{here}.math:Math", summary="numbers, LaTeX, sets, intervals, equations, algebraic equivalence")
    register("number", f"{here}.number:Number", summary="numbers, with a tolerance or a number of decimals")
    register("choice", f"{here}.multiple_choice:Choice", summary="the letter or the content of one of several choices")
    register("yes-no", f"{here}.words:YesNo", summary="yes or no, true or false")
    register("text", f"{here}.words:Text", summary="words, case and punctuation folded")
    register("list", f"{here}.lists:List", summary="lists, with or without order")
    register("time", f"{here}.clock:Time", summary="clock times and dates")
