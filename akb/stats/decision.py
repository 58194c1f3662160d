"""The decision itself: audio points lost when a backbone is chosen by a predictor.

**What is estimated.** k candidates are at hand, drawn at random, without order and without regard to family, from
models like those in the table. The one with the highest predictor is taken (of several, one at random). The regret is
the outcome of the best candidate less that of the one taken, in the outcome's unit; what is given is its mean over all
sets of k of the n models. That mean is a U-statistic of order k, so it is unbiased for fresh sets of k candidates.

The outcome is what was measured, noise included: the best measured candidate is best partly by luck, so even a
predictor that knew the true outcomes would show some regret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import comb

from akb.stats.correlation import checked
from akb.stats.scores import Floats


@dataclass(frozen=True)
class Regret:
    """What choosing by one predictor costs, in the outcome's unit.

    Attributes:
        predictor: its name; "chance" for taking any candidate.
        n, among: models in the table, and candidates at hand.
        points: mean regret, from 0.
        low, high: its 95 % interval (delete-one jackknife on the log scale, t with n - 1 degrees of freedom); NaN
            where all n are the candidates.
        saved, saved_low, saved_high: chance's regret less this one, paired, with its jackknife interval.
        best: how often the choice has the best measured outcome, from 0 to 1.
    """

    predictor: str
    n: int
    among: int
    points: float
    low: float
    high: float
    saved: float
    saved_low: float
    saved_high: float
    best: float


def regret(predictor: ArrayLike, outcome: ArrayLike, among: int) -> float:
    """Mean regret over all sets of `among` candidates; see the module for what is estimated.

    Args:
        predictor, outcome: (models,); higher is better.
        among: candidates at hand, from 1 to the number of models.

    Raises:
        ValueError: as `correlation.checked`, or `among` is out of range.
    """
    x, y = _table(predictor, outcome, among)
    return max(0.0, _expected(y, y, among) - _expected(x, y, among))


def regrets(
    predictors: Mapping[str, ArrayLike], outcome: ArrayLike, among: int = 4, confidence: float = 0.95
) -> list[Regret]:
    """The regret of each predictor and, last, of chance, all over the same models.

    Raises:
        ValueError: as `regret`.
    """
    found = []
    y = np.asarray(outcome, dtype=np.float64)
    for name, predictor in {**predictors, "chance": np.zeros(len(y))}.items():
        x, y = _table(predictor, outcome, among)
        points, saved = regret(x, y, among), _expected(x, y, among) - float(y.mean())
        half = _half(x, y, among, confidence, chance=True)
        if len(np.unique(x)) == 1:  # a predictor that says nothing is chance, but for rounding
            saved = half = 0.0
        low, high = _between(points, x, y, among, confidence)
        found.append(
            Regret(name, len(y), among, points, low, high, saved, saved - half, saved + half, _best(x, y, among))
        )
    return found


def _table(predictor: ArrayLike, outcome: ArrayLike, among: int) -> tuple[Floats, Floats]:
    x, y = checked(predictor, outcome, least=2)
    if not 1 <= among <= len(y):
        raise ValueError(f"candidates: from 1 to {len(y)} are wanted, found {among}")
    return x, y


def _weights(by: Floats, among: int) -> Floats:
    """Of each model, the share of the sets of `among` models in which it is the first by a score; ties share."""
    n = len(by)
    order = np.argsort(by, kind="stable")
    weights = np.empty(n)
    weights[order] = comb(np.arange(n), among - 1) / comb(n, among)
    _, group = np.unique(by, return_inverse=True)
    return np.asarray((np.bincount(group, weights) / np.bincount(group))[group], dtype=np.float64)


def _expected(by: Floats, y: Floats, among: int) -> float:
    """Mean outcome of the candidate that is taken by a score."""
    return float(_weights(by, among) @ y)


def _best(x: Floats, y: Floats, among: int) -> float:
    """Share of the sets in which the candidate taken has the best outcome: of each model, how many sets there are in
    which nobody is above it in either score, ties in x shared."""
    n = len(y)
    total: float = 0.0
    for i in range(n):
        no_better = y <= y[i]
        below, tied = int(np.sum(no_better & (x < x[i]))), int(np.sum(no_better & (x == x[i]))) - 1
        for t in range(min(tied, among - 1) + 1):
            total += float(comb(tied, t) * comb(below, among - 1 - t) / (t + 1))
    return float(total / comb(n, among))


def _between(point: float, x: Floats, y: Floats, among: int, confidence: float) -> tuple[float, float]:
    """Ends of the interval of a mean regret: the jackknife's on the log scale, where regrets are spread more evenly.
    None lost in these sets says little: then from 0 to all there is between the best and the worst outcome."""
    spread = float(np.ptp(y))
    half = _half(x, y, among, confidence, chance=False)
    if math.isnan(half):
        return math.nan, math.nan
    if point <= 1e-9 * max(spread, 1e-300):
        return 0.0, spread
    factor = math.exp(min(half / point, 50.0))
    return point / factor, min(point * factor, spread)


def _half(x: Floats, y: Floats, among: int, confidence: float, *, chance: bool) -> float:
    """Half of the delete-one jackknife interval (Arvesen 1969, doi:10.1214/aoms/1177697287, for U-statistics) of the
    outcome taken, less the best or less chance; NaN where all models are the candidates."""
    n = len(y)
    if among >= n or n < 4:
        return math.nan
    left = []
    for i in range(n):
        one, other = np.delete(x, i), np.delete(y, i)
        against = float(other.mean()) if chance else _expected(other, other, among)
        left.append(_expected(one, other, among) - against)
    return float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * math.sqrt((n - 1) * float(np.var(left)))
