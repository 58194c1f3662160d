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
from akb.stats.scores import Floats, Integers, Scores, clustered

_CHUNK = 4_000_000  # numbers held at once


@dataclass(frozen=True)
class Joint:
    """Pearson's r over models and questions.

    Attributes:
        r: over the models that both tables have.
        n: these models.
        clusters: of questions, in both tables together.
        low, high: 95 % interval for models and questions like these: Fisher's z, widened by `added`.
        added: variance of Fisher's z that comes of which questions are asked, beyond the noise of single models.
        items_low, items_high: between what r moves by the questions alone, the models being these (percentiles).
        both_low, both_high: percentiles of r when models and questions are drawn together.
        dropped: draws of both in which a score was constant.
    """

    r: float
    n: int
    clusters: int
    low: float
    high: float
    added: float
    items_low: float
    items_high: float
    both_low: float
    both_high: float
    dropped: int


def joint(x: Scores, y: Scores, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Joint:
    """The correlation of two tables' accuracies across their common models (by name), with models and questions drawn
    anew (Owen 2007, doi:10.1214/07-AOAS122, for drawing rows and columns together).

    The interval to use is z ± c sqrt(1 / (n - 3) + added), z being Fisher's transform of r. Its first part holds for
    these questions and already has the noise of each model's answers in it. `added` is what other questions would
    change for all models at once: by the delta method over clusters, the variance of z less what it were if each model
    had questions of its own, once what all models have in common (difficulty) is out; not below 0. Percentiles of the
    draws of both are told beside it, and are no default: they count answers' noise twice, so they are wide
    (benchmarks/correlation_coverage.py). The truth meant is the r of such tests, noise included.

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
    sums = [_sums(v, c, total) for v, c in zip((one, other), clusters, strict=True)]
    drawn = _accuracies(sums, draws, random)
    items = rows(*drawn)
    picks = random.integers(len(names), size=(draws, len(names)))
    both = rows(*(np.take_along_axis(values, picks, axis=1) for values in drawn))
    r = pearson(one.mean(axis=1), other.mean(axis=1))
    added = _added(r, one.mean(axis=1), other.mean(axis=1), *(_errors(*pair) for pair in sums))
    low, high = _widened(r, len(names), added, confidence)
    return Joint(
        r, len(names), total, low, high, added, *_percentiles(items, confidence), *_percentiles(both, confidence),
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
    drawn = [random.binomial(n, p, size=(draws, len(p))) / n for n, p in ((items_x, one), (items_y, other))]
    return _percentiles(rows(*drawn), confidence)


def _common_clusters(x: Scores, y: Scores) -> tuple[tuple[Integers, Integers], int]:
    """For each table the number of each question's cluster, from one numbering: questions that share a template
    or a clip, or of one id where they have neither, are one cluster in both."""
    numbers = clustered((*x.items, *y.items), (*x.ties, *y.ties))
    return (numbers[: len(x.items)], numbers[len(x.items) :]), int(numbers.max()) + 1


def _sums(values: Floats, clusters: Integers, total: int) -> tuple[Floats, Floats]:
    """By cluster: the sum of each model's scores (clusters, models), and the number of questions (clusters,)."""
    sums = np.zeros((total, len(values)))
    np.add.at(sums, clusters, values.T)
    return sums, np.bincount(clusters, minlength=total).astype(np.float64)


def _accuracies(sums: list[tuple[Floats, Floats]], draws: int, random: np.random.Generator) -> list[Floats]:
    """For both tables the accuracies (draws, models) over clusters drawn with replacement, together where a cluster is
    in both: those of one table only, of the other only, and of both are drawn each in their number."""
    sizes = [size for _, size in sums]
    kinds = (sizes[0] > 0) + 2 * (sizes[1] > 0)
    strata = [np.flatnonzero(kinds == kind) for kind in (1, 2, 3)]
    step = max(1, _CHUNK // len(kinds))
    found: tuple[list[Floats], list[Floats]] = ([], [])
    for start in range(0, draws, step):
        count = min(step, draws - start)
        weights = np.zeros((count, len(kinds)))
        for stratum in (s for s in strata if len(s)):
            size = len(stratum)
            picks = random.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
            weights[:, stratum] = np.bincount(picks.ravel(), minlength=count * size).reshape(count, size)
        for (own, size_of), kept in zip(sums, found, strict=True):
            kept.append((weights @ own) / (weights @ size_of)[:, None])
    return [np.concatenate(kept) for kept in found]


def _errors(sums: Floats, sizes: Floats) -> Floats:
    """What each cluster adds to the error of each model's accuracy, (clusters, models)."""
    return np.asarray((sums - sizes[:, None] * (sums.sum(axis=0) / sizes.sum())) / sizes.sum(), dtype=np.float64)


def _added(r: float, x: Floats, y: Floats, errors_x: Floats, errors_y: Floats) -> float:
    """The variance of Fisher's z by questions beyond single models' noise; see `joint`."""
    if math.isnan(r) or abs(r) >= 1:
        return 0.0
    n = len(x)
    one, other = ((v - v.mean()) / np.linalg.norm(v - v.mean()) for v in (x, y))
    slopes = ((other - r * one) / np.linalg.norm(x - x.mean()), (one - r * other) / np.linalg.norm(y - y.mean()))
    own = [e - e.mean(axis=1, keepdims=True) for e in (errors_x, errors_y)]
    parts = [e * slope / (1 - r * r) for e, slope in zip(own, slopes, strict=True)]
    together = float(np.sum((parts[0].sum(axis=1) + parts[1].sum(axis=1)) ** 2))
    alone = float(np.sum((parts[0] + parts[1]) ** 2)) * n / (n - 1)
    return max(0.0, together - alone)


def _widened(r: float, n: int, added: float, confidence: float) -> tuple[float, float]:
    if math.isnan(r) or abs(r) >= 1:
        return fisher(r, n, confidence)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(1 / (n - 3) + added)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _percentiles(values: Floats, confidence: float) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if not len(kept):
        return math.nan, math.nan
    low, high = np.quantile(kept, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
