"""Which questions are hard, which tell models apart, and which to look at again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from akb.stats.proportion import wilson
from akb.stats.scores import Floats

NOBODY, EVERYBODY, AGAINST = "nobody is right", "everybody is right", "better models are more often wrong"


@dataclass(frozen=True)
class Item:
    """A question over the models at hand.

    Attributes:
        right: mean score over the models, from 0 to 1; low, high: its Wilson interval.
        discrimination: correlation of the question's scores with the models' accuracy on the other questions, from -1
            to 1; NaN where all models did the same. d_low, d_high: its interval; NaN where it is 1 or -1 (a line
            through few models is no certainty, and Fisher's z has no end there).
        look: why to look at it again; empty for no reason.
    """

    id: str
    models: int
    right: float
    low: float
    high: float
    discrimination: float
    d_low: float
    d_high: float
    look: str


def items(values: ArrayLike, ids: Sequence[str], confidence: float = 0.95) -> list[Item]:
    """Difficulty and item-rest discrimination of questions (Lord and Novick 1968, Statistical Theories of Mental Test
    Scores; without the question itself in the rest: Henrysson 1963, Psychometrika 28, 211-218), the latter with
    Fisher's z interval (1921; standard error 1 / sqrt(models - 3)).

    The models are taken for a sample of models; those of one family make both intervals shorter than they should be.

    Args:
        values: (models, items), from 0 to 1, none missing.
        ids: (items,).

    Raises:
        ValueError: a value is missing or out of range, or lengths differ.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.shape[1] != len(ids):
        raise ValueError(f"ids: {len(ids)} for {table.shape[1]} items")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("values: scores from 0 to 1 are wanted, and none may be missing")
    models = len(table)
    against = discrimination(table)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) / math.sqrt(models - 3) if models > 3 else math.inf
    z = np.arctanh(np.where(np.abs(against) < 1, against, np.nan))
    low, high = np.tanh(z - reach), np.tanh(z + reach)
    found = []
    for place, name in enumerate(ids):
        column = table[:, place]
        ends = wilson(float(column.sum()), models, confidence)
        d = (float(against[place]), float(low[place]), float(high[place]))
        found.append(Item(name, models, float(column.mean()), *ends, *d, _look(column, d[0])))
    return found


def discrimination(values: ArrayLike) -> Floats:
    """(items,): the correlation over models of each question's scores with the mean of all others; NaN where either
    does not vary.

    Args:
        values: (models, items).
    """
    table = np.asarray(values, dtype=np.float64)
    rest = table.sum(axis=1, keepdims=True) - table
    one, other = table - table.mean(axis=0), rest - rest.mean(axis=0)
    scale = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(scale > 1e-9, (one * other).sum(axis=0) / scale, np.nan)
    return np.where(np.abs(r) > 1 - 1e-12, np.sign(r), r)


def to_look_at(found: Sequence[Item]) -> list[Item]:
    """Questions to read again: first those on which better models are more often wrong (most so first), then those that
    nobody has right, then those that everybody has."""
    order = (AGAINST, NOBODY, EVERYBODY)
    chosen = [item for item in found if item.look]
    return sorted(chosen, key=lambda item: (order.index(item.look), item.discrimination if item.look == AGAINST else 0))


def _look(column: Floats, against: float) -> str:
    if (column <= 0).all():
        return NOBODY
    if (column >= 1).all():
        return EVERYBODY
    return AGAINST if against < 0 else ""
