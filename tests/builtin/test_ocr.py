"""Text read from images, ChartQA's relaxed accuracy, and the edit distance they and others know."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from test_regions import judge, score

from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.ocr import Anls, Wer, distance
from openvlt_plugins.answers.relaxed import Relaxed

word = st.text(st.sampled_from("abc"), min_size=1, max_size=3)
words = st.lists(word, min_size=1, max_size=8)


def by_table(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for count, item in enumerate(a, start=1):
        above, row = row, [count]
        for place, other in enumerate(b):
            row.append(min(row[-1] + 1, above[place + 1] + 1, above[place] + (item != other)))
    return row[-1]


@given(st.text("abc", max_size=90), st.text("abc", max_size=90))
def test_the_distance_is_that_of_the_table(a: str, b: str) -> None:
    assert distance(a, b) == by_table(a, b) == distance(b, a)


# 1 - distance / longest, 0 from half the characters on
@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        ("Coca Cola", "coca  cola", 1.0), ("abcd", "abce", 0.75), ("abcd", "abxy", 0.0), ("abcde", "abcxy", 0.6),
        ("abcd", "", 0.0), ("abcd", "abcd" * 2, 0.0), ("abcd", "abcdefg", 4 / 7), ('["x", "abcd"]', "abce", 0.75),
        ("[1984, 12]", "12", 1.0), ("[draft]", "[draft]", 1.0), ('["a"', '["a"', 1.0), ("abcd", "abcd" * 1200, 0.0),
        ("é", "é", 1.0),
    ],
)  # fmt: skip
def test_anls(gold: str, said: str, expected: float) -> None:
    assert score(Anls(), gold, said) == pytest.approx(expected)
    assert score(Answer(), gold, said, answer_type="ocr") == pytest.approx(expected)


def test_the_threshold_of_anls() -> None:
    assert score(Anls(threshold=1.0), "abcd", "axyz") == pytest.approx(0.25)
    assert score(Anls(threshold=0.25), "abcd", "abce") == 0


# 1 - (substituted + deleted + inserted) / words of the gold
@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        ("the cat sat", "the cat sat", 1.0), ("the cat sat", "the\n cat  sat ", 1.0), ("the cat sat", "the cat", 2 / 3),
        ("the cat sat", "The cat sat", 2 / 3), ("the cat sat", "the black cat sat", 2 / 3), ("a", "b c d", 0.0),
        ("a b", "", 0.0), ("a", "a " * 9000, 0.0),
    ],
)  # fmt: skip
def test_wer(gold: str, said: str, expected: float) -> None:
    assert score(Wer(), gold, said) == pytest.approx(expected)


@pytest.mark.parametrize("gold", ["", " \n", "[]", '["", "a"]', "x" * 10_001])
def test_golds_that_cannot_be_read(gold: str) -> None:
    assert judge(Anls(), gold, "a").status == "bad_gold"
    if "[" not in gold:
        assert judge(Wer(), gold, "a").status == "bad_gold"


@given(words, words, word)
def test_laws(gold: list[str], said: list[str], more: str) -> None:
    one, other = " ".join(gold), " ".join(said)
    for verifier in (Anls(), Wer()):
        assert judge(verifier, one, one).status == "correct"
        assert (score(verifier, one, other) == 1) == (gold == said)
    assert score(Anls(), one, other) == score(Anls(), other, one)
    assert score(Wer(), one, one + f" x{more}" * 9) < 1
    assert score(Wer(), one, other + " x" * 99) == 0


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("100", "105", True), ("100", "95", True), ("100", "105.1", False), ("100", "94.9", False), ("-4", "-4.1", True),
        ("-4", "4", False), ("0", "0.001", False), ("0", "0", True), ("12%", "12.5%", True), ("$5", "5.1", True),
        ("0.57", "0.55", True), ("5", "5 millions", False), ("5", "NaN", False), ("5", "4 or 5", False),
        ("Asia", "asia", True), ("Asia", "Asian", False), ("Yes", "No", False), ("2008", "2,010", True),
    ],
)  # fmt: skip
def test_relaxed(gold: str, said: str, right: bool) -> None:
    assert (judge(Relaxed(), gold, said).status == "correct") == right
    assert (judge(Answer(), gold, said, answer_type="relaxed").status == "correct") == right


@given(st.integers(1, 10_000), st.floats(0.5, 1.5).filter(lambda share: abs(abs(share - 1) - 0.05) > 1e-6))
def test_relaxed_is_five_percent_of_the_gold(gold: int, share: float) -> None:
    assert (judge(Relaxed(), str(gold), f"{gold * share:.9f}").status == "correct") == (abs(share - 1) < 0.05)
