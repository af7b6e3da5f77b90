"""Boxes and points: the table of docs/verifiers.md, what no policy may find, and laws over generated boxes."""

from __future__ import annotations

import json
import random
import re
from itertools import permutations
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from openvlt import AnswerType, AnswerVerifier, Claim, Example, Image, Trace, Verdict
from openvlt.cli.verify import TYPES
from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.regions.boxes import Box
from openvlt_plugins.answers.regions.detection import Detection
from openvlt_plugins.answers.regions.overlap import best_total, giou, iou
from openvlt_plugins.answers.regions.pointing import Point

DOCUMENT = Path(__file__).parents[2] / "docs" / "verifiers.md"
WHOLE = [0, 0, 1000, 1000]
OVERLAP = Box(threshold=None)

coordinate = st.integers(-1000, 1000)
size = st.integers(1, 500)
box = st.builds(lambda x, y, w, h: [x, y, x + w, y + h], coordinate, coordinate, size, size)
boxes = st.lists(box, min_size=1, max_size=6)
labelled = st.lists(st.fixed_dictionaries({"bbox_2d": box, "label": st.sampled_from(["cat", "dog"])}), min_size=1)


def judge(verifier: AnswerVerifier, gold: Any, said: Any, **known: Any) -> Verdict:
    gold, said = (text if isinstance(text, str) else json.dumps(text) for text in (gold, said))
    example = Example(id="1", question="?", answer=gold, **known)
    return verifier.verify(Claim(trace=Trace(think="", answer=said, raw=said), example=example))


def score(verifier: AnswerVerifier, gold: Any, said: Any, **known: Any) -> float:
    found = judge(verifier, gold, said, **known).score
    assert found is not None and 0 <= found <= 1
    return found


