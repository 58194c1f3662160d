"""Correlation across models: coefficients, intervals and permutation p.

`x` and `y` are two scores of the same models, arrays of shape (models,) in any unit. Correlations are from -1 to 1, and
NaN where a score is the same for all models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from akb.stats.scores import Floats

Kind = Literal["pearson", "spearman", "kendall"]
EXACT_UP_TO = 9  # 362,880 pairings
_CHUNK = 2_000_000  # numbers held at once
PERFECT = 1 - 1e-12  # a correlation from here on is 1 but for rounding


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrap interval.

    Attributes:
        low, high: its ends; NaN where it is not defined.
        dropped: draws that were left out because one of the scores was constant in them.
    """

    low: float
    high: float
    dropped: int


@dataclass(frozen=True)
class Permutation:
    """A permutation test.

    Attributes:
        p: two-sided, from 0 to 1.
        draws: pairings looked at.
        exact: whether these were all there are.
    """

    p: float
    draws: int
    exact: bool


def checked(x: ArrayLike, y: ArrayLike, least: int = 3) -> tuple[Floats, Floats]:
    """Both scores as arrays.

    Raises:
        ValueError: they are not of one length, fewer than `least`, or not finite.
    """
    one, other = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"two scores of the same models are wanted, found shapes {one.shape} and {other.shape}")
    if len(one) < least:
        raise ValueError(f"{least} models or more are wanted, found {len(one)}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("a score is missing or not a number")
    return one, other


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's product-moment correlation (Pearson 1895)."""
    one, other = checked(x, y)
    return float(rows(one[None], other[None])[0])


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation (1904): Pearson's of the ranks, ties at their mean rank."""
    one, other = checked(x, y)
    return pearson(stats.rankdata(one), stats.rankdata(other))


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b (1945), which allows for ties."""
    one, other = checked(x, y)
    return float(stats.kendalltau(one, other).statistic)


COEFFICIENTS: dict[Kind, Callable[[ArrayLike, ArrayLike], float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
}


def rows(x: Floats, y: Floats) -> Floats:
    """Pearson's correlation of each row of `x` with the same row of `y`, both (rows, models); NaN where one is constant
    to within rounding."""
    one, other = (values - values.mean(axis=1, keepdims=True) for values in (x, y))
    lengths = [np.sqrt(np.einsum("ij,ij->i", values, values)) for values in (one, other)]
    scales = [np.abs(values).max(axis=1) * math.sqrt(values.shape[1]) for values in (x, y)]
    varies = (lengths[0] > 1e-12 * scales[0]) & (lengths[1] > 1e-12 * scales[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.einsum("ij,ij->i", one, other) / (lengths[0] * lengths[1])
    found = np.where(np.abs(found) >= PERFECT, np.sign(found), found)
    return np.where(varies, found, np.nan)


def p_value(r: float, df: int) -> float:
    """Two-sided p of a (partial) Pearson correlation of normal scores, by Student's t with `df` degrees of freedom
    (models - 2 - controls); NaN with none."""
    if df < 1 or math.isnan(r):
        return math.nan
    if abs(r) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * math.sqrt(df / (1 - r * r)), df))


def fisher(r: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of Pearson's r by the z transform (Fisher 1921): tanh(atanh r ± z / sqrt(n - 3)). For a partial
    correlation, n is the number of models less that of the controls.

    Returns:
        Lower and upper end; (-1, 1) with n of 3 or fewer; NaN where r is, and where it is 1 or -1, since the z of a
        perfect line has no end.
    """
    return _on_z(r, n, 1.0, confidence)


def bonett_wright(rho: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of Spearman's correlation (Bonett and Wright 2000, doi:10.1007/BF02294183): as Fisher's, with variance
    (1 + rho² / 2) / (n - 3)."""
    return _on_z(rho, n, math.sqrt(1 + rho * rho / 2), confidence)


def _on_z(r: float, n: int, factor: float, confidence: float) -> tuple[float, float]:
    if math.isnan(r):
        return math.nan, math.nan
    if n <= 3:
        return -1.0, 1.0
    if abs(r) >= PERFECT:
        return math.nan, math.nan
    z, half = math.atanh(r), NormalDist().inv_cdf(0.5 + confidence / 2) * factor / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)


def bca(
    x: ArrayLike, y: ArrayLike, kind: Literal["pearson", "spearman"] = "pearson", confidence: float = 0.95,
    draws: int = 10_000, seed: int = 0,
) -> Bootstrap:  # fmt: skip
    """Bias-corrected and accelerated interval over models (Efron 1987, doi:10.1080/01621459.1987.10478410). Draws in
    which a score is constant (few models) have no correlation: they are left out and counted.

    Raises:
        ValueError: as `checked`.
    """
    one, other = checked(x, y)
    n = len(one)
    prepare: Callable[[Floats], Floats] = (lambda v: stats.rankdata(v, axis=1)) if kind == "spearman" else (lambda v: v)
    picks = np.random.default_rng(seed).integers(n, size=(draws, n))
    drawn = rows(prepare(one[picks]), prepare(other[picks]))
    kept = np.sort(drawn[~np.isnan(drawn)])
    others = np.array([np.delete(np.arange(n), i) for i in range(n)])
    left = rows(prepare(one[others]), prepare(other[others]))
    point = COEFFICIENTS[kind](one, other)
    dropped = draws - len(kept)
    if math.isnan(point) or np.isnan(left).any() or not len(kept) or abs(point) >= PERFECT:
        return Bootstrap(math.nan, math.nan, dropped)
    low, high = _bca_ends(point, kept, left, confidence)
    return Bootstrap(low, high, dropped)


def _bca_ends(point: float, drawn: Floats, left: Floats, confidence: float) -> tuple[float, float]:
    """Ends of a BCa interval from the estimate, the sorted draws and the leave-one-out estimates."""
    normal = NormalDist()
    below = (np.mean(drawn < point) + np.mean(drawn <= point)) / 2
    bias = normal.inv_cdf(min(max(float(below), 1e-9), 1 - 1e-9))
    apart = left.mean() - left
    spread = float(np.sum(apart**2)) ** 1.5
    bend = float(np.sum(apart**3)) / (6 * spread) if spread > 0 else 0.0
    shares = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + normal.inv_cdf(tail)
        shares.append(normal.cdf(bias + z / (1 - bend * z)))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def permutation(
    x: ArrayLike,
    y: ArrayLike,
    kind: Kind = "pearson",
    draws: int = 99_999,
    seed: int = 0,
    exact_up_to: int = EXACT_UP_TO,
) -> Permutation:
    """Permutation test of no association: how often is the correlation, without its sign, as large as the one seen when
    the y scores are dealt to the models anew? Exact over all pairings up to `exact_up_to` models; beyond, `draws`
    seeded ones, and p = (as large + 1) / (draws + 1) (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Raises:
        ValueError: as `checked`.
    """
    one, other = checked(x, y)
    if len(np.unique(one)) == 1 or len(np.unique(other)) == 1:
        return Permutation(math.nan, 0, False)
    n = len(one)
    statistic = _paired(one, other, kind)
    seen = abs(float(statistic(np.arange(n)[None])[0]))
    exact = n <= exact_up_to
    as_large = total = 0
    for orders in _all_orders(n) if exact else _some_orders(n, draws, seed, kind):
        values = np.abs(statistic(orders))
        as_large += int(np.sum(values >= seen - 1e-9 * n))
        total += len(orders)
    return Permutation(as_large / total if exact else (as_large + 1) / (total + 1), total, exact)


def _paired(x: Floats, y: Floats, kind: Kind) -> Callable[[np.ndarray], Floats]:
    """A function of orders (rows, models) that grows with the correlation of x with y in that order."""
    if kind == "kendall":
        i, j = np.triu_indices(len(x), 1)
        signs = np.sign(x[i] - x[j])
        table = np.sign(y[:, None] - y[None, :])
        return lambda orders: np.asarray(table[orders[:, i], orders[:, j]] @ signs, dtype=np.float64)
    one, other = (stats.rankdata(x), stats.rankdata(y)) if kind == "spearman" else (x, y)
    one, other = ((values - values.mean()) / values.std() for values in (one, other))
    return lambda orders: np.asarray(other[orders] @ one, dtype=np.float64)


def _all_orders(n: int) -> Iterator[np.ndarray]:
    flat = np.fromiter((i for order in permutations(range(n)) for i in order), np.int8, count=n * math.factorial(n))
    orders = flat.reshape(-1, n)
    for start in range(0, len(orders), 50_000):
        yield orders[start : start + 50_000]


def _some_orders(n: int, draws: int, seed: int, kind: Kind) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    size = max(1, _CHUNK // (n * n // 2 if kind == "kendall" else n))
    for start in range(0, draws, size):
        yield random.permuted(np.tile(np.arange(n), (min(size, draws - start), 1)), axis=1)
