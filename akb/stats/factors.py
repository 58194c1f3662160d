"""How much of a table's differences its rows explain, its columns, and the two together: a table of accuracies, say of
captioners by readers, that were all asked the same questions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from akb.stats.intervals import resampled
from akb.stats.scores import Floats, Integers

Name = Literal["rows", "columns", "interaction"]
TINY = 1e-12
HALVINGS = 40


@dataclass(frozen=True)
class Factor:
    """One factor's share of a table's differences.

    Attributes:
        observed: sum of squares of the cells' accuracies, as an analysis of variance has it (one value a cell).
        noise: how much of `observed` is to be expected of these questions being a sample, were all cells alike.
        df: degrees of freedom.
        true: `observed` less `noise`; unbiased, so it may be below 0.
        sd: standard deviation of the factor's true effects on accuracy, from 0: root of `true` by the number of
            accuracies behind each effect and by `df`; 0 where `true` is below 0.
        low, high: its interval.
        share: of the sum of all three factors' `true`, those below 0 counted as 0; None where all are.
    """

    name: Name
    observed: float
    noise: float
    df: int
    true: float
    sd: float
    low: float
    high: float
    share: float | None


def factors(
    values: ArrayLike, clusters: ArrayLike, confidence: float = 0.95, draws: int = 4000, seed: int = 0
) -> tuple[Factor, Factor, Factor]:
    """The two-way decomposition of a table's true accuracies: rows, columns, interaction.

    Sums of squares of observed accuracies are too large by sampling noise. For a projection P of the cells' means with
    covariance S, E[observed] = true + trace(P S) (the mean of a quadratic form: Searle 1971, Linear Models, section
    2.5); that is taken off. S is cluster-robust, of the clusters' summed influence on all cells at once: they share
    their questions.

    The interval turns a bootstrap test round (Carpenter and Bithell 2000, Statistics in Medicine 19, 1141-1164): it
    holds those sizes of the factor under which a sum of squares as small and as large as the observed one is not rare
    (each tail (1 - confidence) / 2). The noise of the cells is that of clusters drawn again; the factor's true effects
    are taken to point where the observed ones do. So a factor that may be nothing has an interval from 0. Measured:
    docs/design/cascades.md.

    Args:
        values: (rows, columns, items), scores from 0 to 1; two rows and two columns or more.
        clusters: (items,), whole numbers from 0; two different ones or more.
        draws: of the bootstrap.

    Raises:
        ValueError: shapes are wrong, or a value is missing.
    """
    cells, of = _checked(values, clusters)
    many = cells.shape[:2]
    flat = cells.reshape(-1, cells.shape[2])
    means, covariance = flat.mean(axis=1), cell_covariance(flat, of)
    count = len(np.unique(of))
    noise = (resampled(flat, of, draws, seed) - means) * math.sqrt(count / (count - 1))
    found = [_factor(name, many, means, covariance, noise, confidence) for name in ("rows", "columns", "interaction")]
    whole = sum(max(one.true, 0.0) for one in found)
    rows, columns, both = (_with_share(one, whole) for one in found)
    return rows, columns, both


def cell_covariance(values: Floats, clusters: Integers) -> Floats:
    """The covariance of the means of several rows of scores on the same items, cluster-robust (CR2, as
    `intervals.moments`).

    Args:
        values: (rows, items).
        clusters: (items,).

    Returns:
        (rows, rows).
    """
    n = values.shape[1]
    of = np.unique(clusters, return_inverse=True)[1]
    size = np.bincount(of).astype(np.float64)
    left = np.sqrt(np.maximum(1 - size / n, TINY))
    apart = values - values.mean(axis=1, keepdims=True)
    influence = np.stack([np.bincount(of, row) for row in apart]) / (n * left)
    return np.asarray(influence @ influence.T, dtype=np.float64)


def _checked(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Integers]:
    cells, of = np.asarray(values, dtype=np.float64), np.asarray(clusters, dtype=np.int64)
    if cells.ndim != 3 or min(cells.shape[:2]) < 2:
        raise ValueError(f"values: (rows, columns, items) with two rows and columns or more are wanted: {cells.shape}")
    if of.shape != cells.shape[2:] or len(np.unique(of)) < 2:
        raise ValueError(f"clusters: one number for each of {cells.shape[2]} items is wanted, and two different ones")
    if not np.isfinite(cells).all():
        raise ValueError("values: a score is missing; take the questions that all were asked")
    return cells, of


def _projection(name: Name, many: tuple[int, int]) -> tuple[Floats, int, int]:
    """What takes a factor's part out of the cells (row by row), its degrees of freedom, and how many cells are behind
    each of its effects."""
    mean = [np.full((size, size), 1 / size) for size in many]
    apart = [np.eye(size) - own for size, own in zip(many, mean, strict=True)]
    if name == "rows":
        return np.kron(apart[0], mean[1]), many[0] - 1, many[1]
    if name == "columns":
        return np.kron(mean[0], apart[1]), many[1] - 1, many[0]
    return np.kron(apart[0], apart[1]), (many[0] - 1) * (many[1] - 1), 1


def _factor(
    name: Name, many: tuple[int, int], means: Floats, covariance: Floats, noise: Floats, confidence: float
) -> Factor:
    """A factor without its share; `noise` are draws of the cells' errors, (draws, cells)."""
    part, df, behind = _projection(name, many)
    own = part @ means
    observed, expected = float(own @ own), float(np.trace(part @ covariance))
    scale = math.sqrt(behind * df)
    size = math.sqrt(observed)
    towards = own / size if size > TINY else np.linalg.eigh(part @ covariance @ part)[1][:, -1]
    low, high = _turned_round(size, noise @ part @ towards, ((noise @ part) ** 2).sum(axis=1), confidence)
    true = observed - expected
    sd = math.sqrt(max(true, 0.0)) / scale
    return Factor(name, observed, expected, df, true, sd, low / scale, high / scale, None)


def _turned_round(size: float, along: Floats, squares: Floats, confidence: float) -> tuple[float, float]:
    """Between which true lengths an observed length is not rare.

    Args:
        along: of each draw of the noise, how far it goes towards the observed effects.
        squares: its squared length.
    """
    tail = (1 - confidence) / 2
    slack = TINY + 1e-9 * size * size

    def larger(true: float) -> float:
        """How often a true length comes out at least as large as observed."""
        return float((true * true + 2 * true * along + squares >= size * size - slack).mean())

    def smaller(true: float) -> float:
        return float((true * true + 2 * true * along + squares <= size * size + slack).mean())

    most = size + 2 * float(np.sqrt(squares).max(initial=0.0)) + TINY
    low = 0.0 if larger(0.0) >= tail else _where(lambda true: larger(true) >= tail, 0.0, size)
    high = 0.0 if smaller(0.0) < tail else _where(lambda true: smaller(true) < tail, 0.0, most)
    return low, max(high, low)


def _where(holds: Callable[[float], bool], below: float, above: float) -> float:
    """Where something begins to hold, by halving."""
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return above


def _with_share(one: Factor, whole: float) -> Factor:
    return replace(one, share=max(one.true, 0.0) / whole if whole > TINY else None)
