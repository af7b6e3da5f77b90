"""Confidence intervals and tests for rates over the same questions; an outcome is a score from 0 to 1.

Bootstraps have a fixed seed, so the same outcomes always give the same interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil, comb, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from openvlt.records import Estimate, Paired

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z95 = NormalDist().inv_cdf(0.975)
DRAWS = 10_000
SEED = 20_240_607


def wilson(correct: float, n: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a rate (Wilson 1927, J. Am. Stat. Assoc. 22, eq. 8).

    Args:
        correct: how many of `n`; need not be an integer.
        n: number of outcomes; for 0 the interval is (0, 1).
        z: normal quantile; the default makes the interval 95 %.
    """
    return _wilson(correct / n, n, z) if n else (0.0, 1.0)


def _wilson(rate: float, n: float, z: float = Z95) -> tuple[float, float]:
    centre = rate + z * z / (2 * n)
    spread = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def wilson_of_means(means: Sequence[float], samples: int) -> tuple[float, float]:
    """The 95 % interval of avg@k, over questions and their samples: Wilson's, at the number of answers they are worth.

    That number is p (1 - p) over the variance of the mean, which the variance between questions alone gives, since the
    mean of a question's samples varies with both (Miller 2024, arXiv 2411.00640, 3.1). It is between the number of
    questions and that of all answers.

    Args:
        means: the mean of each question's samples.
        samples: of each question.
    """
    n = len(means)
    if n == 0:
        return 0.0, 1.0
    rate = sum(means) / n
    variance = sum((mean - rate) ** 2 for mean in means) / max(n - 1, 1) / n
    worth = rate * (1 - rate) / variance if variance else float(n)
    worth = min(max(worth, n), n * samples)
    return _wilson(rate, worth)


