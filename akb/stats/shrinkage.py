"""Accuracies of small groups (subcategories), drawn towards their mean as far as chance explains their spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betainc, betaln
from scipy.stats import norm

from akb.stats.intervals import checked, design_effect, resampled
from akb.stats.scores import Floats

Method = Literal["integrated", "plug-in"]
GRID = 24  # values of either parameter of the prior
TOGETHER = 8  # models whose draws are held at once


@dataclass(frozen=True)
class Prior:
    """How the groups' true accuracies spread: a beta distribution.

    Attributes:
        mean: from 0 to 1.
        weight: how many questions it is worth (a + b); large where the groups do not differ beyond chance.
    """

    mean: float
    weight: float


@dataclass(frozen=True)
class Shrunk:
    """A group's accuracy.

    Attributes:
        n: questions, or what they are worth.
        raw: share that was right.
        value, low, high: shrunk, with its interval.
    """

    name: str
    n: float
    raw: float
    value: float
    low: float
    high: float


def fit(right: ArrayLike, n: ArrayLike) -> Prior:
    """The beta distribution that makes the counts most likely (maximum likelihood of the beta-binomial; Skellam
    1948, Journal of the Royal Statistical Society B 10, 257-261). Its weight is sought from 0.5 to 1e5.

    Args:
        right, n: (groups,); n above 0, right from 0 to n, need not be whole.

    Raises:
        ValueError: fewer than two groups, or a count out of range.
    """
    k, of = _counts(right, n)
    mean = min(max(float(k.sum() / of.sum()), 1e-3), 1 - 1e-3)

    def loss(at: Floats) -> float:
        return -float(_likelihood(np.array([1 / (1 + math.exp(-at[0]))]), np.array([math.exp(at[1])]), k, of)[0, 0])

    begin = [math.log(mean / (1 - mean)), math.log(20.0)]
    found = minimize(loss, begin, method="L-BFGS-B", bounds=[(-9, 9), (math.log(0.5), math.log(1e5))])
    return Prior(1 / (1 + math.exp(-found.x[0])), math.exp(found.x[1]))


def shrunk(
    right: ArrayLike,
    n: ArrayLike,
    names: Sequence[str] = (),
    confidence: float = 0.95,
    method: Method = "integrated",
) -> list[Shrunk]:
    """Each group's accuracy when it is believed to be one of a family.

    `integrated` averages over all priors by how likely they make the counts (Gelman et al. 2013, Bayesian Data
    Analysis, section 5.3, with its prior weight^(-5/2)); `plug-in` takes the likeliest prior for the truth, so that its
    intervals are too short where there are few groups.

    Args:
        right, n: (groups,), as `fit` takes them.
        names: (groups,); may be left out.

    Raises:
        ValueError: as `fit`.
    """
    k, of = _counts(right, n)
    if method == "plug-in":
        prior = fit(k, of)
        means, weights, chances = np.array([prior.mean]), np.array([prior.weight]), np.ones((1, 1))
    else:
        means, weights, chances = _posterior(k, of)
    grid_mean, grid_weight = (one.ravel() for one in np.meshgrid(means, weights, indexing="ij"))
    heavy = chances.ravel() > chances.max() * 1e-5
    at, size, share = grid_mean[heavy], grid_weight[heavy], chances.ravel()[heavy]
    share = share / share.sum()
    found = []
    for number, (one, count) in enumerate(zip(k, of, strict=True)):
        a, b = at * size + one, (1 - at) * size + count - one
        low, high = _quantiles(a, b, share, confidence)
        name = names[number] if names else str(number)
        found.append(Shrunk(name, float(count), float(one / count), float(share @ (a / (a + b))), low, high))
    return found


def subcategories(
    values: ArrayLike, clusters: ArrayLike, groups: Sequence[str], confidence: float = 0.95
) -> list[Shrunk]:
    """The shrunk accuracies of a model's subcategories, in the order of their names; questions of one template count
    for less, by the design effect within groups that all groups have in common (at least 1).

    Args:
        values: (items,), from 0 to 1.
        clusters: (items,), whole numbers from 0.
        groups: (items,), names, two or more different ones.

    Raises:
        ValueError: as `fit`, or a value is missing.
    """
    x, of = checked(values, clusters)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    size = np.bincount(group)
    mean = np.bincount(group, x) / size
    effect = design_effect(x - mean[group], of)
    worth = size / max(1.0, effect if math.isfinite(effect) else float(size.mean()))
    return shrunk(mean * worth, worth, [str(name) for name in names], confidence)


@dataclass(frozen=True)
class Hard:
    """A group, its accuracy, and the share of bootstrap draws in which it is among the hardest few."""

    name: str
    n: int
    accuracy: float
    chance: float


def hardest(
    values: ArrayLike, clusters: ArrayLike, groups: Sequence[str], k: int = 5, draws: int = 10_000, seed: int = 0
) -> list[Hard]:
    """How surely each group is among the k hardest: clusters are drawn again within each group (Efron and Tibshirani
    1993, An Introduction to the Bootstrap); groups that tie for the last place share it. The chances add up to k.

    Args:
        values: (items,), from 0 to 1: a model's scores, or the mean of several models'.
        clusters: (items,), whole numbers from 0; a group that is one cluster has its items drawn.
        groups: (items,), names.

    Returns:
        The groups, likeliest first.

    Raises:
        ValueError: k is not from 1 to the number of groups, or a value is missing.
    """
    x, of = checked(values, clusters)
    (chance,) = among_hardest(x[None, :], of, groups, k, draws, seed)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    size = np.bincount(group)
    accuracy = np.bincount(group, x) / size
    order = sorted(range(len(names)), key=lambda i: (-chance[i], accuracy[i], names[i]))
    return [Hard(str(names[i]), int(size[i]), float(accuracy[i]), float(chance[i])) for i in order]


def among_hardest(
    values: ArrayLike, clusters: ArrayLike, groups: Sequence[str], k: int = 5, draws: int = 10_000, seed: int = 0
) -> Floats:
    """The chances of `hardest` for several models, with the same draws for all.

    Args:
        values: (models, items).
        clusters, groups: (items,).

    Returns:
        (models, groups), groups in the order of their names.

    Raises:
        ValueError: k is not from 1 to the number of groups.
    """
    table = np.asarray(values, dtype=np.float64)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    if not 1 <= k <= len(names):
        raise ValueError(f"k: {k} is not from 1 to {len(names)}, the number of groups")
    found = []
    for part in np.array_split(table, -(-len(table) // TOGETHER)):
        means = resampled(part, clusters, draws, seed, group).round(12)
        last = np.partition(means, k - 1, axis=2)[:, :, [k - 1]]
        below, level = means < last, means == last
        left = k - below.sum(axis=2, keepdims=True)
        found.append((below + level * left / level.sum(axis=2, keepdims=True)).mean(axis=0))
    return np.concatenate(found)


def _counts(right: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    k, of = np.asarray(right, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if k.ndim != 1 or k.shape != of.shape or len(k) < 2:
        raise ValueError("two or more groups are wanted, each with what was right and how many")
    if not (np.isfinite(k).all() and (of > 0).all() and (k >= -1e-9).all() and (k <= of + 1e-9).all()):
        raise ValueError("right: numbers from 0 to n are wanted, and n above 0")
    return np.clip(k, 0, of), of


def _likelihood(means: Floats, weights: Floats, k: Floats, n: Floats) -> Floats:
    """(means, weights): the logarithm of the beta-binomial likelihood, but for a constant."""
    a, b = means[:, None] * weights, (1 - means[:, None]) * weights
    inside = betaln(a[..., None] + k, b[..., None] + n - k).sum(axis=-1)
    return np.asarray(inside - len(k) * betaln(a, b), dtype=np.float64)


def _posterior(k: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    """Means and weights of priors, evenly in logit and logarithm over where the posterior lies, and their chances."""
    logits, logs = np.linspace(-6, 6, GRID), np.linspace(math.log(0.5), math.log(1e4), GRID)
    for last in (False, True):
        means, weights = 1 / (1 + np.exp(-logits)), np.exp(logs)
        # weight^(-5/2) over (a, b) is weight^(-1/2) mean (1 - mean) over logit and logarithm
        density = _likelihood(means, weights, k, n) - 0.5 * logs + np.log(means * (1 - means))[:, None]
        chances = np.exp(density - density.max())
        if last:
            break
        logits, logs = (_zoom(axis, chances.max(axis=1 - side)) for side, axis in enumerate((logits, logs)))
    return means, weights, chances


def _zoom(axis: Floats, height: Floats) -> Floats:
    """The stretch of an axis where a posterior is not negligible."""
    there = np.flatnonzero(height > 1e-6)
    low, high = max(there[0] - 1, 0), min(there[-1] + 1, len(axis) - 1)
    return np.linspace(axis[low], axis[high], GRID)


def _quantiles(a: Floats, b: Floats, share: Floats, confidence: float) -> tuple[float, float]:
    """Of a mixture of beta distributions: Newton's steps on its distribution function, kept within bounds."""
    mean = a / (a + b)
    centre = float(share @ mean)
    spread = math.sqrt(float(share @ (mean * (1 - mean) / (a + b + 1) + (mean - centre) ** 2)))
    logs = np.log(share) - betaln(a, b)
    ends = []
    for wanted in ((1 - confidence) / 2, (1 + confidence) / 2):
        low, high = 0.0, 1.0
        x = min(max(centre + spread * float(norm.ppf(wanted)), 1e-6), 1 - 1e-6)
        for _ in range(60):
            off = float(share @ betainc(a, b, x)) - wanted
            low, high = (x, high) if off < 0 else (low, x)
            slope = float(np.exp(logs + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x)).sum())
            step = x - off / slope if slope > 0 else (low + high) / 2
            step = step if low < step < high else (low + high) / 2
            done, x = abs(step - x) < 1e-7 or high - low < 1e-7, step
            if done:
                break
        ends.append(x)
    return ends[0], ends[1]
