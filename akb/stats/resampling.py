"""Intervals of a correlation across models that know of the questions: both models and questions are a sample.

Models are drawn anew, and questions by whole clusters (templates). Where the two tables share questions (a benchmark as
text and as audio) these are drawn together, so that errors that they have in common stay in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from akb.stats.correlation import checked, fisher, pearson, rows
from akb.stats.scores import Floats, Integers, Scores

_CHUNK = 4_000_000  # numbers held at once


@dataclass(frozen=True)
class Joint:
    """Pearson's r over models and questions.

    Attributes:
        r: over the models that both tables have.
        n: these models.
        clusters: of questions, in both tables together.
        low, high: 95 % interval for models and questions like these: Fisher's z with the variance that questions add.
        items_low, items_high: between what r moves by the questions alone, the models being these (percentiles).
        both_low, both_high: percentiles of r when models and questions are drawn together.
        dropped: draws of both in which a score was constant.
    """

    r: float
    n: int
    clusters: int
    low: float
    high: float
    items_low: float
    items_high: float
    both_low: float
    both_high: float
    dropped: int


def joint(x: Scores, y: Scores, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Joint:
    """The correlation of two tables' accuracies across their common models (by name), with models and questions drawn
    anew (Owen 2007, doi:10.1214/07-AOAS122, for drawing rows and columns together).

    The interval to use is z ± c sqrt(1 / (n - 3) + v), where z is Fisher's transform of r and v the variance of z over
    draws of questions alone. Its first part holds for these questions; the second adds what other questions would change. It
    counts the noise of single models' answers twice, so it is a little wide, never narrow. Percentiles of the draws of both
    are told beside it, and are no default: draws of few models cover too rarely (benchmarks/correlation_coverage.py).

    Raises:
        ValueError: fewer than four common models, or a model was not asked a question of its table.
    """
    names = [name for name in x.models if name in y.models]
    if len(names) < 4:
        raise ValueError(f"4 models or more in both tables are wanted, found {len(names)}")
    one, other = (t.values[[t.models.index(name) for name in names]] for t in (x, y))
    if np.isnan(one).any() or np.isnan(other).any():
        raise ValueError("a model was not asked every question of its table")
    clusters, total = _common_clusters(x, y)
    random = np.random.default_rng(seed)
    drawn = [_accuracies(*_sums(v, c, total), draws, seed) for v, c in zip((one, other), clusters, strict=True)]
    items = rows(*drawn)
    picks = random.integers(len(names), size=(draws, len(names)))
    both = rows(*(np.take_along_axis(values, picks, axis=1) for values in drawn))
    r = pearson(one.mean(axis=1), other.mean(axis=1))
    low, high = _widened(r, len(names), items, confidence)
    return Joint(
        r, len(names), total, low, high, *_percentiles(items, confidence), *_percentiles(both, confidence),
        dropped=int(np.isnan(both).sum()),
    )  # fmt: skip


def item_noise(
    x: ArrayLike, y: ArrayLike, items_x: int, items_y: int, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Between what r moves by the questions alone where only accuracies are known: binomial draws of each model's right
    answers, independent of one another (percentiles of r; shares from 0 to 1, numbers of questions).

    Raises:
        ValueError: as `correlation.checked`, or a share is not from 0 to 1.
    """
    one, other = checked(x, y)
    if min(one.min(), other.min()) < 0 or max(one.max(), other.max()) > 1:
        raise ValueError("accuracies from 0 to 1 are wanted")
    random = np.random.default_rng(seed)
    drawn = [
        random.binomial(n, p, size=(draws, len(p))) / n for n, p in ((items_x, one), (items_y, other))
    ]
    return _percentiles(rows(*drawn), confidence)


def _common_clusters(x: Scores, y: Scores) -> tuple[tuple[Integers, Integers], int]:
    """For each table the number of each question's cluster, from one numbering: questions of one template, or of one id
    without a template, are one cluster in both."""
    names = [
        template or f"\0{item}" for t in (x, y) for template, item in zip(t.templates, t.items, strict=True)
    ]
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return (numbers[: len(x.items)], numbers[len(x.items) :]), int(numbers.max()) + 1


def _sums(values: Floats, clusters: Integers, total: int) -> tuple[Floats, Floats]:
    """By cluster: the sum of each model's scores (clusters, models), and the number of questions (clusters,)."""
    sums = np.zeros((total, len(values)))
    np.add.at(sums, clusters, values.T)
    return sums, np.bincount(clusters, minlength=total).astype(np.float64)


def _accuracies(sums: Floats, sizes: Floats, draws: int, seed: int) -> Floats:
    """Accuracies (draws, models) over clusters drawn with replacement. One seed draws the same clusters for both
    tables; a draw without any question of a table gives NaN."""
    total = len(sizes)
    random = np.random.default_rng((seed, total))
    size = max(1, _CHUNK // total)
    found = []
    for start in range(0, draws, size):
        weights = random.multinomial(total, np.full(total, 1 / total), size=min(size, draws - start)).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append((weights @ sums) / (weights @ sizes)[:, None])
    return np.concatenate(found)


def _widened(r: float, n: int, items: Floats, confidence: float) -> tuple[float, float]:
    if math.isnan(r) or abs(r) >= 1:
        return fisher(r, n, confidence)
    z = np.arctanh(np.clip(items[~np.isnan(items)], -1 + 1e-12, 1 - 1e-12))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(1 / (n - 3) + float(np.var(z)))
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _percentiles(values: Floats, confidence: float) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if not len(kept):
        return math.nan, math.nan
    low, high = np.quantile(kept, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