def resampled(outcomes: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95 % interval of avg@k if the same questions are sampled again: Wilson's, at the variance of sampling alone.

    Samples that are all alike in each question show no such variance; the interval is then that of as many answers.

    Args:
        outcomes: of the samples of each question.
    """
    n = len(outcomes)
    if n == 0:
        return 0.0, 1.0
    means = [sum(each) / len(each) for each in outcomes]
    rate = sum(means) / n
    of_samples = [p * (1 - p) / (len(each) - 1) for p, each in zip(means, outcomes, strict=True) if len(each) > 1]
    variance = sum(of_samples) / n**2
    return _wilson(rate, rate * (1 - rate) / variance if variance else float(sum(map(len, outcomes))))


def pass_at(k: int, n: int, correct: int) -> float:
    """The chance that one of `k` samples is right, unbiased, from `n` of which `correct` are (Chen et al. 2021, arXiv
    2107.03374, eq. 1)."""
    return 1.0 - comb(n - correct, k) / comb(n, k)


def estimate(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of one value a question, with its cluster bootstrap."""
    low, high = cluster_bootstrap(values, range(len(values)) if clusters is None else clusters)
    return Estimate(sum(values) / len(values) if values else 0.0, low, high)


def cluster_bootstrap(
    outcomes: Sequence[float], clusters: Sequence[Hashable], draws: int = DRAWS
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean when whole clusters are drawn (Cameron, Gelbach and Miller 2008, 2.2).

    Clusters that are all alike, such as all right, show no spread to draw from; the interval is then Wilson's, of as
    many answers as clusters.

    Args:
        outcomes: one for each question.
        clusters: the image or problem each question belongs to.
        draws: bootstrap samples.
    """
    if not outcomes:
        return 0.0, 1.0
    sums, sizes = _totals(outcomes, clusters)
    low, high = _interval(sums, sizes, draws)
    if low == high:
        margin = wilson(0, len(sums))[1]
        low, high = max(low - margin, min(0.0, low)), min(high + margin, max(1.0, high))
    return low, high


def paired_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> Paired:
    """The difference of two models on the same questions, with its 95 % paired bootstrap interval.

    Args:
        a: outcomes of the first model.
        b: outcomes of the second model, on the same questions in the same order.
        clusters: the image or problem each question belongs to; None if they are independent.
        draws: bootstrap samples.

    Raises:
        ValueError: `a` and `b` differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"paired outcomes differ in length: {len(a)} and {len(b)}")
    if not a:
        return Paired(0.0, -1.0, 1.0)
    deltas = [y - x for x, y in zip(a, b, strict=True)]
    sums, sizes = _totals(deltas, clusters if clusters is not None else range(len(deltas)))
    low, high = _interval(sums, sizes, draws)
    return Paired(sum(deltas) / len(deltas), low, high)


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p of no difference: McNemar's, or where outcomes are fractions that of flipped signs.

    The signs of the differences are flipped at random `DRAWS` times, which for whole outcomes is McNemar's test.

    Args:
        a: outcomes of the first model.
        b: outcomes of the second model, on the same questions.
    """
    import numpy as np

    if are_whole(a, b):
        return mcnemar(a, b)
    deltas = np.asarray(b) - np.asarray(a)
    deltas = deltas[deltas != 0]
    if not len(deltas):
        return 1.0
    random, extreme, block = np.random.default_rng(SEED), 0, max(1, 2_000_000 // len(deltas))
    for start in range(0, DRAWS, block):
        signs = random.integers(0, 2, size=(min(block, DRAWS - start), len(deltas))) * 2 - 1
        extreme += int((np.abs(signs @ deltas) >= abs(deltas.sum()) - 1e-9).sum())
    return (1 + extreme) / (1 + DRAWS)


def are_whole(*outcomes: Sequence[float]) -> bool:
    """True if all outcomes are right or wrong, and none is a fraction."""
    return all(outcome in (0.0, 1.0) for some in outcomes for outcome in some)


def mcnemar(a: Sequence[float], b: Sequence[float]) -> float:
    """The exact two-sided p of McNemar's test: are the questions that only one of the two got right split evenly?

    Args:
        a: outcomes of the first model; above 0.5 counts as right.
        b: outcomes of the second model, on the same questions.
    """
    lost = sum(1 for x, y in zip(a, b, strict=True) if x > 0.5 >= y)
    won = sum(1 for x, y in zip(a, b, strict=True) if y > 0.5 >= x)
    n = lost + won
    # Integers up to the last division, since 0.5 ** n underflows for large n.
    tail = sum(comb(n, k) for k in range(min(lost, won) + 1))
    return min(1.0, 2 * tail / (1 << n))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of several p values, in their order (Holm 1979, Scand. J. Stat. 6, 65-70)."""
    adjusted = [1.0] * len(ps)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = worst
    return adjusted


def items_needed(difference: float, discordant: float = 0.2, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many paired questions show a difference by McNemar's test (Connor 1987, Biometrics 43, 207-211).

    Args:
        difference: true difference in accuracy, such as 0.02.
        discordant: share of questions only one of the two models gets right; at least `difference`.
        power: probability of detecting it.
        alpha: two-sided level of the test.

    Raises:
        ValueError: `difference` is not between 0 and `discordant`, or `discordant` is above 1.
    """
    if not 0 < difference <= discordant <= 1:
        raise ValueError(f"need 0 < difference <= discordant <= 1, got {difference} and {discordant}")
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    root = z_alpha * sqrt(discordant) + z_power * sqrt(discordant - difference**2)
    return ceil((root / difference) ** 2)


def _totals(outcomes: Sequence[float], clusters: Sequence[Hashable]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and size of each cluster."""
    import numpy as np

    numbers: dict[Hashable, int] = {}
    index = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    sums = np.zeros(len(numbers))
    np.add.at(sums, index, np.asarray(outcomes, dtype=np.float64))
    return sums, np.bincount(index).astype(np.float64)


def _interval(sums: NDArray[np.float64], sizes: NDArray[np.float64], draws: int) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of the mean over bootstrap samples of clusters, a bounded block at a time."""
    import numpy as np

    random = np.random.default_rng(SEED)
    n, means, block = len(sums), np.empty(draws), max(1, 2_000_000 // len(sums))
    for start in range(0, draws, block):
        chosen = random.integers(0, n, size=(min(block, draws - start), n))
        means[start : start + len(chosen)] = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
