"""The rewards for length and repetition, against values worked out by hand from the formulas they cite."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from openvlt import Claim, Example, Trace, Verdict
from openvlt_plugins.shaping.format import TagCount
from openvlt_plugins.shaping.length import Cosine, GroupLength, Overlong
from openvlt_plugins.shaping.repetition import Repetition

EXAMPLE = Example(id="1", question="?", answer="7")


def claim(raw: str = "", *, tokens: int | None = None, counted: int = 0, correct: bool = False) -> Claim:
    """A response with so many token ids, or else so many tokens counted by the engine."""
    return Claim(
        trace=Trace(think="", answer=None, raw=raw, completion_tokens=counted),
        example=EXAMPLE,
        token_ids=None if tokens is None else tuple(range(tokens)),
        verdicts={"answer": Verdict.correct() if correct else Verdict.incorrect()},
    )


# limit 100, buffer 20: ((100 - 20) - n) / 20 for 80 < n <= 100
@pytest.mark.parametrize(
    ("tokens", "score"),
    [
        (0, 0.0),
        (79, 0.0),
        (80, 0.0),
        (81, -0.05),
        (85, -0.25),
        (90, -0.5),
        (99, -0.95),
        (100, -1.0),
        (101, -1.0),
        (999, -1.0),
    ],
)
def test_overlong_is_equation_13_of_dapo(tokens: int, score: float) -> None:
    verdict = Overlong(limit=100, buffer=20).verify(claim(tokens=tokens))
    assert verdict.score == pytest.approx(score)
    assert verdict.score is not None and math.copysign(1, verdict.score) == (-1 if score else 1)  # never "-0.0"


def test_overlong_counts_token_ids_before_what_the_engine_counted() -> None:
    overlong = Overlong(limit=100, buffer=20)
    assert overlong.verify(claim(counted=90)).score == -0.5
    assert overlong.verify(claim(tokens=85, counted=90)).score == -0.25
    assert overlong.verify(claim("many words " * 99)).status == "not_applicable"


def test_overlong_may_grow_from_the_first_token() -> None:
    assert Overlong(limit=10, buffer=10).verify(claim(tokens=3)).score == pytest.approx(-0.3)
    with pytest.raises(ValueError, match="buffer must be at most limit"):
        Overlong(limit=10, buffer=11)


# lambda = 0.5 - (n - shortest) / (longest - shortest); a wrong response earns min(0, lambda)
@pytest.mark.parametrize(
    ("lengths", "correct", "scores"),
    [
        ((10, 20, 30), (True, True, True), (0.5, 0.0, -0.5)),
        ((10, 20, 30), (False, False, False), (0.0, 0.0, -0.5)),
        ((30, 10, 15, 25), (True, False, True, False), (-0.5, 0.0, 0.25, -0.25)),
        ((1, 2), (False, True), (0.0, -0.5)),
        ((0, 4), (True, True), (0.5, -0.5)),
        ((12, 12, 12), (True, False, True), (0.0, 0.0, 0.0)),
        ((12,), (True,), (0.0,)),
        ((), (), ()),
    ],
)
def test_length_is_the_reward_of_kimi(
    lengths: tuple[int, ...], correct: tuple[bool, ...], scores: tuple[float, ...]
) -> None:
    claims = [claim(tokens=length, correct=right) for length, right in zip(lengths, correct, strict=True)]
    assert [verdict.score for verdict in GroupLength().verify_group(claims)] == pytest.approx(list(scores))


def test_length_counts_words_where_tokens_of_any_response_are_unknown() -> None:
    # 2, 4 and 3 words; the first two would be 90 and 10 tokens
    group = [
        claim("a b", tokens=90, correct=True),
        claim("a b c d", counted=10, correct=True),
        claim("a b c", correct=True),
    ]
    assert [verdict.score for verdict in GroupLength().verify_group(group)] == [0.5, -0.5, 0.0]
    counted = [claim("a b", tokens=90, correct=True), claim("a b c d", counted=10, correct=True)]
    assert [verdict.score for verdict in GroupLength().verify_group(counted)] == [-0.5, 0.5]


def test_length_of_a_response_alone_is_zero() -> None:
    assert GroupLength().verify(claim("a b c", correct=True)).score == 0.0


# -(1 - distinct / all) over n-grams
@pytest.mark.parametrize(
    ("raw", "size", "score"),
    [
        ("", 3, 0.0),
        ("a b", 3, 0.0),
        ("a b c", 3, 0.0),  # 1 of 1
        ("a b c d", 3, 0.0),
        ("a a a a", 3, -0.5),  # aaa, aaa
        ("a b a b a b", 2, -0.6),  # ab ba ab ba ab: 2 of 5
        ("a b c a b c", 3, -0.25),  # abc bca cab abc: 3 of 4
        ("A a", 1, -0.5),  # case is ignored
        ("a  \n a", 1, -0.5),
        ("x " * 100, 1, -0.99),
    ],
)
def test_repetition_is_the_share_of_repeated_n_grams(raw: str, size: int, score: float) -> None:
    assert Repetition(size=size).verify(claim(raw)).score == pytest.approx(score)


def test_repetition_looks_at_tokens_where_there_are_any() -> None:
    repeated = Claim(trace=Trace(think="", answer=None, raw="all words differ"), example=EXAMPLE, token_ids=(4, 4, 4))
    assert Repetition(size=1).verify(repeated).score == pytest.approx(-2 / 3)
    assert Repetition(size=3).verify(claim("a a a a", tokens=0)).score == 0.0


# end + (start - end) (1 + cos(pi n / limit)) / 2; the values of the scripts of eddycmu/demystify-long-cot
@pytest.mark.parametrize(
    ("tokens", "correct", "score"),
    [
        (0, True, 2.0), (25, True, 1.853553), (50, True, 1.5), (99, True, 1.000247), (100, True, -10.0),
        (0, False, -10.0), (25, False, -8.535534), (50, False, -5.0), (99, False, -0.002467), (500, False, -10.0),
    ],
)  # fmt: skip
def test_cosine_is_the_length_reward_of_2502_03373(tokens: int, correct: bool, score: float) -> None:
    verdict = Cosine(limit=100).verify(claim(tokens=tokens, correct=correct))
    assert verdict.score == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("verdict", [Verdict.scored(1.0), Verdict.bad_gold("?"), Verdict.lost("?"), None])
def test_cosine_needs_to_know_what_is_correct(verdict: Verdict | None) -> None:
    known = claim(tokens=5)
    unknown = replace(known, verdicts={} if verdict is None else {"one": verdict})
    assert Cosine().verify(unknown).status == "not_applicable" == Cosine().verify(claim("a b")).status
    assert Cosine().verify(known).status == "scored"
    unparsed = replace(known, verdicts={"answer": Verdict.unparsed("?")})
    assert Cosine().verify(unparsed).score == Cosine().verify(known).score


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("<think>a</think><answer>b</answer>", 1.0),
        ("a</think><answer>b</answer>", 1.0),
        ("<think>a<answer>b</answer>", 0.75),
        ("<think><think>a</think><answer>b</answer>", 0.75),
        ("<answer>b", 0.25),
        ("", 0.0),
        ("<think></think><answer></answer>" * 2, 0.0),
        ("<answer>" * 9999, 0.0),
    ],
)
def test_tag_count_is_a_quarter_for_each_tag(response: str, score: float) -> None:
    assert TagCount().verify(claim(response)).score == score


def test_tag_count_without_a_prefilled_tag() -> None:
    assert TagCount(prefilled=False).verify(claim("a</think><answer>b</answer>")).score == 0.75