def documented() -> list[list[str]]:
    table = DOCUMENT.read_text(encoding="utf-8").partition("<!-- rows -->")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `(.*?)` \| `(.*?)` \| (`+) ?(.*?) ?\3 \| (.*?) \|", table, re.MULTILINE)
    return [
        [cell.replace("\u23ce", "\n").replace("\\|", "|") for cell in (kind, gold, said, verdict)]
        for kind, gold, _, said, verdict in rows
    ]


@pytest.mark.parametrize(("answer_type", "gold", "said", "verdict"), documented())
def test_documented_rows(answer_type: Any, gold: str, said: str, verdict: str) -> None:
    found = judge(Answer(), gold, said, answer_type=answer_type)
    status, _, expected = verdict.partition(" ")
    assert found.status == status
    assert not expected or found.score == pytest.approx(float(expected), abs=0.005)


def test_the_table_and_the_answer_types_are_complete() -> None:
    assert len(documented()) >= 20
    assert get_args(AnswerType) == TYPES


@pytest.mark.parametrize(
    "said",
    [
        "[1, 2, 3]", "[1, 2, 3, 4, 5]", "[3, 2, 1, 4]", "[1, 4, 3, 2]", "[1, 2, 1, 4]", "[1, 2, 3, 2]", "NaN", "[0, 0, 1e-200, 1e-200]",
        "[NaN, NaN, NaN, NaN]", "[1, 2, Infinity, 4]", "[1, 2, 1e999, 4]", "[1, 2, 1e7, 4]", '["1", "2", "3", "4"]',
        "[true, 2, 3, 4]", "[null, 2, 3, 4]", "[1, 2, 3, 4], 5", "[[1, 2, 3, 4], 5]", "[[1, 2, 3, 4], [1, 2, 3]]",
        "not [1, 2, 3, 4]", "[1, 2, 3, 4] or [5, 6, 7, 8]", "[1, 2, 3, 4] is wrong", "anything but: [1, 2, 3, 4]",
        '{"bbox": [1, 2, 3, 4]}', '{"bbox_2d": {"bbox_2d": [1, 2, 3, 4]}}', '"[1, 2, 3, 4]"', ".", "```", "``````",
        "the box", "{}", "[{}]", "[[]]", "[[[[[1, 2, 3, 4]]]]]", "(1, 2), (3, 4), (5, 6)", "\\u0661", "1.2.3.4",
        "[" * 3000, "[" * 1000 + "]" * 1000, '{"a":' * 600 + "1" + "}" * 600, "1" * 4000, "[" + "9" * 3000 + ",2,3,4]",
        "[1, 2, 3, 4]" * 110, "[1, 2, 3, 4], " * 300, "x" * 5000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("verifier", [Box(), OVERLAP, Box(threshold=None, overlap="giou")])
def test_a_box_that_cannot_be_read_scores_nothing(verifier: Box, said: str) -> None:
    assert (judge(verifier, [1, 2, 3, 4], said).status, score(verifier, [1, 2, 3, 4], said)) in [
        ("incorrect", 0.0),
        ("unparsed", 0.0),
    ]
    assert judge(verifier, said, [1, 2, 3, 4]).status == "bad_gold"


@pytest.mark.parametrize(
    ("said", "score_of_points"),
    [
        ('<point x="20.5" y="30" alt="a cat\'s x">cat</point>', 1.0),
        ('<points x1="20" y1="30" x2="90" y2="90" alt="cats">cats</points>', 0.5),
        ('<points x1="20" y1="30" x2="90" alt="cats">cats</points>', 0.0),
        ('<point x="90" y="90" alt="x=\'20\' y=\'30\'">cat</point>', 0.0),
        ('<point x="20" y="30">cat</point> or <point x="90" y="90">cat</point>', 0.0),
        ("The point is (20, 30).", 1.0),
        ("point: (20, 30)", 1.0),
        ("The coordinates of the cat are (20, 30)", 1.0),
        ("`(20, 30)`", 1.0),
        ("$(20, 30)$", 1.0),
        ("```python\n[20, 30]\n```", 1.0),
        ("The point is not (20, 30)", 0.0),
        ("not the point: (20, 30)", 0.0),
        ("```[20, 30]\n``` ```\n[90, 90]\n```", 0.0),
    ],
)
def test_points_as_models_write_them(said: str, score_of_points: float) -> None:
    assert score(Point(), [10, 10, 50, 50], said) == score_of_points


@pytest.mark.parametrize("verifier", [Box(), Detection(), Point()])
def test_nothing_for_nothing(verifier: AnswerVerifier) -> None:
    some = [{"bbox_2d": [1, 2, 3, 4], "label": "cat", "point_2d": [2, 3], "radius": 1}]
    assert judge(verifier, "[]", "[]").status == "correct"
    assert judge(verifier, "[]", some).status == "incorrect"
    assert judge(verifier, some, "[]").status == "incorrect"
    assert judge(verifier, " ", "[]").status == "bad_gold"
    assert judge(verifier, "[]", "none").status == "incorrect"


def test_overlaps_worked_out_by_hand() -> None:
    assert iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert giou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7 - 2 / 9)
    assert giou((0, 0, 1, 1), (2, 0, 3, 1)) == pytest.approx(-1 / 3)
    assert score(OVERLAP, [[0, 0, 2, 2], [10, 10, 12, 12]], [[10, 10, 12, 12], [1, 1, 3, 3]]) == pytest.approx(4 / 7)
    assert judge(Box(threshold=0.1), [0, 0, 2, 2], [1, 1, 3, 3]).status == "correct"
    assert judge(Box(threshold=0.15), [0, 0, 2, 2], [1, 1, 3, 3]).status == "incorrect"


@pytest.mark.parametrize("overlap", ["iou", "giou"])
def test_the_whole_image_is_not_the_box(overlap: Any) -> None:
    assert judge(Box(overlap=overlap), [100, 100, 300, 300], WHOLE).status == "incorrect"


def test_coordinates_are_converted_by_the_size_of_the_image() -> None:
    known = {"images": (Image("", 200, 400),)}
    pixels, fractions, thousandths = [20, 40, 100, 200], [0.1, 0.1, 0.5, 0.5], [100, 100, 500, 500]
    for verifier in (
        Box(threshold=0.999, coordinates="fractions"),
        Box(threshold=0.999, coordinates="fractions", gold_coordinates="pixels"),
    ):
        assert judge(verifier, pixels, fractions, **known).status == "correct"
        assert judge(verifier, pixels, pixels, **known).status == "incorrect"
    assert judge(Box(coordinates="thousandths"), pixels, thousandths, **known).status == "correct"
    assert judge(Box(coordinates="pixels", gold_coordinates="thousandths"), thousandths, pixels, **known).score == 1
    assert judge(Box(coordinates="thousandths", gold_coordinates="fractions"), fractions, thousandths).score == 1
    assert judge(Box(coordinates="pixels"), pixels, pixels).status == "correct"
    assert judge(Point(coordinates="fractions"), pixels, [0.3, 0.3], **known).status == "correct"
    unknown = judge(Box(coordinates="fractions"), pixels, fractions)
    assert unknown.status == "bad_gold" and "size of the image" in unknown.reason


