"""`r1v-compat` grades as mathruler 0.1.0 does, and has the bugs it lists."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mathruler.grader import grade_answer

from openvlt import Claim, Example, Trace
from openvlt_plugins.r1v.expression import Unreadable, vanishes
from openvlt_plugins.r1v.grader import same_answer
from openvlt_plugins.r1v.reward import R1V

DATA = Path(__file__).parents[2] / "../shared/data"
SECONDS = 5.0

GOLDS = (
    "5", "-3", "0.5", "18.05", "12,345", "1.5e-3", "\\frac{1}{2}", "\\frac{3}{4}", "\\frac{1}{\\sqrt{2}}", "\\sqrt{2}",
    "2\\sqrt{3}", "\\frac{\\sqrt{5}-1}{2}", "3\\pi", "\\frac{25\\pi}{2} \\text{ cm}^2", "x^2+3x+2", "y=2x+1", "(2,-2)",
    "[0, \\infty)", "(-\\infty, 1] \\cup [2, 5)", "2 or 3", "30^\\circ", "45 degrees", "25\\%", "\\$7.50", "3 \\text{ m}",
    "S 23.5 ^\\circ W", "2516_8", "H2O", "B", "yes", "Monday", "$1:45$ P.M.", "1 3/4", "2 million", "17!", "\\ln 2",
    "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\text{linear}",
)  # fmt: skip
REWRITTEN = (
    "@", " @ ", "$@$", "\\(@\\)", "\\boxed{@}", "\\mathbf{@}", "\\text{@}", "\\mathrm{@}", "{@}", "(@)", "@.", "@.0",
    "@.00", "0@", "-@", "+@", "@+1", "1*@", "2*@/2", "@/1", "sqrt(@^2)", "x=@", "x = @", "xyz=@", "@ cm", "@ units",
    "@%", "@\\%", "@^\\circ", "@°", "@ days", "@ and @", "@ or @", "(@, @)", "[@, @]", "@\n@", "@ million", "**@**",
    "The answer is @", "@ = @", "@!", "@²", "\\frac{@}{1}", "\\frac @ 1", "\\sqrt{@}", "\\left(@\\right)", "@\\,", "~@",
    "not @", "@|@", "@<@", "'@'", "\\frac@", "@\\sqrt", "@\\text{ a}\\text{ b}",
)  # fmt: skip


@contextmanager
def clock(seconds: float) -> Iterator[list[bool]]:
    """Interrupts what takes longer, and says so: mathruler evaluates text, and swallows whatever is raised in it."""
    late: list[bool] = []

    def interrupt(*_: object) -> None:
        late.append(True)
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def disagreements(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    found = []
    for given, gold in pairs:
        with clock(SECONDS) as late:
            theirs = grade_answer(given, gold)
        assert not late, f"mathruler takes more than {SECONDS:g} s for {given!r} and {gold!r}"
        if same_answer(given, gold) != theirs:
            found.append((given, gold, theirs))
    return found


def test_it_grades_made_pairs_as_mathruler_does() -> None:
    rewritten = [(form.replace("@", gold), gold) for gold in GOLDS for form in REWRITTEN]
    assert len(rewritten) > 2_000
    assert disagreements([*rewritten, *itertools.pairwise(GOLDS), ("e0005y", "e5y"), ("e05y", "e00y")]) == []


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_it_grades_real_pairs_as_mathruler_does() -> None:
    cases = map(json.loads, (DATA / "verifier/cases.jsonl").read_text().splitlines())
    pairs = {(case["response"], case["gold"]) for case in cases}
    questions = list(map(json.loads, (DATA / "mathvision/testmini.jsonl").read_text().splitlines()))
    golds = [question["answer"] for question in questions]
    options = {(option, each["answer"]) for each in questions for option in each["options"]}
    pairs |= options | set(itertools.pairwise(golds))
    assert len(pairs) > 3_500
    assert disagreements(sorted(pairs)) == []


def test_text_is_never_run_as_code(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for hostile in (
        f"open('{mark}','w')",
        "__import__('os').getcwd()",
        "exec('1')",
        "id(1)",
        "'a'*3",
        "[a for a in aa]",
    ):
        assert not same_answer(hostile, "x+1")
        with pytest.raises(Unreadable):
            vanishes(hostile)
    assert not mark.exists()


@pytest.mark.parametrize("text", ["2**100-2**100", "2**2**100", "1001!-1001!", "(x<2)", "eye(2)"])
def test_what_is_refused_is_graded_unequal(text: str) -> None:
    with pytest.raises(Unreadable):
        vanishes(text)


@pytest.mark.parametrize(
    ("response", "gold", "score"),
    [
        ("<think>a</think> so <answer>5</answer>", "5", 1.0),
        ("<think>a</think> so <answer>6</answer>", "5", 0.0),
        ("<think>a</think>\n<answer>5</answer>", "5", 0.5),  # nothing between the blocks
        ("<think><answer>5</answer></think> so <answer>6</answer>", "5", 1.0),  # the first tag wins
        ("<think>a</think> so <answer>\n5\n</answer>", "5", 0.0),  # over several lines: graded whole
        ("5", "5", 1.0),  # no tag: graded whole
        ("<answer>5</answer>", "5", 1.0),  # format counts for nothing
        ("<answer>no</answer>", "on", 1.0),  # letters are multiplied
        ("<answer>mon</answer>", "monday", 1.0),  # "day" is a unit
        ("<answer>day</answer>", "", 1.0),
        ("<answer>2/4</answer>", "1/2", 0.0),  # not reduced
        ("<answer>5.5</answer>", "5", 0.0),
        ("<answer>5.0</answer>", "5", 1.0),
        ("<answer>3, 2</answer>", "2, 3", 0.0),  # lists have an order
        ("", "", 1.0),
        ("<answer>YES</answer>", "yes", 1.0),
        ("<answer>\\sqrt{2}/2</answer>", "\\frac{1}{\\sqrt{2}}", 1.0),
        ("<answer>\\boxed{5}</answer>", "5", 1.0),
    ],
)
def test_the_reward_has_the_bugs_it_lists(response: str, gold: str, score: float) -> None:
    trace = Trace(think="", answer=None, raw=response)
    assert R1V().verify(Claim(trace=trace, example=Example(id="1", question="?", answer=gold))).score == score


@pytest.mark.parametrize(
    ("response", "format", "accuracy"),
    [("<think>a</think><answer>5</answer>", 1.0, 0.5), ("<think>a</think> so <answer>5</answer>", 0.0, 1.0)],
)
def test_the_detail_holds_what_the_original_logs(response: str, format: float, accuracy: float) -> None:
    trace = Trace(think="", answer=None, raw=response)
    verdict = R1V().verify(Claim(trace=trace, example=Example(id="1", question="?", answer="5")))
    assert verdict.detail == {"format": format, "accuracy": accuracy}
