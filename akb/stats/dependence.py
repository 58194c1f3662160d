"""What a correlation across models hangs on: single models, families, size, other scores, noise, and n; and what to
say of few models.

`x`, `y` and controls are scores of the same models, arrays of shape (models,).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from akb.stats.correlation import PERFECT, checked, fisher, p_value, pearson, spearman
from akb.stats.scores import Floats


@dataclass(frozen=True)
class LeftOut:
    """Between what Pearson's r moves when one model, or one family, is left out.

    Attributes:
        low, high: the least and the greatest r.
        low_without, high_without: what was left out there.
    """

    low: float
    high: float
    low_without: str
    high_without: str


@dataclass(frozen=True)
class Partial:
    """A correlation with something taken out.

    Attributes:
        r: from -1 to 1; NaN where nothing is left to correlate.
        n: models.
        df: degrees of freedom of its t test.
        p: two-sided.
        low, high: 95 % interval (Fisher).
    """

    r: float
    n: int
    df: int
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Williams' test: t, its degrees of freedom, and two-sided p."""

    t: float
    df: int
    p: float


def leave_out(x: ArrayLike, y: ArrayLike, labels: Sequence[str]) -> LeftOut | None:
    """Pearson's r without each label in turn: names for leave-one-model-out, families for leave-one-family-out. A model
    without a label ("") is a label of its own, told as "a model without a family".

    Returns:
        None where fewer than three models are ever left, or there is one label.

    Raises:
        ValueError: as `correlation.checked`, or there is not one label a model.
    """
    one, other = checked(x, y)
    if len(labels) != len(one):
        raise ValueError(f"{len(one)} labels are wanted, found {len(labels)}")
    names = np.array([label or f"\0{i}" for i, label in enumerate(labels)])
    found = {}
    for name in dict.fromkeys(names.tolist()):
        keep = names != name
        if keep.sum() >= 3 and not math.isnan(r := pearson(one[keep], other[keep])):
            found[name] = r
    if not found:
        return None
    low, high = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    told = ["a model without a family" if name.startswith("\0") else name for name in (low, high)]
    return LeftOut(found[low], found[high], told[0], told[1])


def within(x: ArrayLike, y: ArrayLike, families: Sequence[str]) -> Partial | None:
    """Correlation within families: each score less its family's mean, over families of two models or more (the pooled
    within-group correlation of the analysis of covariance; df = models - families - 1).

    Returns:
        None without a degree of freedom.
    """
    one, other = checked(x, y)
    several = [name for name in dict.fromkeys(families) if name and list(families).count(name) > 1]
    keep = [name in several for name in families]
    n = sum(keep)
    if n - len(several) - 1 < 1:
        return None
    labels = np.array([several.index(name) for name in families if name in several])
    groups = np.eye(len(several))[labels]
    return _partial(one[keep], other[keep], groups, taken=len(several) - 1)


def partial(x: ArrayLike, y: ArrayLike, *controls: ArrayLike) -> Partial | None:
    """Correlation of what linear regression on the controls (log size, a score of general ability) leaves of x and y
    (Yule 1907; df = models - 2 - controls).

    Returns:
        None without a degree of freedom.

    Raises:
        ValueError: as `correlation.checked`, for each control too.
    """
    one, other = checked(x, y)
    columns = [checked(one, control)[1] for control in controls]
    if len(one) - 2 - len(columns) < 1:
        return None
    design = np.column_stack([np.ones(len(one)), *(c - c.mean() for c in columns)])
    return _partial(one, other, design, taken=len(columns))


def _partial(x: Floats, y: Floats, design: Floats, taken: int) -> Partial:
    n, df = len(x), len(x) - 2 - taken
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (x, y)]
    gone = any(np.linalg.norm(v) <= 1e-9 * np.linalg.norm(w - w.mean()) for v, w in zip(left, (x, y), strict=True))
    r = (
        math.nan
        if gone
        else float(np.clip(left[0] @ left[1] / math.sqrt((left[0] @ left[0]) * (left[1] @ left[1])), -1, 1))
    )
    return Partial(r, n, df, p_value(r, df), *fisher(r, n - taken))


def reliability(shares: ArrayLike, items: int) -> float:
    """The share of the variance between models that is not binomial noise of a test of `items` independent questions:
    1 - mean(p (1 - p) / items) / variance (the between-model variance with n - 1).

    Args:
        shares: accuracies from 0 to 1, (models,).

    Returns:
        At most 1; 0 or less where noise alone would spread the models as far. NaN where all are alike.
    """
    p = np.asarray(shares, dtype=np.float64)
    if items < 1 or p.min() < 0 or p.max() > 1:
        raise ValueError("accuracies from 0 to 1 and one question or more are wanted")
    spread = float(np.var(p, ddof=1)) if len(p) > 1 else 0.0
    return 1 - float(np.mean(p * (1 - p))) / items / spread if spread > 0 else math.nan