@given(boxes, boxes, st.randoms(use_true_random=False))
def test_laws_of_boxes(golds: list[Any], said: list[Any], chance: random.Random) -> None:
    for verifier in (Box(), OVERLAP, Box(threshold=None, overlap="giou")):
        assert judge(verifier, golds, golds).status == "correct"
        found = score(verifier, golds, said)
        assert found == pytest.approx(score(verifier, said, golds))
        mixed = chance.sample(said, len(said))
        assert found == pytest.approx(score(verifier, golds, mixed))
        assert (score(OVERLAP, golds, said) == 1) == (sorted(golds) == sorted(said))


@given(boxes, boxes, st.integers(1, 40))
def test_wrong_boxes_never_raise_the_score(golds: list[Any], said: list[Any], count: int) -> None:
    wrong = [[x, 5000, x + 10, 5010] for x in range(count)]
    for verifier in (Box(), OVERLAP):
        assert score(verifier, golds, said + wrong) <= score(verifier, golds, said)
        assert score(verifier, golds, wrong + golds) < 1
    assert score(OVERLAP, golds, golds + said) < 1


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(st.floats(0, 1), min_size=n, max_size=n), min_size=1, max_size=5)))  # fmt: skip
def test_the_matching_is_the_best_of_all(scores: list[list[float]]) -> None:
    rows, columns = sorted((scores, list(zip(*scores, strict=True))), key=len)
    best = max(sum(rows[r][c] for r, c in enumerate(order)) for order in permutations(range(len(columns)), len(rows)))
    assert best_total(scores) == pytest.approx(best)


CAT, DOG, OTHER_CAT, NOTHING = [0, 0, 10, 10], [20, 20, 30, 30], [40, 0, 50, 10], [70, 70, 80, 80]


# AP50 and AP of pycocotools 2.0.11 for one image and scores that fall with the rank
@pytest.mark.parametrize(
    ("said", "ap50", "mean"),
    [
        ([("cat", CAT), ("cat", OTHER_CAT), ("dog", DOG)], 1.0, 1.0),
        ([("cat", [0, 0, 10, 8]), ("cat", OTHER_CAT), ("dog", DOG)], 1.0, 0.887871),
        ([("cat", CAT), ("dog", DOG)], 0.752475, 0.752475),
        ([("cat", NOTHING), ("cat", CAT), ("cat", OTHER_CAT), ("dog", DOG)], 0.833333, 0.833333),
        ([("cat", CAT), ("cat", CAT), ("cat", OTHER_CAT), ("dog", DOG)], 0.917492, 0.917492),
        ([("cat", CAT), ("cat", OTHER_CAT), ("dog", NOTHING), ("cow", DOG)], 0.5, 0.5),
        ([("cat", [1, 1, 10, 10]), ("dog", [20, 21, 33, 30]), ("cat", [40, 0, 50, 6])], 1.0, 0.500990),
        ([("dog", CAT)], 0.0, 0.0),
    ],
)
def test_average_precision_is_cocos(said: list[Any], ap50: float, mean: float) -> None:
    golds = [("cat", CAT), ("cat", OTHER_CAT), ("Dog", DOG)]
    gold, answer = ([{"bbox_2d": corners, "label": label} for label, corners in each] for each in (golds, said))
    assert score(Detection(metric="AP50", penalise_extra=False), gold, answer) == pytest.approx(ap50, abs=1e-6)
    assert score(Detection(penalise_extra=False), gold, answer) == pytest.approx(mean, abs=1e-6)
    assert score(Detection(), gold, answer) == pytest.approx(mean * min(1, 3 / len(said)), abs=1e-6)


