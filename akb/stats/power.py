"""How small a difference between two models a number of questions can show.

McNemar's test by the normal approximation: of n questions a share `discordance` is answered rightly by one model
alone, and the models differ by `difference`. Connor (1987, Biometrics 43, 207-211):

    n = (z_alpha sqrt(discordance) + z_power sqrt(discordance - difference^2))^2 / difference^2

Where questions of one template go together, n counts for n / design.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm

from akb.stats.intervals import design_effect
from akb.stats.scores import Floats


def power(n: float, discordance: float, difference: float, alpha: float = 0.05, design: float = 1.0) -> float:
    """The chance that a true difference is found, two-sided.

    Args:
        n: questions.
        discordance: share on which one model alone is right, from above 0 to 1.
        difference: from 0 to `discordance`, as a share.
        alpha: the test's level.
        design: design effect, above 0 (`intervals.design_effect`).

    Raises:
        ValueError: any of these is out of its range.
    """
    _check(n, discordance, alpha, design)
    if not 0 <= difference <= discordance:
        raise ValueError(f"difference: {difference} is not from 0 to the discordance {discordance}")
    z = float(norm.isf(alpha / 2))
    shift = math.sqrt(n / design) * difference
    spread = math.sqrt(max(discordance - difference**2, 1e-300))
    limit = z * math.sqrt(discordance)
    return float(norm.sf((limit - shift) / spread) + norm.cdf((-limit - shift) / spread))


def detectable(
    n: float, discordance: float, wanted: float = 0.8, alpha: float = 0.05, design: float = 1.0
) -> float | None:
    """The smallest difference, as a share, that is found with the wanted power; None where even the largest that this
    discordance allows is not.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(n, discordance, alpha, design)
    _check_wanted(wanted, alpha)
    if power(n, discordance, discordance, alpha, design) < wanted:
        return None
    return float(brentq(lambda one: power(n, discordance, one, alpha, design) - wanted, 0, discordance, xtol=1e-12))


def detectable_between(differences: Sequence[Floats], clusters: ArrayLike) -> float | None:
    """The smallest difference that is found with power 80 % (level 5 %, before Holm) between two models like the pairs
    at hand: `detectable` at their mean discordance (the mean square of the differences of scores: for right and wrong
    the share of questions on which one alone is right) and their mean design effect, at least 1.

    Args:
        differences: for each pair (items,), the scores of one less those of the other, from -1 to 1.
        clusters: (items,), whole numbers from 0.

    Returns:
        A share; None where no pair differs anywhere, where the design effect is not known (one cluster), or where even
        the largest difference would not be found.
    """
    effects = [design_effect(one, clusters) for one in differences]
    known = [effect for effect in effects if effect == effect]
    discordance = float(np.mean([(one**2).mean() for one in differences])) if known else 0.0
    if not discordance:
        return None
    return detectable(len(differences[0]), discordance, design=max(float(np.mean(known)), 1.0))


def needed(discordance: float, difference: float, wanted: float = 0.8, alpha: float = 0.05, design: float = 1.0) -> int:
    """The questions that a difference takes to be found with the wanted power.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(1, discordance, alpha, design)
    _check_wanted(wanted, alpha)
    if not 0 < difference <= discordance:
        raise ValueError(f"difference: {difference} is not from above 0 to the discordance {discordance}")
    spread = math.sqrt(max(discordance - difference**2, 0.0))
    root = norm.isf(alpha / 2) * math.sqrt(discordance) + norm.isf(1 - wanted) * spread
    return math.ceil(design * (float(root) / difference) ** 2 - 1e-9)


def _check(n: float, discordance: float, alpha: float, design: float) -> None:
    if not n > 0:
        raise ValueError(f"n: {n} is not above 0")
    if not 0 < discordance <= 1:
        raise ValueError(f"discordance: {discordance} is not from above 0 to 1")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha} is not between 0 and 1")
    if not 0 < design < math.inf:
        raise ValueError(f"design effect: {design} is not above 0")


def _check_wanted(wanted: float, alpha: float) -> None:
    if not alpha < wanted < 1:
        raise ValueError(f"power: {wanted} is not between alpha ({alpha}) and 1")
