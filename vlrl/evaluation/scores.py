"""From verdicts to figures: accuracy, its uncertainty, pass@k, maj@n, lengths, paired differences.

Pure functions over arrays. Names of dimensions: P problems, S samples of one problem, R runs (seeds).
Every function raises ValueError for empty input: an accuracy over nothing is no figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

LEVEL = 0.95
ALPHA = 0.05  # of all comparisons of a page together
K = TypeVar("K", bound=Hashable)


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


def _values(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"{what}: there are no values")
    return array


def accuracy(correct: ArrayLike) -> float:
    """Mean of `correct`, (P,) or (P, S): verdicts or scores in [0, 1]."""
    return float(_values(correct, "accuracy").mean())


def standard_error(values: ArrayLike) -> float:
    """Standard error of the mean of (N,) independent values: sample deviation / √N. NaN for a single value.

    Samples of one problem are not independent: pass the (P,) means over samples, or the (R,) figures of whole runs.
    """
    array = _values(values, "standard_error")
    if array.ndim != 1:
        raise ValueError(f"standard_error: shape {array.shape}; average over the samples of a problem first")
    return float(array.std(ddof=1) / math.sqrt(array.size)) if array.size > 1 else math.nan


def wilson_interval(share: float, n: float, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share in [0, 1] seen in n independent trials (Wilson 1927).

    n may be fractional (an effective number of trials). Unlike p ± 1.96·SE it stays in [0, 1] and has width at 0 and 1.
    """
    if not 0.0 <= share <= 1.0 or not n > 0:
        raise ValueError(f"wilson_interval: share {share!r} must lie in [0, 1] and n {n!r} above 0")
    z = float(ndtri(0.5 + level / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def accuracy_interval(correct: ArrayLike, level: float = LEVEL) -> Interval:
    """Interval of the accuracy of one run over problems, (P,) or (P, S).

    One sample a problem: Wilson with n = P. Several: samples of one problem are no independent trials, so Wilson with
    the effective number of trials p(1−p)/SE², SE over the P problem means, never below P nor above P·S.
    """
    array = _values(correct, "accuracy_interval")
    share = float(array.mean())
    if array.ndim == 1:
        return wilson_interval(share, array.size, level)
    error = standard_error(array.mean(axis=1)) if array.shape[0] > 1 else math.nan
    trials = share * (1 - share) / error**2 if error > 0 else array.shape[0]
    return wilson_interval(share, min(max(trials, array.shape[0]), array.size), level)


def t_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Student's t interval of the mean of (R,) independent figures, e.g. accuracies of R seeds. Needs R ≥ 2."""
    array = _values(values, "t_interval")
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"t_interval: needs two values or more in one row, got shape {array.shape}")
    half = float(stdtrit(array.size - 1, 0.5 + level / 2)) * standard_error(array)
    mean = float(array.mean())
    return Interval(mean - half, mean + half)


def t_test(values: ArrayLike) -> float:
    """Two-sided p of Student's t test that the mean of (R,) independent figures is 0. Needs R ≥ 2.

    Equal values have no spread to compare with: p is 0, or 1 where all of them are 0.
    """
    array = _values(values, "t_test")
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"t_test: needs two values or more in one row, got shape {array.shape}")
    error = standard_error(array)
    if error == 0:
        return 1.0 if array.mean() == 0 else 0.0
    return float(2 * stdtr(array.size - 1, -abs(array.mean()) / error))


def holm(p: Mapping[K, float]) -> dict[K, float]:
    """p values adjusted for all comparisons that were made (Holm 1979): below α means shown at family-wise error α.

    The smallest of m is multiplied by m, the next by m − 1 …, and none falls below one before it; at most 1.
    """
    adjusted: dict[K, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(p, key=lambda k: p[k])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[key]))
        adjusted[key] = largest
    return {key: adjusted[key] for key in p}


def paired_t_interval(after: ArrayLike, before: ArrayLike, level: float = LEVEL) -> Interval:
    """t interval of the mean of `after − before`, (R,) each, paired by seed (or by problem)."""
    first, second = _pair(after, before)
    return t_interval(first - second, level)


def _pair(after: ArrayLike, before: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = _values(after, "paired interval"), _values(before, "paired interval")
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"paired interval: shapes {first.shape} and {second.shape} are not two equal rows")
    return first, second


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Unbiased probability that one of k samples is right, from n ≥ k samples: 1 − C(n−c, k)/C(n, k).

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", eq. 1.
    """
    if not 0 <= num_correct <= num_samples or not 1 <= k <= num_samples:
        raise ValueError(f"pass_at_k: n={num_samples}, c={num_correct}, k={k}; needs 0 ≤ c ≤ n and 1 ≤ k ≤ n")
    return 1.0 - math.comb(num_samples - num_correct, k) / math.comb(num_samples, k)


def majority(answers: Sequence[str | None], correct: Sequence[bool]) -> float:
    """maj@n of one problem: whether the most frequent answer is right, in [0, 1].

    A response without an answer (None) has no vote; nobody voted → 0. Tied answers share: the expected value of a
    fair draw among them, so that the order of the samples does not matter.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if len(answers) != len(correct):
        raise ValueError(f"majority: {len(answers)} answers, {len(correct)} verdicts")
    if not votes:
        return 0.0
    most = max(votes.values())
    shares = []
    for winner in (answer for answer, count in votes.items() if count == most):
        rights = [right for answer, right in zip(answers, correct, strict=True) if answer == winner]
        shares.append(sum(rights) / len(rights))
    return sum(shares) / len(shares)


def token_percentile(num_tokens: ArrayLike, percent: float = 95.0) -> float:
    """Percentile of response lengths in tokens, any shape, linear between neighbours."""
    return float(np.percentile(_values(num_tokens, "token_percentile"), percent))


def cut_off_rate(finish_reasons: Sequence[str]) -> float:
    """Share of responses that the token budget ended (`length`, `unfinished`), in [0, 1]."""
    if not finish_reasons:
        raise ValueError("cut_off_rate: there are no values")
    return sum(finish_reason in ("length", "unfinished") for finish_reason in finish_reasons) / len(finish_reasons)


def consistency(text: ArrayLike, rendered: ArrayLike) -> float:
    """Share of problems whose rendered twin gets the same verdict as the text (k1.5 §2.3.5), in [0, 1].

    Both (P,) or (P, S) verdicts; row p of `rendered` is the twin of row p of `text`. With several samples: the
    probability that one sample of each agrees, p·q + (1−p)(1−q), averaged over problems.
    """
    first, second = _values(text, "consistency"), _values(rendered, "consistency")
    if len(first) != len(second):
        raise ValueError(f"consistency: {len(first)} text problems, {len(second)} rendered twins")
    p, q = first.reshape(len(first), -1).mean(axis=1), second.reshape(len(second), -1).mean(axis=1)
    return float((p * q + (1 - p) * (1 - q)).mean())


def agreement_by_chance(text: ArrayLike, rendered: ArrayLike) -> float:
    """The consistency that two accuracies alone give, P·Q + (1−P)(1−Q), were verdicts independent from pair to pair."""
    first, second = accuracy(text), accuracy(rendered)
    return first * second + (1 - first) * (1 - second)


def kappa(agreement: float, by_chance: float) -> float | None:
    """Cohen's κ: the share of what chance leaves that is agreed on; None where chance leaves nothing."""
    return None if by_chance == 1.0 else (agreement - by_chance) / (1.0 - by_chance)
