"""Proportions and how sure they are."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a binomial proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Scores between 0 and 1 (a question asked in several orders) may be summed for `successes`: their variance is at
    most that of a binomial with the same mean, so the interval is then wider than it need be, never narrower.

    Args:
        successes: sum of the scores, from 0 to n.
        n: number of questions.
        confidence: from 0 to 1.

    Returns:
        Lower and upper end, from 0 to 1; (0, 1) when n is 0.

    Raises:
        ValueError: successes is not from 0 to n.

    Examples:
        >>> low, high = wilson(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    if n == 0:
        return 0.0, 1.0
    if not -1e-9 <= successes <= n + 1e-9:
        raise ValueError(f"successes: {successes} is not from 0 to {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = min(max(successes / n, 0.0), 1.0)
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
