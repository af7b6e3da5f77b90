"""Intervals and tests against values worked out by other means."""

from __future__ import annotations

import random
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, strategies as st

from openvlt.bench.stats import (
    cluster_bootstrap,
    holm,
    items_needed,
    mcnemar,
    paired_difference,
    paired_p,
    pass_at,
    resampled,
    wilson,
    wilson_of_means,
)

bits = st.lists(st.integers(0, 1), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombes_table(correct: int, n: int, low: float, high: float) -> None:
    assert wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(bits)
def test_wilson_holds_the_rate_and_stays_within_bounds(outcomes: list[int]) -> None:
    low, high = wilson(sum(outcomes), len(outcomes))
    assert 0 <= low <= sum(outcomes) / len(outcomes) + 1e-12
    assert sum(outcomes) / len(outcomes) - 1e-12 <= high <= 1


def test_bootstrap_of_single_questions_agrees_with_the_normal_interval() -> None:
    outcomes = [1.0] * 300 + [0.0] * 700
    low, high = cluster_bootstrap(outcomes, range(1000))
    half = 1.96 * (0.3 * 0.7 / 1000) ** 0.5
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.003)


def test_questions_that_share_an_image_widen_the_interval() -> None:
    outcomes = [float(image % 2) for image in range(100) for _ in range(5)]
    images = [image for image in range(100) for _ in range(5)]
    low, high = cluster_bootstrap(outcomes, images)
    alone = wilson(250, 500)
    assert high - low == pytest.approx(5**0.5 * (alone[1] - alone[0]), rel=0.1)


def test_bootstrap_is_the_same_every_time() -> None:
    outcomes = [float(random.Random(1).random() < 0.5) for _ in range(50)]
    assert cluster_bootstrap(outcomes, range(50)) == cluster_bootstrap(outcomes, range(50))


def test_pairing_narrows_the_interval_of_a_difference() -> None:
    draw = random.Random(2)
    a = [float(draw.random() < 0.5) for _ in range(1000)]
    b = [1.0 if draw.random() < 0.05 else x for x in a]
    found = paired_difference(a, b)
    assert found.difference == pytest.approx((sum(b) - sum(a)) / 1000)
    assert found.low < found.difference < found.high
    assert found.high - found.low < 0.03


def test_a_model_does_not_differ_from_itself() -> None:
    found = paired_difference([1, 0, 1], [1, 0, 1])
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_unpaired_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        paired_difference([1, 0, 1], [1, 0])


@given(st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_agrees_with_counting_every_coin_toss(lost: int, won: int) -> None:
    a = [1] * lost + [0] * won + [1, 0]
    b = [0] * lost + [1] * won + [1, 0]
    n = lost + won
    extreme = sum(1 for toss in product((0, 1), repeat=n) if abs(2 * sum(toss) - n) >= abs(lost - won))
    assert mcnemar(a, b) == pytest.approx(extreme / 2**n)


def test_mcnemar_of_many_questions_does_not_underflow() -> None:
    assert 0 < mcnemar([0] * 5000 + [1] * 4800, [1] * 5000 + [0] * 4800) < 0.05


def test_holm_agrees_with_a_worked_example() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_lowers_a_p_nor_swaps_two(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted, strict=True))
    assert [q for _, q in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)


def test_items_needed_find_the_difference_about_as_often_as_promised() -> None:
    n = items_needed(0.1, discordant=0.3)
    draw, found = random.Random(3), 0
    for _ in range(400):
        tosses = [draw.random() for _ in range(n)]
        a = [1 if t < 0.1 else 0 for t in tosses]
        b = [1 if 0.1 <= t < 0.3 else 0 for t in tosses]
        found += mcnemar(a, b) < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.08)


def test_a_smaller_difference_needs_more_items() -> None:
    assert items_needed(0.02) == pytest.approx(0.2 * ((1.95996 + 0.84162) / 0.02) ** 2, rel=0.002)
    assert items_needed(0.01) > 4 * items_needed(0.02) - 10


def test_a_difference_above_the_discordant_share_cannot_be() -> None:
    with pytest.raises(ValueError, match="discordant"):
        items_needed(0.3, discordant=0.2)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_clusters_that_are_all_alike_have_an_interval(outcome: float) -> None:
    low, high = cluster_bootstrap([outcome] * 40, [image for image in range(20) for _ in range(2)])
    assert (low, high) == pytest.approx(wilson(20 * outcome, 20))


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(n: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(combinations([1] * correct + [0] * (n - correct), k))
    assert pass_at(k, n, correct) == pytest.approx(sum(map(any, draws)) / len(draws))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=12))
def test_flipped_signs_agree_with_mcnemar_where_outcomes_are_whole(pairs: list[tuple[int, int]]) -> None:
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    halves = paired_p([0.5 * x for x in a], [0.5 * y for y in b])
    assert halves == pytest.approx(mcnemar(a, b), abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("skew", [(1.0, 1.0), (0.3, 0.3), (2.0, 8.0), (0.5, 9.5), (20.0, 20.0), (200.0, 200.0)])
def test_intervals_of_avg_at_k_cover(skew: tuple[float, float]) -> None:
    """300 questions of known rates, 8 samples: the interval covers the mean of all such questions, and the one of
    sampling alone that of these 300."""
    random, rate = np.random.default_rng(1), skew[0] / sum(skew)
    covered = np.zeros(2)
    for _ in range(1000):
        rates = random.beta(*skew, size=300)
        samples = random.random((300, 8)) < rates[:, None]
        low, high = wilson_of_means(samples.mean(axis=1).tolist(), 8)
        again = resampled(samples.astype(float).tolist())
        covered += (low <= rate <= high, again[0] <= rates.mean() <= again[1])
    assert (covered >= 930).all() and (covered <= 970).all(), covered


def test_one_sample_a_question_has_the_wilson_interval() -> None:
    assert wilson_of_means([1.0] * 30 + [0.0] * 70, 1) == pytest.approx(wilson(30, 100))
    assert wilson_of_means([0.0] * 50, 8) == wilson(0, 50)
