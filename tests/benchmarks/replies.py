"""How many replies in prose have an answer by each reading, and whether it is the one that the reply gives.

    uv run python tests/benchmarks/replies.py

The replies are made: sentences in the shapes that four kinds of models give to MathVista's questions, filled with
numbers and choices at random, so that the answer of each is known. Those without an answer are marked: a reading that
finds the right one there is wrong, and one that finds nothing, or nothing readable, leaves them unparsed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from openvlt import Claim, Example, Format, Trace
from openvlt.bench.score import read
from openvlt.extraction import Reading
from openvlt_plugins.answers.answer import Answer

NUMBERS = {
    "bard": (
        "The spring is compressed by {a} cm when the canister is momentarily stopped.\n\nThe work done by the spring "
        "equals the kinetic energy of the canister, {d} J.",
        "Sure. The **age gap** between these two people in the image is **{a} years**.\n\nThe person on the left was "
        "born in 19{d}.",
        "There are {d} objects in the image. After subtracting the {e} cubes, there are **{a}** objects left.",
        "Therefore, there are {a} objects left.",
        "The perimeter of the figure is the sum of its sides.\n\nTherefore, the perimeter of the figure is ${a}$ cm.",
        "The total volume of the measuring cup is {a} grams.\n\nI hope this helps! Let me know if you have any "
        "other questions.",
        "The missing number is {a}. The pattern is that each row adds up to {d}.",
        "To find it, we add the numbers:\n\n* Red: {d}\n* Blue: {e}\n\nAltogether there are {a} marbles.",
        "The image shows a bar chart. The bar with the smallest value has a value of {a}.",
        "I'm sorry, but I cannot determine the age gap of the {d} people in the image.|",
    ),
    "claude": (
        "Okay, let's solve this step-by-step:\n* There are {d} spheres\n* {e} of them are subtracted\n\nSo the number "
        "of objects left is {a}.",
        "Based on the details provided:\n- Mass m = {d} kg\n- Speed v = {e} m/s\n\nBy energy conservation d = {a} cm.",
        "Here are the steps:\n1) x + {d} = {e}\n2) x = {a}\n\nTherefore, x = {a}",
        "The caption mentions {d} people. Therefore the age gap between the two people is {a} years.",
        "Without more context about the figure, I do not have enough information to determine the number. It mentions "
        "{d} lines.|",
        "Unfortunately, I cannot see the image, so I cannot count the {d} objects.|",
        "Since the sum of the angles is 180, the missing angle measures {a} degrees.",
        "Plugging in the values:\nF = {d} * {e}\nF = {a} N\n\nSo the force is {a} N.",
        "There are either {a} or {d} people in the photo.|",
        "Looking at the table, the total of the column is {a}, which is {d} more than the previous one.",
    ),
    "llavar": (
        "In the image, there are a total of {a} objects left after the subtraction, which makes it a simple scene.",
        "The two players in the image are {a} and {d} years old, and they are both standing on the field.|",
        "The smallest individual bar in the whole chart has a value of {a}.",
        "After subtracting all the large rubber spheres and the shiny cylinders, there are {a} objects left.",
        "There is a difference of {a} years between the two people in the image, as they were born in different years.",
        "The value of the smallest bar among all of the bars in the chart is {a}.",
        "{a} objects remain in the scene once all the large cyan spheres have been subtracted from it.",
        "To find the answer, we need to count the objects, and then we see that the final count is {a}.",
        "The missing number in the sequence that is shown in the image is {a}, as it follows the pattern.",
        "The figure has several parts, and it is a colorful and playful scene with many different shapes in it.|",
    ),
    "gpt-4": (
        "To determine the age gap, we compare the two people in the image. The age gap is {a} years.",
        "Adding these up gives {d} + {e} = {a}.",
        "Thus, {a} objects will be left after subtracting {d} spheres.",
        "The measuring cup holds {a} g in total.\n\n(Note that the scale has {d} marks.)",
        "Using the Pythagorean theorem:\n\n\\[ c = \\sqrt{{{d}}} \\]\n\\[ c \\approx {a} \\]",
        "Hence, the total number of people who like both is {a}.",
        "The value lies between {d} and {e}, so it is not possible to give it exactly.|",
        "I count {d} items in the first row and {e} in the second, for a total of {a}.",
        "The final count is **{a}**.\n\nIf you have more questions, feel free to ask.",
        "So x could be {a} or {d}.|",
    ),
}  # fmt: skip
CHOICES = {
    "bard": (
        "The correct option letter is **({L}) {c}**.\n\nThe angles of a triangle add up to 180 degrees.",
        "Sure, the option is {L}, {c}. This is because the lines are parallel.",
        "Based on the graph, {c} performs best overall.\n\n{k} is in second place.",
        "The answer is **({L})**. The function is continuous.",
        "Therefore, the correct choice is ({L}) {c}.\n\nI hope this helps!",
        "The image shows that the largest value belongs to {c}.",
        "({L}) {c}\n\nThe other options, such as ({K}), are too small.",
        "I can't help with images of people yet. Please upload another one.|",
    ),
    "claude": (
        "Based on the information given:\n- The lines are parallel\n- {k} is not parallel\n\nSo the option is {L}) {c}.",
        "So the correct letter would be {L}.",
        "Therefore, based on the caption, I would pick option {L}.",
        "I do not have enough information to determine which of ({L}) and ({K}) is larger.|",
        "By the theorem, the angle is {c}.",
        "The choices are ({L}) {c} and ({K}) {k}. Since the figure is not given, I cannot say which one applies.|",
        "In summary, ({L}) {c} is the choice that matches the caption.",
        "It could be {c} or {k}, depending on the scale.|",
    ),
    "llavar": (
        "The model that performs the best overall across the three stages in the image is {c}.",
        "The option that matches the description in the image best is ({L}) {c}.",
        "In the image, the color that has the largest area under the curve is {c}, as shown.",
        "Among the two, {c} and {k} are both shown in the image, and they look quite similar to each other.|",
        "The largest one in the picture appears to be {c} because it takes up the most space.",
        "It is {c} that has the highest accuracy in the chart of the different models that are compared.",
    ),
    "gpt-4": (
        "From the figure, the value corresponds to {c}, so option {L} fits.",
        "The correct option is {L}: {c}.",
        "Thus, we conclude that {c} has the maximum area.",
        "Comparing the two lines, the best fit is therefore ({L}).",
        "Therefore, ({L}) {c}.",
        "The vertex of the curve lies at point ({L}).|",
        "Hence, neither ({L}) nor ({K}) can be ruled out.|",
    ),
}  # fmt: skip
CONTENTS = (
    ("Dynalang", "EMMA", "R2D2", "IMPALA"), ("135°", "140°", "145°", "150°"), ("red", "dark red", "blue"),
    ("5 cm", "6 cm", "8 cm", "10 cm"), ("a triangle", "a square", "a circle"), ("Light Blue", "Web Maroon", "Peru"),
)  # fmt: skip
YES_NO = {
    "bard": ("{y}. The number of gray objects is larger than that of the others.\n\nThere are {d} of them.",),
    "claude": ("{y}, based on the caption, the number of gray objects is not less than the others: {d} and {e}.",),
    "llavar": ("{y}, the number of small cyan things that are behind the big thing is less than the others.",),
    "gpt-4": ("{y}, there are {d} gray ones and {e} others.", "Counting them gives {d} and {e}. {y}, it is greater."),
}


@dataclass(frozen=True)
class Reply:
    """A reply; `answer` is None where it gives none."""

    model: str
    text: str
    answer: str | None
    example: Example


def replies(seed: int = 0, times: int = 8) -> Iterator[Reply]:
    """The replies, `times` of each shape."""
    draw = random.Random(seed)
    for _ in range(times):
        for kind in (NUMBERS, CHOICES, YES_NO):
            for model, shapes in kind.items():
                for shape in shapes:
                    choices = draw.choice(CONTENTS) if kind is CHOICES else ("Yes", "No") if kind is YES_NO else ()
                    index, other = draw.sample(range(len(choices)), 2) if choices else (0, 0)
                    a, d, e = draw.sample(range(11, 99), 3)
                    yes = draw.choice(("Yes", "No"))
                    names = {
                        "a": str(a),
                        "d": str(d),
                        "e": str(e),
                        "L": chr(65 + index),
                        "K": chr(65 + other),
                        "y": yes,
                    }
                    if choices:
                        names |= {"c": choices[index], "k": choices[other]}
                    answer = yes if kind is YES_NO else chr(65 + index) if choices else str(a)
                    example = Example(
                        id="",
                        question="",
                        answer=answer,
                        choices=choices,
                        answer_type="choice" if choices else "integer",
                    )
                    text, mark, _ = shape.partition("|")
                    yield Reply(model, text.format(**names), None if mark else answer, example)


def outcome(reply: Reply, reading: Reading) -> str:
    """``unparsed``, ``right`` or ``wrong``."""
    trace = read(Trace(think="", answer=None, raw=reply.text), Format(), reading, reply.example)
    if trace.answer is None:
        return "unparsed"
    correct = Answer().verify(Claim(trace=trace, example=reply.example)).status == "correct"
    if reply.answer is None:
        return "wrong" if correct else "unparsed"
    return "right" if correct else "wrong"


if __name__ == "__main__":
    made = list(replies())
    print(f"{len(made)} replies, of which {sum(reply.answer is None for reply in made)} give no answer")
    for model in NUMBERS:
        of_model = [reply for reply in made if reply.model == model]
        for reading in ("tag", "phrase", "anywhere"):
            found = [outcome(reply, reading) for reply in of_model]
            counts = {name: found.count(name) for name in ("right", "wrong", "unparsed")}
            print(f"{model:<8} {reading:<10} {len(found):>4} " + "  ".join(f"{k} {v:>4}" for k, v in counts.items()))
