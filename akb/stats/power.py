"""How small a difference between two models a number of questions can show.

By the exact test of McNemar, which is what two models are compared by: of n questions a share `discordance` is answered
rightly by one model alone (how many that are is drawn as well), and of these the better model has its part. The normal
approximation (Connor 1987, Biometrics 43, 207-211) promises some points of power too much.

Where questions of one template go together, n counts for n / design.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from akb.stats.scores import Floats, Integers

WIDE = 7  # standard deviations: numbers of discordant questions further off are left out


def power(n: float, discordance: float, difference: float, alpha: float = 0.05, design: float = 1.0) -> float:
    """The chance that a true difference is found, two-sided.

    Args:
        n: questions; between whole numbers (of n / design) the chance is interpolated.
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
    return _Plan.of(n / design, discordance, alpha).power(difference)


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
    plan = _Plan.of(n / design, discordance, alpha)
    if plan.power(discordance) < wanted:
        return None
    low, high = 0.0, discordance
    while high - low > 1e-6:  # a ten thousandth of a point
        middle = (low + high) / 2
        low, high = (middle, high) if plan.power(middle) < wanted else (low, middle)
    return high


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
    import numpy as np

    from akb.stats.intervals import design_effect

    effects = [design_effect(one, clusters) for one in differences]
    known = [effect for effect in effects if effect == effect]
    discordance = float(np.mean([(one**2).mean() for one in differences])) if known else 0.0
    if not discordance:
        return None
    return detectable(len(differences[0]), discordance, design=max(float(np.mean(known)), 1.0))


def needed(discordance: float, difference: float, wanted: float = 0.8, alpha: float = 0.05, design: float = 1.0) -> int:
    """The questions that a difference takes to be found with the wanted power; with one less it is not. (As the level
    of an exact test moves in steps, a few more can have a little less power.)

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(1, discordance, alpha, design)
    _check_wanted(wanted, alpha)
    if not 0 < difference <= discordance:
        raise ValueError(f"difference: {difference} is not from above 0 to the discordance {discordance}")
    spread = math.sqrt(max(discordance - difference**2, 0.0))
    root = -_normal(alpha / 2) * math.sqrt(discordance) + _normal(wanted) * spread
    low, high = 0, math.ceil((root / difference) ** 2)  # Connor's: the exact test takes more
    while _Plan.of(high, discordance, alpha).power(difference) < wanted:
        low, high = high, high + math.ceil(2 / difference)
    while high - low > 1:
        middle = (low + high) // 2
        if _Plan.of(middle, discordance, alpha).power(difference) < wanted:
            low = middle
        else:
            high = middle
    return math.ceil(design * high - 1e-9)


@dataclass(frozen=True)
class _Plan:
    """The exact test over the numbers of discordant questions that there may be.

    Attributes:
        chances: of each number.
        apart: the numbers.
        limits: the test rejects where one model alone is right on so many of these or fewer; -1: never.
        discordance: their expected share.
    """

    chances: Floats
    apart: Integers
    limits: Floats
    discordance: float

    @classmethod
    def of(cls, n: float, discordance: float, alpha: float) -> _Plan:
        """For n questions."""
        import numpy as np

        whole = math.floor(n)
        parts = [(size, share) for size, share in ((whole, 1 - n + whole), (whole + 1, n - whole)) if share > 0]
        found = [_numbers(size, discordance) for size, _ in parts]
        chances = np.concatenate([share * own for (_, share), (_, own) in zip(parts, found, strict=True)])
        apart = np.concatenate([numbers for numbers, _ in found])
        return cls(chances, apart, _limits(apart, alpha), discordance)

    def power(self, difference: float) -> float:
        """The chance to reject where the models differ by so much."""
        from scipy.special import bdtr  # of the binomial; scipy is slow to import, and what is wrong is told before

        q = min(0.5 + difference / self.discordance / 2, 1.0)
        some = self.limits >= 0
        apart, limits = self.apart[some], self.limits[some]
        return float(self.chances[some] @ (bdtr(limits, apart, q) + bdtr(limits, apart, 1 - q)))


def _limits(apart: Integers, alpha: float) -> Floats:
    """For each number of discordant questions the most of them that one model may have alone for the test to reject."""
    import numpy as np
    from scipy.special import bdtr

    found = np.floor((apart + _normal(alpha / 2) * np.sqrt(apart)) / 2) - 2  # a normal's tail is the longer one
    found = np.maximum(found, -1)
    while (more := bdtr(found + 1, apart, 0.5) <= alpha / 2 + 1e-15).any():
        found = found + more
    return np.asarray(found, dtype=np.float64)


def _numbers(n: int, share: float) -> tuple[Integers, Floats]:
    """How many of n questions may be discordant, and the chance of each."""
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    reach = WIDE * math.sqrt(n * share * (1 - share)) + WIDE
    k = np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1, dtype=np.int64)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return k, np.exp(ways + xlogy(k, share) + xlog1py(n - k, -share))


def _normal(share: float) -> float:
    """The normal's quantile."""
    return NormalDist().inv_cdf(share)


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
