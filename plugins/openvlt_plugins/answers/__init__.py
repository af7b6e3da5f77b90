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
    register("relaxed", f"{here}.relaxed:Relaxed", summary="numbers within 5 %, else text (ChartQA)")
    register("anls", f"{here}.ocr:Anls", summary="text by edit distance in characters (DocVQA)")
    register("wer", f"{here}.ocr:Wer", summary="text by edit distance in words")
    register("box", f"{here}.regions.boxes:Box", summary="one or several boxes by their overlap")
    register("point", f"{here}.regions.pointing:Point", summary="one or several points in regions, or near points")
    register("detection", f"{here}.regions.detection:Detection", summary="labelled boxes by average precision (COCO)")
