"""Ranks of models on the same questions, and how sure they are: "12-15" in place of "12"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from akb.stats.intervals import resampled
from akb.stats.paired import difference
from akb.stats.scores import Floats, Integers

Method = Literal["pairwise", "percentile"]


@dataclass(frozen=True)
class Rank:
    """A model's place, from 1 (best).

    Attributes:
        rank: by accuracy; models with the same accuracy share the best place.
        low, high: ends of its interval, both included.
        best: share of the bootstrap draws in which it came first (shared, where several did).
    """

    rank: int
    low: int
    high: int
    best: float


def ranks(
    values: ArrayLike,
    clusters: ArrayLike,
    draws: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "pairwise",
) -> list[Rank]:
    """Each model's rank with an interval, from one bootstrap over clusters of all models at once.

    `pairwise` counts who is surely better and surely worse, by the bootstrap's largest studentised difference to the
    model (Mogstad et al. 2024, doi:10.1093/restud/rdad006): its true rank is covered at least as often as it says, also
    where models are nearly tied. `percentile` takes the middle of the bootstrap's ranks; near ties it covers less.

    Args:
        values: (models, items), none missing.
        clusters: (items,), whole numbers from 0.

    Returns:
        One for each model, in their order.

    Raises:
        ValueError: a value is missing or there is no model.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if not table.size or not np.isfinite(table).all():
        raise ValueError("values: a score is missing; rank models on the questions that all were asked")
    found = resampled(table, clusters, draws, seed)
    means = table.mean(axis=1)
    if method == "pairwise":
        low, high = _pairwise(table, np.asarray(clusters, dtype=np.int64), found, confidence)
    else:
        low, high = _percentile(found, confidence)
    first = found >= found.max(axis=1, keepdims=True) - 1e-12
    best = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    place = 1 + (means[None, :] > means[:, None] + 1e-12).sum(axis=1)
    return [Rank(int(place[i]), int(low[i]), int(high[i]), float(best[i])) for i in range(len(means))]


def _pairwise(values: Floats, clusters: Integers, found: Floats, confidence: float) -> tuple[Integers, Integers]:
    """For each model one limit for all its differences; who is beyond it is surely better or worse. Of a difference
    that is the same in every draw the bootstrap sees no error: there its interval decides (`paired.difference`), with
    the confidence shared among the model's differences."""
    means, count = values.mean(axis=1), len(values)
    low, high = np.ones(count, dtype=np.int64), np.full(count, count, dtype=np.int64)
    for model in range(count):
        gap = means - means[model]
        drawn = found - found[:, [model]]
        error = drawn.std(axis=0)
        still = error < 1e-12
        error[still] = np.inf
        limit = np.quantile((np.abs(drawn - gap) / error).max(axis=1), confidence)
        low[model] += int((gap / error > limit).sum())
        high[model] -= int((gap / error < -limit).sum())
        for other in np.flatnonzero(still & (np.abs(gap) > 1e-12)):
            sure = difference(values[other], values[model], clusters, 1 - (1 - confidence) / (count - 1))
            low[model] += int(sure.low > 0)
            high[model] -= int(sure.high < 0)
    return low, high


def _percentile(found: Floats, confidence: float) -> tuple[Integers, Integers]:
    places = rankdata(-np.round(found, 12), axis=1)
    ends = np.quantile(places, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return np.floor(ends[0]).astype(np.int64), np.ceil(ends[1]).astype(np.int64)


def told(rank: Rank) -> str:
    """A rank's interval as a board shows it: "12-15", or "3" where it is sure."""
    return f"{rank.low}-{rank.high}" if rank.low < rank.high else str(rank.low)
