"""Means over questions and how sure they are, where questions of one template are not independent.

A question belongs to a cluster (its template, or itself) and may belong to a stratum (its category). Clusters are what
was sampled; strata are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from akb.stats.scores import Floats, Integers, Scores

Form = Literal["score", "linear"]
CHUNK = 2_000_000  # cells of weights that are held at once
TINY = 1e-15


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval.

    Attributes:
        value: the mean.
        low, high: ends of the interval.
        error: its cluster-robust standard error; NaN where one cluster is all there is.
        df: degrees of freedom of `error`.
        n: questions.
        clusters: different ones.
    """

    value: float
    low: float
    high: float
    error: float
    df: float
    n: int
    clusters: int


@dataclass(frozen=True)
class Moments:
    """A (weighted) mean, its variance and degrees of freedom, and how many independent questions it would be worth if
    questions of one cluster were all answered alike."""

    value: float
    variance: float
    df: float
    least: float


def average(
    values: ArrayLike,
    clusters: ArrayLike,
    strata: Sequence[str] | NDArray[Any] | None = None,
    confidence: float = 0.95,
    form: Form = "score",
) -> Estimate:
    """The mean of scores from 0 to 1 with a cluster-robust interval; with strata the mean of the strata's means
    (macro).

    The variance is CR2 with the degrees of freedom of Bell and McCaffrey (2002, Survey Methodology 28, 169-181; also
    Pustejovsky and Tipton 2018, doi:10.1080/07350015.2016.1247004), of a regression on nothing but the strata. The
    degrees of freedom are those under the correlation within clusters that the values show (Imbens and Kolesar 2016,
    Review of Economics and Statistics 98, 701-712), not those of independent items: where items of a cluster go
    together, a few large clusters count as few.
    `score` puts the effective number of questions p (1 - p) / variance and Student's quantile into Wilson's interval
    (Dean and Pagano 2015, doi:10.1093/jssam/smv024); `linear` is mean +- t * error, cut off at 0 and 1.

    Args:
        values: (items,), from 0 to 1.
        clusters: (items,), whole numbers from 0.
        strata: (items,), names.
        confidence: from 0 to 1.

    Raises:
        ValueError: no items, lengths that differ, a value that is missing or not from 0 to 1.
    """
    x, of = checked(values, clusters)
    if x.min() < 0 or x.max() > 1:
        raise ValueError("values: scores from 0 to 1 are wanted")
    found = moments(x, of, strata)
    low, high = _score(found, confidence) if form == "score" else linear(found, confidence)
    return _estimate(found, max(low, 0.0), min(high, 1.0), of)


def corrected(estimate: Estimate, chance: float) -> Estimate:
    """A score above chance, (value - chance) / (1 - chance), with the interval taken along: 1 is perfect, 0 guessing.
    (The correction for guessing with a chance that is known: the options are the design's, not the sample's.)

    Args:
        chance: mean over the items, from 0 to less than 1.

    Raises:
        ValueError: chance is not from 0 to less than 1.
    """
    if not 0 <= chance < 1:
        raise ValueError(f"chance: {chance} is not from 0 to less than 1")
    value, low, high = ((one - chance) / (1 - chance) for one in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, low, high, estimate.error / (1 - chance), estimate.df, estimate.n, estimate.clusters)


@dataclass(frozen=True)
class Averages:
    """A model's averages: over questions, over categories, over subcategories, and above chance.

    Attributes:
        macro, macro_sub: None with fewer than two (sub)categories.
    """

    micro: Estimate
    above_chance: Estimate
    macro: Estimate | None
    macro_sub: Estimate | None


def averages(scores: Scores, model: str, confidence: float = 0.95) -> Averages:
    """A model's averages with their intervals (`average`, `corrected`).

    Raises:
        ValueError: there is no such model, or a value is missing.
    """
    values, clusters = scores.values[scores.models.index(model)], scores.clusters
    subs = [f"{one}/{other}" for one, other in zip(scores.categories, scores.subcategories, strict=True)]

    def macro(names: Sequence[str]) -> Estimate | None:
        return average(values, clusters, names, confidence) if len(set(names)) > 1 else None

    micro = average(values, clusters, None, confidence)
    chance = float(scores.chance.mean())
    above = corrected(micro, chance) if chance < 1 else micro
    return Averages(micro, above, macro(scores.categories), macro(subs) if any(scores.subcategories) else None)