def disattenuated(r: float, reliability_x: float, reliability_y: float) -> float:
    """Correlation freed of noise (Spearman 1904): r / sqrt(reliability of x * reliability of y).

    It assumes that the errors of x and y are independent. Two tests that share questions (a benchmark as text and as
    audio) do not satisfy this, and the correction then goes too far.

    Returns:
        Possibly above 1; NaN where a reliability is 0 or less.
    """
    if not (reliability_x > 0 and reliability_y > 0):
        return math.nan
    return r / math.sqrt(reliability_x * reliability_y)


def williams(first: float, second: float, between: float, n: int) -> Difference:
    """Do two predictors correlate with one outcome alike? Williams' T2 (Steiger 1980, Psychological Bulletin 87:245,
    eq. 7; Williams 1959) on n - 3 degrees of freedom.

    Args:
        first, second: correlation of each predictor with the outcome.
        between: of the predictors with each other.
        n: models.
    """
    if n < 4:
        raise ValueError(f"4 models or more are wanted, found {n}")
    if math.isnan(first + second + between):
        return Difference(math.nan, n - 3, math.nan)
    determinant = max(0.0, 1 - first**2 - second**2 - between**2 + 2 * first * second * between)
    middle = (first + second) / 2
    below = 2 * (n - 1) / (n - 3) * determinant + middle**2 * (1 - between) ** 3
    if below <= 1e-15:  # the predictors are the same
        return Difference(0.0, n - 3, 1.0)
    t = (first - second) * math.sqrt((n - 1) * (1 + between) / below)
    return Difference(t, n - 3, float(2 * stats.t.sf(abs(t), n - 3)))


def smallest_significant(n: int, alpha: float = 0.05) -> float:
    """The smallest |r| over n models (3 or more) that the two-sided t test calls significant."""
    if n < 3:
        raise ValueError(f"3 models or more are wanted, found {n}")
    t = float(stats.t.isf(alpha / 2, n - 2))
    return t / math.sqrt(n - 2 + t * t)


def power(rho: float, n: int, alpha: float = 0.05) -> float:
    """Chance that n models show a true correlation of rho at all, by Fisher's z (Cohen 1988, Statistical Power
    Analysis, chapter 3); 4 models or more."""
    if n < 4:
        raise ValueError(f"4 models or more are wanted, found {n}")
    if abs(rho) >= 1:
        return 1.0
    normal, apart = NormalDist(), math.atanh(abs(rho)) * math.sqrt(n - 3)
    limit = normal.inv_cdf(1 - alpha / 2)
    return normal.cdf(apart - limit) + normal.cdf(-apart - limit)


def rho_needed(n: int, wanted: float = 0.8, alpha: float = 0.05) -> float:
    """The true correlation that n models show with a chance of `wanted`, by Fisher's z; 1 with 3 models or fewer."""
    if n <= 3:
        return 1.0
    normal = NormalDist()
    return math.tanh((normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(wanted)) / math.sqrt(n - 3))


def warnings(x: ArrayLike, y: ArrayLike, families: Sequence[str] = ()) -> list[str]:
    """What a reader must know of a correlation over these models, in words: n below 20, fewer than six families or most
    models of one, a correlation of 1 or -1, ties among more than a quarter of the models (in either score)."""
    one, other = checked(x, y)
    n, told = len(one), []
    if n < 20:
        told.append(
            f"n = {n} models: |r| below {smallest_significant(n):.2f} is not significant at 5 %, and for 80 % power "
            f"the true correlation must be {rho_needed(n):.2f}"
        )
    counts = {name: list(families).count(name) for name in dict.fromkeys(families) if name}
    if counts and len(counts) < 6:
        several = "the models are of one family" if len(counts) == 1 else f"only {len(counts)} families of models"
        told.append(f"{several}: models of a family are alike, so there is less evidence than n = {n} suggests")
    largest = max(counts, key=lambda name: counts[name]) if counts else ""
    if len(counts) > 1 and counts[largest] > n / 2:
        told.append(f"{counts[largest]} of the {n} models are of one family ({largest})")
    r, rho = pearson(one, other), spearman(one, other)
    if abs(r) >= PERFECT:
        told.append(f"r = {r:.0f}: the models are on one line, so no interval can be told")
    elif abs(rho) >= PERFECT:
        told.append(f"Spearman = {rho:.0f}: its interval cannot be told")
    for label, values in (("x", one), ("y", other)):
        tied = n - int(np.sum(np.unique(values, return_counts=True)[1] == 1))
        if tied > n / 4:
            told.append(f"{tied} of {n} models are tied in {label}: rank correlations are rough")
    return told
