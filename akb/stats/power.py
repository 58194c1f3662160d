"""How small a difference between two models a number of questions can show.

McNemar's test by the normal approximation: of n questions a share `discordance` is answered rightly by one model
alone, and the models differ by `difference`. Connor (1987, Biometrics 43, 207-211):

    n = (z_alpha sqrt(discordance) + z_power sqrt(discordance - difference^2))^2 / difference^2

Where questions of one template go together, n counts for n / design.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm


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