def design_effect(values: ArrayLike, clusters: ArrayLike) -> float:
    """How many times the variance of a mean is what it would be if questions were independent (Kish 1965, Survey
    Sampling): CR2 over s^2 / n. 1 where all values are one, NaN where there is one cluster.

    Args:
        values, clusters: (items,).
    """
    x, of = checked(values, clusters)
    if len(x) < 2 or np.ptp(x) < TINY:
        return 1.0
    return moments(x, of).variance / float(x.var(ddof=1) / len(x))


def moments(x: Floats, clusters: Integers, strata: Sequence[str] | NDArray[Any] | None = None) -> Moments:
    """The mean over strata of the means over items, with its CR2 variance and the degrees of freedom that it has where
    items of a cluster are as much alike as they show themselves to be.

    A cluster in several strata counts as one (its residuals are added up). A stratum that is one cluster does not show
    how it spreads: the variance of the others' share stands for its own.
    """
    stratum = _numbers(strata, len(x))
    size = np.bincount(stratum).astype(np.float64)
    count = len(size)
    mean = np.bincount(stratum, x) / size
    base = int(clusters.max()) + 1
    cells, cell = np.unique(stratum * base + clusters, return_inverse=True)
    of, within = cells // base, np.bincount(cell).astype(np.float64)
    left = 1 - within / size[of]
    scale = 1 / (count * size[of])
    residual = np.bincount(cell, x - mean[stratum]) * scale
    residual = np.where(left > 1e-12, residual / np.sqrt(np.maximum(left, 1e-12)), 0.0)
    alone = int((np.bincount(of) == 1).sum())
    known = count - alone
    sums = np.bincount(cells % base, residual)
    variance = float(sums @ sums) * count / known if known else math.nan
    shares = np.bincount(cells % base, within * scale)
    df = _df(within, of, size, _alike(x, cell, stratum, mean))
    return Moments(float(mean.mean()), variance, df, 1 / float(shares @ shares))


def linear(found: Moments, confidence: float) -> tuple[float, float]:
    """Mean +- t * error; without ends where the error is not known."""
    if math.isnan(found.variance):
        return -math.inf, math.inf
    reach = _quantile(found.df, confidence) * math.sqrt(found.variance)
    return found.value - reach, found.value + reach


def resampled(
    values: ArrayLike, clusters: ArrayLike, draws: int = 10_000, seed: int = 0, strata: ArrayLike | None = None
) -> Floats:
    """Means of several rows when clusters are drawn again, the same for all rows (Davison and Hinkley 1997, Bootstrap
    Methods, section 3.8).

    Args:
        values: (rows, items).
        clusters: (items,).
        strata: (items,), whole numbers: clusters are drawn within each, and means are of each.

    Returns:
        (draws, rows); with strata (draws, rows, strata).
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    of = np.asarray(clusters, dtype=np.int64)
    random = np.random.default_rng(seed)
    if strata is None:
        return _drawn(table, of, draws, random)
    stratum = np.asarray(strata, dtype=np.int64)
    parts = [stratum == number for number in range(int(stratum.max()) + 1)]
    return np.stack([_drawn(table[:, part], of[part], draws, random) for part in parts], axis=2)


def _drawn(table: Floats, clusters: Integers, draws: int, random: np.random.Generator) -> Floats:
    """(draws, rows): clusters drawn with the counts of a multinomial; one cluster alone gives way to its items."""
    names, cluster = np.unique(clusters, return_inverse=True)
    if len(names) == 1:
        cluster = np.arange(table.shape[1])
    count = int(cluster.max()) + 1
    columns = np.stack([np.bincount(cluster, row, count) for row in (*table, np.ones(table.shape[1]))], axis=1)
    found = np.empty((draws, len(table)))
    step = max(1, CHUNK // count)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        places = random.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(places.ravel(), minlength=size * count).reshape(size, count)
        sums = times.astype(np.float64) @ columns
        found[start : start + size] = sums[:, :-1] / sums[:, -1:]
    return found


def _score(found: Moments, confidence: float) -> tuple[float, float]:
    """Wilson's interval with the effective number of questions."""
    if math.isnan(found.variance):
        return 0.0, 1.0
    p, z = min(max(found.value, 0.0), 1.0), _quantile(found.df, confidence)
    n = p * (1 - p) / found.variance if found.variance > TINY and 0 < p < 1 else found.least
    centre = p + z * z / (2 * n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - reach) / (1 + z * z / n), (centre + reach) / (1 + z * z / n)