@given(labelled, labelled, st.integers(1, 30), st.integers(0, 10))
def test_laws_of_detection(golds: list[Any], said: list[Any], count: int, at: int) -> None:
    wrong = [{"bbox_2d": [x, 5000, x + 10, 5010], "label": "cat"} for x in range(count)]
    for verifier in (Detection(), Detection(metric="AP50")):
        assert score(verifier, golds, golds) == 1
        assert score(verifier, golds, said[:at] + wrong + said[at:]) <= score(verifier, golds, said) + 1e-12
        assert score(verifier, golds, golds + wrong) < 1
        assert score(verifier, golds, [one | {"label": "cow"} for one in golds]) == 0


def test_detection_needs_labels() -> None:
    gold = [{"bbox_2d": CAT, "label": "cat"}]
    assert judge(Detection(), gold, [CAT]).status == "incorrect"
    assert judge(Detection(), gold, "(0,0),(10,10)").status == "incorrect"
    assert judge(Detection(), [CAT], gold).status == "bad_gold"


SQUARE = {"polygon": [[0, 0], [10, 0], [10, 10], [0, 10]]}
NOTCHED = {"polygon": [[0, 0], [10, 0], [10, 10], [5, 5], [0, 10]]}


@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        ([0, 0, 10, 10], [5, 5], 1), ([0, 0, 10, 10], [10, 10], 1), ([0, 0, 10, 10], [10.01, 10], 0),
        (SQUARE, [0, 3], 1), (SQUARE, [11, 0], 0), (SQUARE, [-1, 0], 0), (SQUARE, [10, 10], 1),
        (NOTCHED, [5, 7], 0), (NOTCHED, [5, 5], 1), (NOTCHED, [5, 4], 1), (NOTCHED, [1, 8], 1), (NOTCHED, [9, 8], 1),
        ({"point_2d": [5, 5], "radius": 5}, [8, 9], 1), ({"point_2d": [5, 5], "radius": 5}, [8, 9.01], 0),
        ([SQUARE, [20, 20, 30, 30]], [[25, 25], [5, 5]], 1), ([SQUARE, [20, 20, 30, 30]], [[5, 5]], 0.5),
        ([SQUARE, [20, 20, 30, 30]], [[5, 5], [6, 6]], 0.5), (SQUARE, [[5, 5], [6, 6], [50, 50]], 1 / 3),
        (SQUARE, [0, 0, 10, 10], 0), (SQUARE, SQUARE, 0), (SQUARE, {"point_2d": [5]}, 0), (SQUARE, "5, 5", 1),
        (SQUARE, [[5, 5]] * 101, 0),
    ],
)  # fmt: skip
def test_points(gold: Any, said: Any, expected: float) -> None:
    assert score(Point(), gold, said) == pytest.approx(expected)


def test_a_gold_point_needs_a_distance() -> None:
    assert judge(Point(distance=5), [5, 5], [8, 9]).status == "correct"
    assert judge(Point(distance=4.9), [[5, 5]], "(8, 9)").status == "incorrect"
    line = {"polygon": [[1, 1], [2, 2], [3, 3]]}
    for gold in ([5, 5], {"point_2d": [5, 5], "radius": 0}, line, {"polygon": 3}, {"polygon": [[0, 0], 1]}, {"x": 3}):
        assert judge(Point(), gold, [5, 5]).status == "bad_gold"


@given(st.lists(st.tuples(coordinate, coordinate).map(list), min_size=1, max_size=8), st.integers(1, 30))
def test_laws_of_points(golds: list[Any], count: int) -> None:
    near, wrong = Point(distance=0.5), [[5000 + x, 0] for x in range(count)]
    assert judge(near, golds, golds).status == "correct" == judge(near, golds, golds[::-1]).status
    assert score(near, golds, golds[:-1] + wrong) <= score(near, golds, golds[:-1] or "[]")
    assert score(near, golds, golds + wrong) < 1


@given(st.text(st.sampled_from('[](){}<|>,.: \n`"-0159eEbox_2dpointNa'), max_size=80))
def test_any_text_has_a_verdict(said: str) -> None:
    for verifier in (Box(), Detection(), Point(distance=1.0)):
        assert judge(verifier, [0, 1, 5, 9], said).status in {"correct", "partial", "incorrect", "unparsed", "bad_gold"}
        assert judge(verifier, said, [0, 1, 5, 9]).status in {"correct", "partial", "incorrect", "unparsed", "bad_gold"}
