"""Models on the same questions: how far apart they are, and whether that can be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from akb.stats.intervals import Estimate, checked, linear, moments
from akb.stats.scores import Floats, Integers

STEPS = 2520  # scores that are whole multiples of 1 / STEPS: shares of one to ten option orders
LONG = 20_000  # steps of a sum whose distribution is computed exactly
LEAST = float(np.finfo(float).tiny)  # p that are smaller still (2e-308) are told as this: none is 0
FEW = 14  # clusters whose every change of sign is tried


@dataclass(frozen=True)
class McNemar:
    """How often one of two models alone was right, and the exact two-sided p, from above 0 to 1."""

    first: int
    second: int
    p: float


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """The exact test of McNemar (1947, doi:10.1007/BF02295996): of the questions on which one model alone was right, is
    either the one more often than a coin would have it? Questions are taken as independent.

    Args:
        first, second: (items,), 0 or 1.

    Raises:
        ValueError: a score is neither 0 nor 1, or lengths differ.
    """
    a, b = _two(first, second)
    if not np.isin([a, b], (0, 1)).all():
        raise ValueError("McNemar's test takes scores of 0 and 1 only")
    from scipy.special import bdtr  # of the binomial; scipy is slow to import, and most runs need none of it

    one, other = int((a > b).sum()), int((b > a).sum())
    return McNemar(one, other, _told(2 * float(bdtr(min(one, other), one + other, 0.5))))


def permutation(first: ArrayLike, second: ArrayLike, clusters: ArrayLike, draws: int = 99_999, seed: int = 0) -> float:
    """The paired test by change of sign: were the two models one, each cluster's difference might as well have the
    other sign (Fisher 1935, The Design of Experiments, chapter 3; clusters: Gail et al. 1996, Statistics in Medicine
    15, 1069-1092).

    Exact, by convolution, where scores are right, wrong or shares of up to ten orders; exact by trying all where few
    clusters differ; else with random signs and (b + 1) / (m + 1) (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Args:
        first, second: (items,), from 0 to 1.
        clusters: (items,), whole numbers from 0.

    Returns:
        The two-sided p, from above 0 to 1.
    """
    a, b = _two(first, second)
    difference, of = checked(a - b, clusters)
    sums = np.bincount(of, difference)
    sums = sums[np.abs(sums) > 1e-9]
    if not len(sums):
        return 1.0
    whole = np.rint(sums * STEPS)
    sizes = np.abs(whole).astype(np.int64)
    if np.abs(whole - sums * STEPS).max() < 1e-6 and sizes.sum() // np.gcd.reduce(sizes) <= LONG:
        return _lattice(sizes, int(abs(whole.sum())))
    wanted = abs(sums.sum()) - 1e-9
    if len(sums) <= FEW:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sums))))
        return float((np.abs(signs @ sums) >= wanted).mean())
    return _random(np.asarray(sums, dtype=np.float64), wanted, draws, np.random.default_rng(seed))


def _lattice(sizes: Integers, wanted: int) -> float:
    """P(|sum of sizes with random signs| >= wanted), exactly: the sizes' distributions folded into one another."""
    from scipy.stats import binom

    step = int(np.gcd.reduce(sizes))
    chances = np.ones(1)  # of the sum of those with a plus, in steps
    for size, count in zip(*np.unique(sizes // step, return_counts=True), strict=True):
        spread = np.zeros(size * count + 1)
        spread[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spread)
    total = len(chances) - 1
    sums = np.abs(2 * np.arange(total + 1) - total)
    return _told(float(chances[sums >= wanted // step].sum()))


def _told(p: float) -> float:
    """A p that is never 0, which no test can give: what is too small for a number is the least there is."""
    return min(1.0, max(p, LEAST))


def _random(sums: Floats, wanted: float, draws: int, random: np.random.Generator) -> float:
    beyond, step = 0, max(1, 2_000_000 // len(sums))
    for start in range(0, draws, step):
        signs = random.integers(2, size=(min(step, draws - start), len(sums)), dtype=np.int8)
        beyond += int((np.abs((2.0 * signs - 1) @ sums) >= wanted).sum())
    return (beyond + 1) / (draws + 1)


def difference(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike, confidence: float = 0.95, adjusted: bool = True
) -> Estimate:
    """The first model's mean less the second's, with a cluster-robust interval (that of `intervals.average`, linear).

    Adjusted, two made-up questions join in before the interval is computed, with differences of + and - the root of a
    half. For independent questions that is the interval of Agresti and Min (2005, doi:10.1002/sim.1781), who add a
    half to each cell of the table of two models; it holds its coverage also where models hardly differ. The value
    itself is not adjusted.

    Args:
        first, second: (items,), from 0 to 1.
        clusters: (items,), whole numbers from 0.

    Raises:
        ValueError: lengths differ, or a value is missing.
    """
    a, b = _two(first, second)
    x, of = checked(a - b, clusters)
    plain = found = moments(x, of)
    if adjusted:
        more = int(of.max()) + 1
        half = math.sqrt(0.5)
        found = moments(np.append(x, [half, -half]), np.append(of, [more, more + 1]))
    low, high = linear(found, confidence)
    error, count = math.sqrt(plain.variance), len(np.unique(of))
    return Estimate(plain.value, max(low, -1.0), min(high, 1.0), error, plain.df, len(x), count)


@dataclass(frozen=True)
class Cochran:
    """Cochran's Q, its degrees of freedom, and its p by the chi-squared distribution; NaN, 0, NaN where no question
    tells the models apart."""

    q: float
    df: int
    p: float


def cochran(values: ArrayLike) -> Cochran:
    """Cochran's Q (1950, doi:10.1093/biomet/37.3-4.256): are several models equally often right? Questions are taken as
    independent.

    Args:
        values: (models, items), 0 or 1.

    Raises:
        ValueError: fewer than two models, or a score that is neither 0 nor 1.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError("Cochran's Q takes two or more models")
    if not np.isin(table, (0, 1)).all():
        raise ValueError("Cochran's Q takes scores of 0 and 1 only")
    models, (of_model, of_item) = len(table), (table.sum(1), table.sum(0))
    spread = float((of_item * (models - of_item)).sum())
    if spread == 0:
        return Cochran(math.nan, 0, math.nan)
    from scipy.special import chdtrc  # of chi squared

    q = (models - 1) * models * float(((of_model - of_model.mean()) ** 2).sum()) / spread
    return Cochran(q, models - 1, _told(float(chdtrc(models - 1, q))))


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for being one of a family: with a limit of 0.05, the chance that any of those which are chance
    is below it is at most 5 % (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).

    Raises:
        ValueError: a p is not from 0 to 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p: values from 0 to 1 are wanted")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(stepped, 1.0)
    return [float(one) for one in found]


def _two(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two rows of scores of one length are wanted, not {a.shape} and {b.shape}")
    return a, b