def _alike(x: Floats, cell: Integers, stratum: Integers, mean: Floats) -> float:
    """How alike the answers within clusters are, from 0 to 1: 1 less the mean square within clusters over that within
    strata (adjusted R squared; of right and wrong answers the estimator of Fleiss and Cuzick 1979, Applied
    Psychological Measurement 3, 537-542). 1 where no cluster shows a difference, 0 where all have one item."""
    count, cells = len(x), int(cell.max()) + 1
    if count == cells:
        return 0.0
    inside = float(((x - (np.bincount(cell, x) / np.bincount(cell))[cell]) ** 2).sum()) / (count - cells)
    whole = float(((x - mean[stratum]) ** 2).sum()) / (count - len(mean))
    return min(max(1 - inside / whole, 0.0), 1.0) if inside > TINY else 1.0


def _df(within: Floats, of: Integers, size: Floats, alike: float) -> float:
    """Satterthwaite's degrees of freedom of CR2 if items of one cluster had the correlation `alike`: of each stratum
    from its cluster sizes, then of their sum. The variance is a sum of squares whose covariances are a matrix M; df are
    trace(M)^2 / trace(M M)."""
    variance = within * (1 + alike * (within - 1))
    share = within / size[of]
    scale = 1 / np.maximum(1 - share, 1e-12)

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(of, values, len(size)), dtype=np.float64)

    every = total(variance)
    pull = share * share * every[of] - 2 * share * variance  # what a cluster's residual loses to the mean
    a, b, c = total(scale * share**2), total(scale * share * variance), total(scale * variance**2)
    trace = total(scale * (variance + pull))
    square = (every * a) ** 2 + 2 * a * c - 4 * every * a * b + 2 * b * b
    square += total(scale**2 * variance * (variance + 2 * pull))
    several = np.bincount(of) > 1
    trace, square = (trace / size**2)[several], (square / size**4)[several]
    return float(trace.sum() ** 2 / square.sum()) if several.any() else math.nan


def _quantile(df: float, confidence: float) -> float:
    from scipy.special import stdtrit  # scipy takes half a second to import, and most runs need none of it

    return float(stdtrit(df, 0.5 + confidence / 2))


def _estimate(found: Moments, low: float, high: float, clusters: Integers) -> Estimate:
    error = math.sqrt(found.variance)
    return Estimate(found.value, low, high, error, found.df, len(clusters), len(np.unique(clusters)))


def _numbers(strata: Sequence[str] | NDArray[Any] | None, n: int) -> Integers:
    if strata is None:
        return np.zeros(n, dtype=np.int64)
    if len(strata) != n:
        raise ValueError(f"strata: {len(strata)} for {n} values")
    return np.unique(np.asarray(strata), return_inverse=True)[1].astype(np.int64)


def checked(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Integers]:
    """Both as arrays of one length.

    Raises:
        ValueError: they are not, or a value is missing.
    """
    x, of = np.asarray(values, dtype=np.float64), np.asarray(clusters, dtype=np.int64)
    if x.ndim != 1 or not len(x):
        raise ValueError("values: a row of scores is wanted, one or more")
    if of.shape != x.shape or of.min() < 0:
        raise ValueError(f"clusters: one number from 0 for each of {len(x)} values is wanted")
    if not np.isfinite(x).all():
        raise ValueError("values: a score is missing; compare on the questions that all were asked")
    return x, of
